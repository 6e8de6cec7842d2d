// A made-up football match: 22 players, a ball, a clock and a score. Positions are metres on a
// 105 x 68 pitch, time is seconds. Nothing here knows how it is drawn.
const LENGTH = 105, WIDTH = 68;
const FORMATION = [[5, 34], [22, 12], [19, 27], [19, 41], [22, 56], [37, 20], [34, 34], [37, 48], [54, 12], [58, 34], [54, 56]];
const REACH = 1.3;

const between = (low, high) => low + Math.random() * (high - low);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

function squad(side) {
  return FORMATION.map(([x, y], index) => {
    const home = side === 0 ? { x, y } : { x: LENGTH - x, y: WIDTH - y };
    return { side, number: index + 1, home, x: home.x, y: home.y, vx: 0, vy: 0, stride: Math.random() * 6, drift: Math.random() * 9 };
  });
}

export class Match extends EventTarget {
  constructor() {
    super();
    this.players = [...squad(0), ...squad(1)];
    this.ball = { x: 52.5, y: 34, z: 0, vx: 0, vy: 0, vz: 0 };
    this.score = [1, 1];
    this.clockS = 57 * 60 + 20;
    this.stats = { shots: [7, 6], passes: [212, 188], done: [181, 155], corners: [3, 2], holding: [1610, 1490] };
    this.owner = this.players[9];
    this.until = 1;
    this.restartIn = 0;
  }

  get possession() {
    const [home, away] = this.stats.holding;
    return Math.round((100 * home) / (home + away));
  }

  step(dt) {
    this.clockS += dt;
    if (this.restartIn > 0 && (this.restartIn -= dt) <= 0) this._kickOff();
    this._runPlayers(dt);
    if (this.owner) this._dribble(dt);
    else this._fly(dt);
  }

  _runPlayers(dt) {
    const ball = this.ball;
    const chasers = [0, 1].map((side) => this._nearest(side, ball));
    for (const player of this.players) {
      const goal = this._goalOf(player, chasers);
      const pace = player === this.owner ? 5.4 : chasers.includes(player) ? 6.6 : 4.2;
      const dx = goal.x - player.x, dy = goal.y - player.y, far = Math.hypot(dx, dy) || 1;
      const wanted = Math.min(pace, far * 1.4);
      player.vx += ((dx / far) * wanted - player.vx) * Math.min(1, dt * 4);
      player.vy += ((dy / far) * wanted - player.vy) * Math.min(1, dt * 4);
      player.x = clamp(player.x + player.vx * dt, -1, LENGTH + 1);
      player.y = clamp(player.y + player.vy * dt, -1, WIDTH + 1);
      player.stride += Math.hypot(player.vx, player.vy) * dt * 1.9;
    }
  }

  _goalOf(player, chasers) {
    const { ball } = this;
    if (this.restartIn > 0) return player.home;
    if (player === this.owner) return { x: player.side === 0 ? 99 : 6, y: 34 + (player.home.y - 34) * 0.5 };
    if (player.number > 1 && chasers[player.side] === player && this.owner?.side !== player.side) return ball;
    const push = player.number === 1 ? 0.06 : 0.52;
    const sway = Math.sin(this.clockS * 0.4 + player.drift) * 2.4;
    return { x: clamp(player.home.x + (ball.x - 52.5) * push + sway, 2, 103), y: clamp(player.home.y + (ball.y - 34) * push * 0.5 + sway, 2, 66) };
  }

  _dribble(dt) {
    const { owner, ball } = this;
    this.stats.holding[owner.side] += dt;
    const speed = Math.hypot(owner.vx, owner.vy) || 1;
    ball.x = owner.x + (owner.vx / speed) * 0.8;
    ball.y = owner.y + (owner.vy / speed) * 0.8;
    ball.z = 0;
    const rival = this._nearest(1 - owner.side, ball);
    if (distance(rival, ball) < REACH && Math.random() < dt * 1.6) return this._win(rival);
    if ((this.until -= dt) > 0) return;
    const toGoal = owner.side === 0 ? LENGTH - owner.x : owner.x;
    if (toGoal < 24 && Math.random() < 0.55) this._shoot(owner);
    else this._pass(owner);
  }

  _pass(from) {
    const ahead = from.side === 0 ? 1 : -1;
    const mates = this.players.filter((one) => one.side === from.side && one !== from && one.number > 1);
    const rated = mates.map((one) => [ahead * (one.x - from.x) - Math.abs(distance(one, from) - 16) * 0.9 + between(0, 16), one]);
    const [, to] = rated.sort((a, b) => b[0] - a[0])[0];
    this.stats.passes[from.side] += 1;
    const far = distance(from, to);
    this._kick({ x: to.x + to.vx * 0.7 + between(-2, 2), y: to.y + to.vy * 0.7 + between(-2, 2) }, 11 + far * 0.42, far > 24 ? 5.5 : 0);
    this.receiver = to;
  }

  _shoot(from) {
    this.stats.shots[from.side] += 1;
    this.shooter = from;
    this._kick({ x: from.side === 0 ? LENGTH + 1 : -1, y: 34 + between(-6.2, 6.2) }, 25, between(1, 4));
    this.dispatchEvent(new CustomEvent("shot", { detail: { side: from.side, number: from.number } }));
  }

  _kick(target, speed, lift) {
    const { ball } = this;
    const far = Math.hypot(target.x - ball.x, target.y - ball.y) || 1;
    Object.assign(ball, { vx: ((target.x - ball.x) / far) * speed, vy: ((target.y - ball.y) / far) * speed, vz: lift });
    this.owner = this.receiver = null;
    this.until = 0.35;
  }

  _fly(dt) {
    const { ball } = this;
    const drag = ball.z > 0.1 ? 0.25 : 0.75;
    ball.vx -= ball.vx * drag * dt;
    ball.vy -= ball.vy * drag * dt;
    ball.vz -= 9.8 * dt;
    ball.x += ball.vx * dt;
    ball.y += ball.vy * dt;
    ball.z = Math.max(0, ball.z + ball.vz * dt);
    if (ball.z === 0 && ball.vz < 0) ball.vz = ball.vz < -1.5 ? -ball.vz * 0.45 : 0;
    if (this.restartIn > 0) return this._net();
    if (ball.x < 0 || ball.x > LENGTH) return this._behind();
    if (ball.y < 0 || ball.y > WIDTH) return this._win(this._nearest(this.receiver?.side === 0 ? 1 : 0, ball));
    if ((this.until -= dt) > 0 || ball.z > 2.2) return;
    const near = this.players.filter((one) => distance(one, ball) < REACH);
    if (near.length) this._win(near[Math.floor(Math.random() * near.length)]);
  }

  _net() {
    const { ball } = this;
    ball.x = clamp(ball.x, -1.8, LENGTH + 1.8);
    if (ball.x < -1.7 || ball.x > LENGTH + 1.7) ball.vx = ball.vy = 0;
  }

  _behind() {
    const side = this.ball.x > LENGTH ? 0 : 1;
    const onTarget = Math.abs(this.ball.y - 34) < 3.66 && this.ball.z < 2.44;
    if (onTarget && Math.random() < 0.5) {
      this.score[side] += 1;
      this.restartIn = 4;
      this.dispatchEvent(new CustomEvent("goal", { detail: { side, number: this.shooter?.number ?? 9 } }));
      return;
    }
    if (!onTarget && Math.random() < 0.3) this.stats.corners[side] += 1;
    const keeper = this.players.find((one) => one.side === 1 - side && one.number === 1);
    this.ball.x = clamp(this.ball.x, 3, LENGTH - 3);
    this._win(keeper);
  }

  _kickOff() {
    Object.assign(this.ball, { x: 52.5, y: 34, z: 0, vx: 0, vy: 0, vz: 0 });
    this._win(this._nearest(Math.random() < 0.5 ? 0 : 1, this.ball));
  }

  _win(player) {
    if (this.receiver && this.receiver.side === player.side) this.stats.done[player.side] += 1;
    Object.assign(this.ball, { vx: 0, vy: 0, vz: 0, z: 0 });
    this.owner = player;
    this.receiver = null;
    this.until = player.number === 1 ? 1.2 : between(0.7, 2.4);
  }

  _nearest(side, point) {
    let best = null;
    for (const one of this.players) {
      if (one.side === side && one.number > 1 && (!best || distance(one, point) < distance(best, point))) best = one;
    }
    return best;
  }
}

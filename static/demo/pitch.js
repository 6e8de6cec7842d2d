// Draws the match as a camera high in the stand sees it. Branding reaches the boards at the far side.
const LENGTH = 105, WIDTH = 68, FAR = 0.6;
const KITS = [
  { shirt: "#f4f6fb", shorts: "#14223c", ink: "#14223c" },
  { shirt: "#c8202f", shorts: "#f2f2f2", ink: "#ffffff" },
];
const KEEPERS = ["#e7b416", "#2a9d8f"];
const SKIN = ["#8d5a3b", "#c98d63", "#e0ac88", "#5c3a26"];
const line = (points, closed) => ({ points, closed });
const arc = (x, y, radius, from, to) => line(Array.from({ length: 33 }, (_, step) => {
  const angle = from + ((to - from) * step) / 32;
  return [x + Math.cos(angle) * radius, y + Math.sin(angle) * radius];
}));
const box = (x1, y1, x2, y2) => line([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], true);
const LINES = [
  box(0, 0, LENGTH, WIDTH), line([[52.5, 0], [52.5, WIDTH]]), arc(52.5, 34, 9.15, 0, Math.PI * 2),
  box(0, 13.84, 16.5, 54.16), box(0, 24.84, 5.5, 43.16), box(88.5, 13.84, LENGTH, 54.16), box(99.5, 24.84, LENGTH, 43.16),
  arc(11, 34, 9.15, -0.93, 0.93), arc(94, 34, 9.15, Math.PI - 0.93, Math.PI + 0.93),
];

export class Pitch {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.camera = 52.5;
    this.boards = { text: "GANTRY", ground: "#1e6fff", ink: "#ffffff", second: "#0b1f3a", secondInk: "#ffffff" };
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.max(1, clientWidth * ratio);
    this.canvas.height = Math.max(1, clientHeight * ratio);
    [this.w, this.h] = [this.canvas.width, this.canvas.height];
    this.unit = Math.max(this.w / 64, this.h / 36);
    this.crowd = this._paintCrowd();
  }

  /** Where metres on the pitch (and above it) are on the screen. */
  at(x, y, z = 0) {
    const near = (y + 6) / (WIDTH + 12);
    const scale = FAR + (1 - FAR) * near;
    const depth = (scale ** 2 - FAR ** 2) / (1 - FAR ** 2);
    return [this.w / 2 + (x - this.camera) * this.unit * scale, this.h * 0.27 + depth * this.h * 0.73 - z * this.unit * scale, this.unit * scale];
  }

  draw(match, dt) {
    const room = 22;
    const target = Math.min(LENGTH - room, Math.max(room, match.ball.x));
    this.camera += (target - this.camera) * Math.min(1, dt * 1.6);
    const { context: c } = this;
    c.drawImage(this.crowd, -((this.camera / LENGTH) * (this.crowd.width - this.w)), 0);
    this._grass();
    this._boards();
    this._lines();
    this._goal(0, -2, match);
    this._goal(LENGTH, 2, match);
    const things = [...match.players, { ...match.ball, isBall: true }].sort((a, b) => a.y - b.y);
    for (const thing of things) thing.isBall ? this._ball(thing) : this._player(thing, match.owner === thing);
    this._light();
  }

  _paintCrowd() {
    const crowd = document.createElement("canvas");
    crowd.width = this.w * 1.35;
    crowd.height = Math.ceil(this.h * 0.3);
    const c = crowd.getContext("2d");
    const sky = c.createLinearGradient(0, 0, 0, crowd.height);
    sky.addColorStop(0, "#0a1220");
    sky.addColorStop(1, "#243349");
    c.fillStyle = sky;
    c.fillRect(0, 0, crowd.width, crowd.height);
    const tones = ["#33445f", "#4a5a75", "#6b7a92", "#8f3140", "#d9dde6", "#26344b", "#b98f5a"];
    const dot = Math.max(2, this.unit * 0.2);
    for (let y = crowd.height * 0.12; y < crowd.height; y += dot * 1.5) {
      if (Math.abs(y / crowd.height - 0.52) < 0.035) continue;
      c.globalAlpha = 0.25 + 0.6 * (y / crowd.height);
      for (let x = 0; x < crowd.width; x += dot * 1.35) {
        if (Math.random() < 0.14) continue;
        c.fillStyle = tones[Math.floor(Math.random() ** 1.6 * tones.length)];
        c.fillRect(x + Math.random() * dot * 0.4, y + Math.random() * dot * 0.5, dot, dot);
      }
    }
    return crowd;
  }

  _quad(points, fill) {
    const { context: c } = this;
    c.beginPath();
    points.forEach(([x, y], index) => (index ? c.lineTo(x, y) : c.moveTo(x, y)));
    c.closePath();
    c.fillStyle = fill;
    c.fill();
  }

  _grass() {
    this._quad([this.at(-60, -6), this.at(165, -6), this.at(165, 90), this.at(-60, 90)], "#2f7d3f");
    for (let x = -15; x < LENGTH + 15; x += 15) {
      this._quad([this.at(x, -6), this.at(x + 7.5, -6), this.at(x + 7.5, 82), this.at(x, 82)], "#358847");
    }
  }

  _boards() {
    const { context: c, boards } = this;
    const wide = 21;
    for (let x = -42, index = 0; x < LENGTH + 42; x += wide, index += 1) {
      const [left, base, unit] = this.at(x, -4.2);
      const [right] = this.at(x + wide, -4.2);
      if (right < 0 || left > this.w) continue;
      const tall = unit * 1.5;
      c.fillStyle = index % 2 ? boards.second : boards.ground;
      c.fillRect(left, base - tall, right - left - 1, tall);
      c.fillStyle = index % 2 ? boards.secondInk : boards.ink;
      c.font = `700 ${tall * 0.6}px system-ui, sans-serif`;
      c.textAlign = "center";
      c.textBaseline = "middle";
      c.fillText(boards.text.toUpperCase(), (left + right) / 2, base - tall / 2, (right - left) * 0.9);
    }
  }

  _lines() {
    const { context: c } = this;
    c.strokeStyle = "rgba(255,255,255,.82)";
    c.lineWidth = Math.max(1, this.unit * 0.11);
    for (const { points, closed } of LINES) {
      c.beginPath();
      points.forEach(([x, y], index) => {
        const [px, py] = this.at(x, y);
        index ? c.lineTo(px, py) : c.moveTo(px, py);
      });
      if (closed) c.closePath();
      c.stroke();
    }
  }

  _goal(x, back) {
    const { context: c } = this;
    const frame = [this.at(x, 30.34), this.at(x, 30.34, 2.44), this.at(x, 37.66, 2.44), this.at(x, 37.66)];
    const rear = [this.at(x + back, 30.34), this.at(x + back, 30.34, 1.6), this.at(x + back, 37.66, 1.6), this.at(x + back, 37.66)];
    this._quad([frame[1], frame[2], rear[2], rear[1]], "rgba(255,255,255,.16)");
    this._quad(rear, "rgba(255,255,255,.14)");
    this._quad([frame[2], frame[3], rear[3], rear[2]], "rgba(255,255,255,.14)");
    c.strokeStyle = "#ffffff";
    c.lineWidth = Math.max(1.5, this.unit * 0.16);
    c.beginPath();
    frame.forEach(([px, py], index) => (index ? c.lineTo(px, py) : c.moveTo(px, py)));
    c.stroke();
  }

  _shadow(x, y, unit, size) {
    const { context: c } = this;
    c.fillStyle = "rgba(0,20,0,.3)";
    c.beginPath();
    c.ellipse(x + unit * 0.25 * size, y, unit * 0.55 * size, unit * 0.2 * size, 0, 0, 7);
    c.fill();
  }

  _player(player, hasBall) {
    const { context: c } = this;
    const [x, y, unit] = this.at(player.x, player.y);
    if (x < -50 || x > this.w + 50) return;
    const kit = KITS[player.side];
    const swing = Math.sin(player.stride * 3) * unit * 0.28 * Math.min(1, Math.hypot(player.vx, player.vy) / 3);
    this._shadow(x, y, unit, 1);
    if (hasBall) {
      c.strokeStyle = "rgba(255,255,255,.75)";
      c.lineWidth = Math.max(1, unit * 0.09);
      c.beginPath();
      c.ellipse(x, y, unit * 0.8, unit * 0.32, 0, 0, 7);
      c.stroke();
    }
    c.lineCap = "round";
    c.lineWidth = unit * 0.26;
    for (const sign of [1, -1]) {
      c.strokeStyle = sign > 0 ? SKIN[player.number % SKIN.length] : kit.shorts;
      c.beginPath();
      c.moveTo(x + sign * unit * 0.12, y - unit * 0.8);
      c.lineTo(x + sign * swing, y - unit * 0.06);
      c.stroke();
    }
    c.fillStyle = kit.shorts;
    c.fillRect(x - unit * 0.3, y - unit * 1.02, unit * 0.6, unit * 0.36);
    c.fillStyle = player.number === 1 ? KEEPERS[player.side] : kit.shirt;
    c.beginPath();
    c.roundRect(x - unit * 0.36, y - unit * 1.72, unit * 0.72, unit * 0.84, unit * 0.2);
    c.fill();
    if (unit > 12) {
      c.fillStyle = player.number === 1 ? "#10151f" : kit.ink;
      c.font = `700 ${unit * 0.5}px system-ui, sans-serif`;
      c.textAlign = "center";
      c.textBaseline = "middle";
      c.fillText(String(player.number), x, y - unit * 1.3);
    }
    c.fillStyle = SKIN[(player.number * 3 + player.side) % SKIN.length];
    c.beginPath();
    c.arc(x, y - unit * 1.98, unit * 0.27, 0, 7);
    c.fill();
  }

  _ball(ball) {
    const { context: c } = this;
    const [x, ground, unit] = this.at(ball.x, ball.y);
    this._shadow(x, ground, unit, 0.45);
    c.fillStyle = "#ffffff";
    c.strokeStyle = "rgba(0,0,0,.45)";
    c.lineWidth = 1;
    c.beginPath();
    c.arc(x, ground - ball.z * unit - unit * 0.2, Math.max(2.5, unit * 0.21), 0, 7);
    c.fill();
    c.stroke();
  }

  _light() {
    const { context: c } = this;
    const shade = c.createRadialGradient(this.w / 2, this.h * 0.6, this.h * 0.3, this.w / 2, this.h * 0.6, this.w * 0.75);
    shade.addColorStop(0, "rgba(255,255,230,.05)");
    shade.addColorStop(1, "rgba(0,8,20,.42)");
    c.fillStyle = shade;
    c.fillRect(0, 0, this.w, this.h);
  }
}

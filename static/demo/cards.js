// The cards over the picture: each has an element, knows its setting, and redraws from settings and match.
import { h, icon } from "./elements.js";

export const ICONS = { games: "bolt", statistics: "activity", public_chat: "message", messaging: "mail", watch_party: "users", social_feed: "world", highlights: "player-play", betting: "chart-line" };
const QUESTIONS = ["next", "shot", "corner"];
const LEADERS = { global: [["Noor", 2140], ["Mateus", 1985], ["Ines", 1860]], friends: [["Ana", 640], ["You", 0], ["Theo", 310]] };
const SIMPLE = {
  messaging: () => [["Ana", "Are you seeing this?"], ["Theo", "That was never offside."]],
  social_feed: () => [["@thestand", "What a save. What a save."], ["@groundhopper", "Floodlights, rain, 1–1. Perfect."]],
  highlights: () => [["23′", "Header from the corner, 1–0"], ["41′", "Equaliser at the far post, 1–1"]],
  betting: (match) => [["1", odds(match.score[1] - match.score[0])], ["X", odds(Math.abs(match.score[0] - match.score[1]) + 0.2)], ["2", odds(match.score[0] - match.score[1])]],
};
const odds = (behind) => (2.4 + behind * 0.9 > 1.05 ? 2.4 + behind * 0.9 : 1.05).toFixed(2);

class Card {
  constructor(name, app) {
    this.name = name;
    this.app = app;
    this.title = h("h2");
    this.body = h("div", { class: "card-body" });
    this.closing = h("button", { class: "card-close", type: "button", onclick: () => this.close() }, icon("x"));
    this.element = h("section", { class: "card", "data-card": name }, h("header", { class: "card-head" }, icon(ICONS[name]), this.title, this.closing), this.body);
    this.isClosed = false;
  }

  get key() {
    return `overlays.${this.name}.enabled`;
  }

  get isWanted() {
    return this.app.get(this.key, false) === true && !this.isClosed;
  }

  close() {
    this.isClosed = true;
    this.app.gantry.track("overlay_closed", { overlay: this.name });
    this.app.arrange();
  }

  update() {
    this.title.textContent = this.app.words[this.name];
    this.closing.setAttribute("aria-label", `${this.app.words.close}: ${this.app.words[this.name]}`);
    this.closing.hidden = !(this.app.get("ui.overlay.always_show_close", false) || this.app.get("ui.overlay.expandable", true));
    this.fill();
  }

  fill() {}
  tick() {}
}

export class Games extends Card {
  constructor(app) {
    super("games", app);
    this.points = 0;
    this.turn = -1;
    this.ask();
  }

  ask() {
    this.turn += 1;
    this.question = QUESTIONS[this.turn % QUESTIONS.length];
    this.picked = null;
    this.left = this.app.get("interactive.question_auto_hide_s", 15);
    this.rest = 0;
  }

  tick(dt) {
    if (this.rest > 0) {
      if ((this.rest -= dt) <= 0) this.ask(), this.fill();
      return;
    }
    this.left -= dt;
    this.timer?.style.setProperty("--share", Math.max(0, this.left / this.app.get("interactive.question_auto_hide_s", 15)));
    if (this.left <= 0) this.settle();
  }

  settle() {
    this.rest = 4;
    if (this.picked !== null && Math.random() < 0.5) this.points += this.app.get("games.prediction_max_points", 200);
    this.fill();
  }

  pick(index, label) {
    this.picked = index;
    this.app.gantry.track("card_answered", { card: this.question, answer: label });
    this.fill();
  }

  fill() {
    const { words, get } = this.app;
    const choices = this.question === "next" ? [...this.app.teams, words.nobody] : [words.yes, words.no];
    this.timer = h("div", { class: "card-timer" });
    const kind = get("games.leaderboard.kind", "global");
    const leaders = LEADERS[kind].map(([who, score]) => [who, who === "You" ? this.points : score]);
    const scored = get("games.scoring_enabled", true);
    const worth = scored ? `+${get("games.prediction_max_points", 200)} ${words.points}` : "";
    this.body.replaceChildren(
      h("p", { class: "question" }, words[this.question], h("small", {}, worth)),
      h("div", { class: "choices" }, choices.map((label, index) => h("button", { class: "choice", type: "button", "aria-pressed": String(this.picked === index), disabled: this.rest > 0, onclick: () => this.pick(index, label) }, label))),
      this.rest > 0 ? h("p", { class: "card-note" }, this.picked === null ? "–" : `${words.pick}: ${choices[this.picked]}`) : this.timer,
      scored && h("ol", { class: "leaders", "aria-label": words.board }, h("li", { class: "leaders-title" }, `${words.board} · ${kind === "friends" ? words.friends : words.world}`), leaders.map(([who, score]) => h("li", {}, h("span", {}, who), h("b", {}, String(score))))),
    );
  }
}

export class Statistics extends Card {
  constructor(app) {
    super("statistics", app);
    this.wait = 0;
  }

  tick(dt) {
    if ((this.wait -= dt) > 0) return;
    this.wait = 1;
    this.fill();
  }

  fill() {
    const { words, match } = this.app;
    const { shots, passes, done, corners } = match.stats;
    const share = (side) => Math.round((100 * done[side]) / passes[side]);
    const rows = [[words.possession, match.possession, 100 - match.possession, "%"], [words.shots, ...shots, ""], [words.passes, share(0), share(1), "%"], [words.corners, ...corners, ""]];
    this.body.replaceChildren(h("dl", { class: "versus" }, rows.map(([label, home, away, unit]) => h("div", { class: "versus-row", vars: { home: String(home || 0.01), away: String(away || 0.01) } }, h("dt", {}, label), h("dd", {}, `${home}${unit}`), h("dd", { class: "versus-bar", "aria-hidden": "true" }, h("i"), h("i")), h("dd", {}, `${away}${unit}`)))));
  }
}

export class WatchParty extends Card {
  constructor(app) {
    super("watch_party", app);
  }

  fill() {
    this.body.replaceChildren(h("div", { class: "party" }, ["Ana", "Theo", "Mia"].map((who) => h("span", { class: "face", title: who }, who[0]))), this.app.get("presence.who_is_watching_enabled", true) && h("p", { class: "card-note" }, `3 ${this.app.words.watching}`));
  }
}

export class Simple extends Card {
  constructor(name, app) {
    super(name, app);
  }

  fill() {
    this.body.replaceChildren(h("ul", { class: "lines" }, SIMPLE[this.name](this.app.match).map(([who, what]) => h("li", {}, h("b", {}, who), ` ${what}`))));
  }
}

export class Chat extends Card {
  constructor(app) {
    super("public_chat", app);
    this.list = h("ol", { class: "chat-lines", tabindex: "0", "aria-label": "Chat" });
    this.input = h("input", { type: "text", autocomplete: "off" });
    this.button = h("button", { type: "submit" }, icon("arrow-up"));
    this.hint = h("p", { class: "card-note", role: "status" });
    this.form = h("form", { class: "chat-form", onsubmit: (event) => this.send(event) }, this.input, this.button);
    this.body.append(this.list, this.form, this.hint);
    this.wait = 1;
    this.slowUntil = 0;
  }

  fill() {
    const { get, words } = this.app;
    const most = get("chat.max_message_length", 300);
    this.input.maxLength = most;
    this.input.setAttribute("aria-label", words.say);
    this.input.placeholder = get("chat.emote_only", false) ? "😀 👏 ⚽" : words.say;
    this.button.setAttribute("aria-label", words.send);
    const locked = get("chat.subscribers_only", false) || get("chat.provider", "builtin") === "none";
    this.input.disabled = this.button.disabled = locked;
    const modes = [locked && "Subscribers only", get("chat.emote_only", false) && "Emotes only", get("chat.slow_mode_s", 0) && `Slow: one in ${get("chat.slow_mode_s", 0)} s`, !get("chat.links_allowed", false) && "No links", `≤ ${most}`];
    this.hint.textContent = modes.filter(Boolean).join(" · ");
    this.element.toggleAttribute("data-reactions", get("chat.reactions_enabled", true));
  }

  tick(dt) {
    if ((this.wait -= dt) > 0) return;
    this.wait = 2 + Math.random() * 4;
    const emotes = ["⚽", "👏👏", "🔥", "😱", "🙌", "💛💙"];
    const lines = ["Come on!!", "Great press there", "Keeper is having a night", "Ref, please", "Who is number 10?", "That pass…", "Corner routine again?", "Hello from Porto", "Two up top now", "Sit deeper!"];
    const from = this.app.get("chat.emote_only", false) ? emotes : [...lines, ...emotes];
    const who = ["noor_k", "mateus", "ines.p", "goalie1", "tomasz", "yuki"][Math.floor(Math.random() * 6)];
    this.add(who, from[Math.floor(Math.random() * from.length)]);
  }

  add(who, text, mine = false) {
    const nearEnd = this.list.scrollTop + this.list.clientHeight > this.list.scrollHeight - 30;
    this.list.append(h("li", { class: mine ? "mine" : null }, h("b", {}, who), " ", text, h("span", { class: "reaction", "aria-hidden": "true" }, Math.random() < 0.3 ? `👏 ${1 + Math.floor(Math.random() * 9)}` : "")));
    while (this.list.children.length > 40) this.list.firstElementChild.remove();
    if (nearEnd || mine) this.list.scrollTop = this.list.scrollHeight;
  }

  send(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    const { get } = this.app;
    const wait = Math.ceil((this.slowUntil - performance.now()) / 1000);
    if (!text) return;
    if (wait > 0) return void (this.hint.textContent = `Slow mode: wait ${wait} s`);
    if (!get("chat.links_allowed", false) && /https?:|www\./i.test(text)) return void (this.hint.textContent = "Links are not allowed");
    if (get("chat.emote_only", false) && /[\p{L}\p{N}]/u.test(text)) return void (this.hint.textContent = "Emotes only");
    this.slowUntil = performance.now() + get("chat.slow_mode_s", 0) * 1000;
    this.app.gantry.track("chat_sent", { length: text.length });
    this.add("you", text, true);
    this.input.value = "";
    this.fill();
  }
}

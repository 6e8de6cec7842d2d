// The mock customer app: puts cards and promotions where the settings say and restyles them at once.
import { Chat, Games, ICONS, Simple, Statistics, WatchParty } from "./cards.js";
import { h, icon, inkOn, isColor } from "./elements.js";
import { Promotions } from "./promotions.js";
import { wordsOf } from "./words.js";

const NAMES = ["games", "statistics", "public_chat", "watch_party", "messaging", "social_feed", "highlights", "betting"];
const IN_FOOT = new Set(["games", "statistics", "highlights", "betting"]);
const COLORS = { primary: "branding.primary_color", secondary: "branding.secondary_color", accent: "branding.accent_color" };

export class App {
  constructor(root, gantry, match, pitch) {
    Object.assign(this, { root, gantry, match, pitch });
    this.stage = root.querySelector("[data-stage]");
    this.zones = Object.fromEntries(["side", "foot", "lower", "launcher", "note", "score"].map((name) => [name, root.querySelector(`[data-${name}]`)]));
    this.get = (key, otherwise) => gantry.get(key, otherwise);
    this.teams = teamsOf(root.dataset.title);
    this.words = wordsOf("en");
    this.isMenuOpen = true;
    this.cards = [new Games(this), new Statistics(this), new Chat(this), new WatchParty(this), ...["messaging", "social_feed", "highlights", "betting"].map((name) => new Simple(name, this))];
    this.promotions = new Promotions(this);
    this.shownScore = "";
    match.addEventListener("goal", ({ detail }) => this.note(`${this.words.goal} ${this.teams[detail.side]}`));
  }

  get layout() {
    return this.get("sdk.kill_switch", false) ? "off" : this.get("ui.layout.mode", "overlay");
  }

  /** Applies the settings in force; `changed` are the keys that moved, to point at them. */
  apply(changed = []) {
    this.words = wordsOf(this.get("ui.language", "en"));
    this.stage.lang = this.get("ui.language", "en");
    this.stage.dataset.layout = this.layout;
    this.stage.dataset.lbar = this.get("ui.layout.lbar_mode", "full");
    this.stage.dataset.theme = this.get("ui.theme_mode", "auto");
    this.stage.dataset.fonts = this.get("ui.accessibility.system_fonts", false) ? "system" : "brand";
    this._paint();
    for (const card of this.cards) card.update();
    this.promotions.update();
    this.arrange();
    for (const key of changed) this._point(key);
  }

  _paint() {
    for (const [name, key] of Object.entries(COLORS)) {
      const color = this.get(key);
      if (!isColor(color)) continue;
      this.stage.style.setProperty(`--${name}`, color);
      this.stage.style.setProperty(`--on-${name}`, inkOn(color));
    }
    const [ground, second] = [this.get(COLORS.primary), this.get(COLORS.secondary)].map((color, index) => (isColor(color) ? color : ["#1e6fff", "#0b1f3a"][index]));
    this.pitch.boards = { text: this.root.dataset.organization, ground, ink: inkOn(ground), second, secondInk: inkOn(second) };
  }

  /** Puts every card into its zone, in the order of overlays.menu_order. */
  arrange() {
    const order = this.get("overlays.menu_order", []);
    const rank = (card) => (order.indexOf(card.name) + 1 || NAMES.indexOf(card.name) + 20);
    const sorted = [...this.cards].sort((a, b) => rank(a) - rank(b));
    const killed = this.layout === "off";
    const open = this.isMenuOpen || this.get("ui.menu.always_open", false);
    for (const card of sorted) {
      const zone = this.layout === "l-bar" && IN_FOOT.has(card.name) ? this.zones.foot : this.zones.side;
      if (card.element.parentNode !== zone) zone.append(card.element);
      const off = killed || !open || !card.isWanted;
      if (card.element.hasAttribute("data-off") && !off) this.gantry.track("overlay_shown", { overlay: card.name });
      card.element.toggleAttribute("data-off", off);
      card.element.inert = off;
    }
    this._sort(this.zones.side, sorted);
    this._sort(this.zones.foot, sorted);
    const promoZone = this.layout === "overlay" ? this.zones.lower : this.layout === "l-bar" ? this.zones.foot : this.zones.side;
    if (this.promotions.element.parentNode !== promoZone) promoZone.append(this.promotions.element);
    this._launcher(sorted, killed);
  }

  _sort(zone, sorted) {
    const wanted = sorted.filter((card) => card.element.parentNode === zone).map((card) => card.element);
    const present = [...zone.querySelectorAll(":scope > .card")];
    if (wanted.some((element, index) => element !== present[index])) zone.prepend(...wanted);
  }

  _launcher(sorted, killed) {
    const { launcher } = this.zones;
    const shown = !killed && this.get("ui.menu.launch_button_enabled", true);
    launcher.toggleAttribute("data-off", !shown);
    launcher.inert = !shown;
    const own = this.get("branding.button_icon_url", "");
    const menu = h("button", { class: "launch", type: "button", "aria-expanded": String(this.isMenuOpen), "aria-label": this.words.open, onclick: () => this._toggleMenu() }, own ? h("img", { src: own, alt: "" }) : icon("menu-2"));
    const enabled = sorted.filter((card) => this.get(card.key, false) === true);
    const items = enabled.map((card) => h("button", { class: "launch-item", type: "button", "aria-pressed": String(!card.isClosed), "aria-label": this.words[card.name], title: this.get("ui.tooltips_enabled", true) ? this.words[card.name] : null, onclick: () => this._toggle(card) }, icon(ICONS[card.name])));
    const hadFocus = launcher.contains(document.activeElement) ? [...launcher.children].indexOf(document.activeElement) : -1;
    launcher.replaceChildren(menu, ...(this.isMenuOpen ? items : []), ...(this.get("ui.onboarding_enabled", true) && !this.hasPlayed ? [h("span", { class: "welcome" }, this.words.welcome)] : []));
    launcher.children[hadFocus]?.focus();
  }

  _toggleMenu() {
    this.hasPlayed = true;
    this.isMenuOpen = !this.isMenuOpen;
    this.arrange();
  }

  _toggle(card) {
    this.hasPlayed = true;
    card.isClosed = !card.isClosed;
    card.update();
    this.arrange();
  }

  /** Draws the eye to what a changed setting moved. */
  _point(key) {
    const [family, name] = key.split(".");
    const card = { overlays: name, games: "games", interactive: "games", chat: "public_chat", presence: "watch_party" }[family];
    const target = card ? this.cards.find((one) => one.name === card)?.element : family === "promotions" ? this.promotions.element : this.stage;
    for (const animation of target?.getAnimations() ?? []) if (animation.id === "point") animation.cancel();
    target?.animate([{ outline: "3px solid var(--accent)" }, { outline: "3px solid transparent" }], { duration: 1400, easing: "ease-out", id: "point" });
  }

  note(text) {
    this.zones.note.textContent = text;
    clearTimeout(this.noteTimer);
    this.noteTimer = setTimeout(() => (this.zones.note.textContent = ""), 3500);
  }

  tick(dt) {
    for (const card of this.cards) if (!card.element.hasAttribute("data-off")) card.tick(dt);
    this.promotions.tick(dt);
    const { clockS, score } = this.match;
    const text = `${this.teams[0]} ${score[0]}–${score[1]} ${this.teams[1]}  ${String(Math.floor(clockS / 60)).padStart(2, "0")}:${String(Math.floor(clockS % 60)).padStart(2, "0")}`;
    if (text !== this.shownScore) this.zones.score.textContent = this.shownScore = text;
  }
}

/** "Harbour City – Northgate United" names two teams; any other title plays Home against Away. */
function teamsOf(title) {
  const parts = title.split(/\s+(?:–|-|v|vs\.?)\s+/i).map((part) => part.split(/[,:(]/)[0].trim());
  return parts.length === 2 && parts.every(Boolean) ? parts : ["Home", "Away"];
}

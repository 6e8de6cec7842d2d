// Made-up promotions: which kinds may appear, where, how they announce themselves and when they close.
import { h, icon, inkOn } from "./elements.js";

const ADS = [
  { brand: "Fjord & Fell", line: "Coats for the cold end of the stand", color: "#12496b" },
  { brand: "Kettle Eleven", line: "Half-time tea, full-time flavour", color: "#8a4b08" },
  { brand: "Brightway", line: "Home before the traffic", color: "#2b6a3f" },
  { brand: "Orbit Mobile", line: "All the goals, half the data", color: "#5a2a82" },
];
const SHAPES = { iab61: "strip", iab21_overlay: "wide", iab11_overlay: "square", iab21_lbar: "wide", iab11_lbar: "square", external_ad: "wide", video_side_by_side: "wide", picture_in_picture: "square", shop_lbar: "square", shop_overlay: "square", shop_sidebar: "square" };

export class Promotions {
  constructor(app) {
    this.app = app;
    this.element = h("aside", { class: "promo", "data-off": true });
    this.wait = 3;
    this.turn = 0;
  }

  /** The kinds that fit the layout in force. */
  kinds() {
    const layout = this.app.layout;
    return this.app.get("promotions.allowed_types", []).filter((kind) => (kind.endsWith("_lbar") ? layout === "l-bar" : kind.endsWith("_sidebar") ? layout === "side-panel" : true));
  }

  get isWanted() {
    return this.app.get("promotions.enabled", false) === true && this.kinds().length > 0 && this.app.layout !== "off";
  }

  update() {
    if (!this.isWanted) return this.hide();
    if (this.kind && !this.kinds().includes(this.kind)) this.hide();
    else if (this.kind) this.left = Math.min(this.left, this.total());
    if (!this.kind) this.wait = Math.min(this.wait, 0.6);
    this.element.dataset.mode = this.app.get("promotions.notification_mode", "classic");
  }

  total() {
    return this.app.get("promotions.close_timer.seconds", 20);
  }

  tick(dt) {
    if (!this.isWanted) return;
    if (!this.kind) return void ((this.wait -= dt) <= 0 && this.show());
    if (!this.app.get("promotions.close_timer.auto", true)) return void this.clock.style.setProperty("--share", 1);
    this.left -= dt;
    this.clock.style.setProperty("--share", Math.max(0, this.left / this.total()));
    if (this.left <= 0) this.hide();
  }

  show() {
    const kinds = this.kinds();
    this.kind = kinds[this.turn % kinds.length];
    const ad = ADS[this.turn % ADS.length];
    this.turn += 1;
    this.left = this.total();
    this.clock = h("i", { class: "promo-clock" });
    const { words } = this.app;
    this.element.dataset.shape = SHAPES[this.kind] ?? "wide";
    this.element.dataset.mode = this.app.get("promotions.notification_mode", "classic");
    this.element.setAttribute("aria-label", `${words.sponsored}: ${ad.brand}`);
    this.element.style.setProperty("--ad", ad.color);
    this.element.style.setProperty("--ad-ink", inkOn(ad.color));
    this.element.replaceChildren(
      h("div", { class: "promo-art", "aria-hidden": "true" }, ad.brand.split(" ").map((word) => word[0]).join("")),
      h("div", { class: "promo-text" }, h("small", {}, `${words.sponsored} · ${this.kind.replaceAll("_", " ")}`), h("b", {}, ad.brand), h("span", {}, ad.line)),
      h("button", { class: "promo-more", type: "button", onclick: () => this.app.gantry.track("promotion_clicked", { kind: this.kind, brand: ad.brand }) }, words.more),
      h("button", { class: "card-close", type: "button", "aria-label": `${words.close}: ${ad.brand}`, onclick: () => this.hide() }, icon("x")),
      this.clock,
    );
    this.element.toggleAttribute("data-off", false);
    this.app.gantry.track("promotion_shown", { kind: this.kind, brand: ad.brand });
  }

  hide() {
    this.kind = null;
    this.wait = 7;
    this.element.toggleAttribute("data-off", true);
  }
}

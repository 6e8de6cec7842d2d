// Shows what the SDK holds and does: version, last change, latency, signature, connection, frames.
import { h, icon } from "./elements.js";

const FRAMES = 60, SAMPLES = 20, CHANGES = 4;
const STATES = { live: ["positive", "Live"], connecting: ["caution", "Connecting"], refused: ["negative", "Refused"], stopped: ["", "Stopped"] };
const shown = (value) => (value === undefined ? "not set" : value === true ? "On" : value === false ? "Off" : typeof value === "string" ? value || "(empty)" : JSON.stringify(value));
const fact = (label) => {
  const value = h("dd");
  return { row: [h("dt", {}, label), value], set: (...parts) => value.replaceChildren(...parts) };
};

export class Inspector {
  constructor(root, gantry) {
    this.gantry = gantry;
    this.latencies = [];
    this.frames = [];
    this.held = {};
    const figure = (label) => {
      const value = h("dd", {}, "–"), note = h("dd", { class: "figure-note" });
      return { box: h("div", { class: "figure" }, h("dt", {}, label), value, note), value, note };
    };
    this.version = figure("Config version");
    this.latency = figure("Publish → applied");
    this.connection = fact("Connection");
    this.signature = fact("Signature");
    this.identity = fact("Identity");
    this.refusals = fact("Frames refused");
    this.changes = h("div", { class: "demo-changes", "aria-live": "polite" }, h("p", { class: "muted" }, "Change a setting and watch it arrive here."));
    this.log = h("ol", { class: "demo-frames", tabindex: "0", "aria-label": "Frames and calls, newest first" });
    this.search = h("input", { class: "form-control form-control-sm", type: "search", placeholder: "Find a setting", "aria-label": "Find a setting", oninput: () => this._settings() });
    this.settings = h("dl", { class: "demo-settings" });
    const facts = [this.connection, this.signature, this.identity, this.refusals].flatMap((one) => one.row);
    root.append(
      panel("Inspector", h("dl", { class: "figures demo-figures", "data-live": true }, this.version.box, this.latency.box), h("dl", { class: "facts panel-body" }, facts)),
      panel("Last changes", h("div", { class: "panel-body" }, this.changes)),
      panel("Frames", this.log),
      h("details", { class: "panel demo-held", ontoggle: () => this._settings() }, h("summary", { class: "panel-head" }, h("h2", {}, "Settings held")), h("div", { class: "panel-body stack stack-s" }, this.search, this.settings)),
    );
    this.state();
  }

  frame(row) {
    this.frames.unshift({ ...row, at: new Date() });
    this.frames.length = Math.min(this.frames.length, FRAMES);
    const { way, type, note, bytes, at } = this.frames[0];
    this.log.prepend(h("li", {}, h("time", {}, `${at.toLocaleTimeString([], { hour12: false })}.${String(at.getMilliseconds()).padStart(3, "0")}`), h("b", { class: `frame-${way}` }, `${way === "in" ? "←" : "→"} ${type}`), h("span", {}, note), h("span", { class: "num" }, bytes ? `${bytes.toLocaleString("en")} B` : "")));
    while (this.log.children.length > FRAMES) this.log.lastElementChild.remove();
  }

  signatureSeen({ kid, isGood, ms }) {
    this.signature.set(h("span", { class: `pill pill-${isGood ? "positive" : "negative"}` }, icon(isGood ? "shield-check" : "alert-circle"), isGood ? "Checked" : "Refused"), " Ed25519 ", h("code", { class: "nowrap" }, kid), h("span", { class: "muted small" }, ` in ${ms.toFixed(1)} ms`));
  }

  failed(reason, detail) {
    if (reason === "waiting") this.trouble = detail;
  }

  /** One change applied; returns [key, before, after] rows. */
  changed(change, source) {
    const rows = [...Object.entries(change.values).map(([key, value]) => [key, this.held[key], value]), ...change.removed.map((key) => [key, this.held[key], undefined])];
    const isFirst = Object.keys(this.held).length === 0;
    this.held = { ...this.gantry.snapshot.settings };
    this.version.value.textContent = String(change.version);
    this.version.note.textContent = source;
    if (!isFirst && source === "pushed") this._measure(Date.now() - Date.parse(change.published_at));
    if (!isFirst) this._changes(rows, change.version);
    this._settings();
    return isFirst ? [] : rows;
  }

  _measure(ms) {
    this.latencies = [Math.max(0, ms), ...this.latencies].slice(0, SAMPLES);
    const median = [...this.latencies].sort((a, b) => a - b)[Math.floor(this.latencies.length / 2)];
    this.latency.value.textContent = `${this.latencies[0]} ms`;
    this.latency.note.textContent = this.latencies.length > 1 ? `median ${median} ms of ${this.latencies.length}` : "by this machine's clock";
  }

  _changes(rows, version) {
    const list = rows.slice(0, 12).map(([key, before, after]) => h("li", {}, h("code", {}, key), h("span", { class: "demo-step" }, h("s", {}, shown(before)), " → ", h("b", {}, shown(after)))));
    if (!this.hasChanged) this.changes.replaceChildren();
    this.hasChanged = true;
    this.changes.prepend(h("div", {}, h("p", { class: "muted small" }, `Version ${version}${rows.length ? "" : ": the same values"}${rows.length > 12 ? `, ${rows.length} settings` : ""}`), h("ul", {}, list)));
    while (this.changes.children.length > CHANGES) this.changes.lastElementChild.remove();
  }

  _settings() {
    const wanted = this.search.value.toLowerCase();
    const rows = Object.entries(this.held).filter(([key]) => key.includes(wanted)).sort();
    this.settings.replaceChildren(...rows.flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, shown(value))]));
  }

  state() {
    const [kind, word] = STATES[this.gantry.status] ?? STATES.stopped;
    const text = `${word}|${this.gantry.stale}|${this.gantry.version}|${JSON.stringify(this.gantry.counters)}|${this.trouble}`;
    if (text === this.last) return;
    this.last = text;
    this.connection.set(h("span", { class: `pill pill-${kind}` }, h("span", { class: "dot" }), word), h("span", {}, this.gantry.stale ? " stale: the server cannot reach its own truth" : this.gantry.status === "live" ? " WebSocket" : ` ${this.trouble || "values stay as they are"}`));
    const { organization, stream, client } = this.gantry.snapshot ?? {};
    this.identity.set(organization ? `${organization} / ${stream} / ${client}` : "none yet");
    const refused = Object.entries(this.gantry.counters).filter(([reason]) => reason !== "waiting");
    this.refusals.set(refused.length ? refused.map(([reason, count]) => `${reason} ${count}`).join(", ") : "none");
  }
}

function panel(title, ...children) {
  return h("section", { class: "panel", "aria-label": title }, h("div", { class: "panel-head" }, h("h2", {}, title)), ...children);
}

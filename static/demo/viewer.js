// The demo viewer: starts the SDK, the match and the inspector, and lets changes through to the app.
import { GantryClient } from "../sdks/gantry.js";
import { App } from "./app.js";
import { h, icon, useSprite } from "./elements.js";
import { Inspector } from "./inspector.js";
import { Match } from "./match.js";
import { Pitch } from "./pitch.js";
import { watched } from "./wire.js";

const TRIES = [
  ["overlays.games.enabled", "Switch the games off and on", "bolt"],
  ["ui.layout.mode", "Move everything: l-bar, side-panel, off", "template"],
  ["branding.primary_color", "Repaint cards and boards", "photo"],
  ["chat.emote_only", "Let the chat speak in emotes", "message"],
  ["promotions.notification_mode", "Change how ads come in", "speakerphone"],
  ["ui.language", "Say it in de, es or fr", "world"],
];
const STEP_S = 1 / 60, MOST_S = 0.1;

const root = document.querySelector("[data-viewer]");
useSprite(root.dataset.icons);
let inspector;
const wire = watched({
  frame: (row) => inspector?.frame(row),
  signature: (seen) => inspector?.signatureSeen(seen),
});
const gantry = new GantryClient(location.origin, root.dataset.key, { stream: root.dataset.stream, device: { platform: root.dataset.platform }, ...wire });
inspector = new Inspector(root.querySelector("[data-inspector]"), gantry);
const match = new Match();
const pitch = new Pitch(root.querySelector("[data-pitch]"));
const app = new App(root, gantry, match, pitch);

gantry.onError((reason, detail) => inspector.failed(reason, detail));
gantry.onChange((change) => {
  const rows = inspector.changed(change, gantry.status === "live" ? "pushed" : "from the session");
  app.apply(rows.map(([key]) => key));
});

const { settings } = root.dataset;
const named = (key) => (settings ? h("a", { href: `${settings}${key}/`, target: "_blank", rel: "noopener" }, h("code", {}, key)) : h("code", {}, key));
root.querySelector("[data-tries]").append(...TRIES.map(([key, what, name]) => h("li", {}, icon(name), h("span", {}, what, named(key)))));

const pause = root.querySelector("[data-pause]");
let isPaused = matchMedia("(prefers-reduced-motion: reduce)").matches;
function showPause() {
  pause.setAttribute("aria-pressed", String(isPaused));
  pause.querySelector("span").textContent = isPaused ? "Run the match" : "Pause the match";
}
pause.addEventListener("click", () => {
  isPaused = !isPaused;
  showPause();
});
document.querySelector("[data-submit]").addEventListener("change", (event) => event.target.form.submit());

let last = performance.now();
function frame(now) {
  const dt = Math.min(MOST_S, (now - last) / 1000);
  last = now;
  if (!isPaused) {
    for (let left = dt; left > 0; left -= STEP_S) match.step(Math.min(left, STEP_S));
    app.tick(dt);
  }
  pitch.draw(match, isPaused ? 0 : dt);
  requestAnimationFrame(frame);
}

showPause();
for (let step = 0; step < 240; step += 1) match.step(STEP_S); // begin in the middle of play
await gantry.start();
if (gantry.snapshot) {
  inspector.changed({ version: gantry.version, published_at: gantry.snapshot.published_at, values: {}, removed: [] }, "from the cache");
}
app.apply();
app.tick(0);
setInterval(() => inspector.state(), 250);
requestAnimationFrame(frame);

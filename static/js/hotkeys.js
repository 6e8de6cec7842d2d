// One key or two in a row click or focus the first visible element that names them: data-hotkey="g s".
// Off inside fields and, but for the keys named in the dialog itself, while a dialog is open.
const CHAIN_MS = 1200;
let chain = { keys: "", at: 0 };

const typing = (node) => node.closest?.("input, textarea, select, [contenteditable=true]");
const visible = (node) => node.checkVisibility?.() ?? true;

function target(keys) {
  const scope = document.querySelector("dialog[open]") ?? document;
  const named = scope.querySelectorAll("[data-hotkey]");
  return [...named].find((node) => node.dataset.hotkey.split(",").includes(keys) && (node.dataset.hotkeyHidden !== undefined || visible(node)));
}

function act(node) {
  if (!node.matches("input, textarea, select")) return node.click();
  node.focus();
  node.select?.();
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    const palette = document.querySelector("[data-hotkey~='mod+k']");
    if (!palette || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    return palette.click();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
  const now = Date.now();
  const joined = now - chain.at < CHAIN_MS && chain.keys ? `${chain.keys} ${event.key}` : event.key;
  const found = target(joined) ?? target(event.key);
  chain = { keys: found ? "" : event.key, at: now };
  if (!found) return;
  event.preventDefault();
  act(found);
});

// Arrows walk through the results of the palette.
document.addEventListener("keydown", (event) => {
  const palette = event.target.closest?.("[data-palette]");
  if (!palette || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const stops = [palette.querySelector("input"), ...palette.querySelectorAll("[data-palette-results] a")];
  const step = event.key === "ArrowDown" ? 1 : -1;
  event.preventDefault();
  stops[(stops.indexOf(document.activeElement) + step + stops.length) % stops.length].focus();
});
document.addEventListener("submit", (event) => {
  const palette = event.target.closest("[data-palette]");
  const first = palette?.querySelector("[data-palette-results] a");
  if (!palette) return;
  event.preventDefault();
  first?.click();
});

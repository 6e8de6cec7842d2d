// Rows chosen with data-select inside data-selection: the box data-select-all, the count, and the bar
// that is only there while something is chosen. Shift chooses a range.
let last;

function refresh(area) {
  const boxes = [...area.querySelectorAll("input[data-select]")];
  const chosen = boxes.filter((box) => box.checked).length;
  const all = area.querySelector("input[data-select-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
  const bar = area.querySelector("[data-bulk]");
  if (!bar) return;
  bar.hidden = chosen === 0;
  bar.querySelector("[data-bulk-count]").textContent = `${chosen} selected`;
}

document.addEventListener("click", (event) => {
  const box = event.target;
  const area = box.closest?.("[data-selection]");
  if (!area) return;
  const boxes = [...area.querySelectorAll("input[data-select]")];
  if (box.matches("input[data-select-all]")) boxes.forEach((one) => (one.checked = box.checked));
  if (box.closest("[data-bulk-clear]")) boxes.forEach((one) => (one.checked = false));
  if (box.matches("input[data-select]")) {
    if (event.shiftKey && last && boxes.includes(last)) {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((one) => (one.checked = box.checked));
    }
    last = box;
  }
  refresh(area);
});
document.addEventListener("htmx:afterSettle", () => document.querySelectorAll("[data-selection]").forEach(refresh));

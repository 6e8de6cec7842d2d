// Opens and closes native dialogs. data-dialog-open="<id>" opens one, data-dialog-close closes the
// nearest, a click on the backdrop closes all but reviews. A fragment swapped into #modal opens it; an
// empty one closes it. data-typed-name keeps the submit button off until the name is typed.
const opener = new WeakMap();

function open(dialog) {
  if (dialog.open) return;
  opener.set(dialog, document.activeElement);
  dialog.showModal();
  const first = dialog.querySelector("[autofocus], [aria-invalid=true]");
  if (first) first.focus();
  dialog.dispatchEvent(new CustomEvent("gantry:opened", { bubbles: true }));
}

document.addEventListener("click", (event) => {
  const opens = event.target.closest("[data-dialog-open]");
  if (opens) {
    event.preventDefault(); // a link works as a plain page without this script
    document.getElementById(opens.dataset.dialogOpen)?.showModal && open(document.getElementById(opens.dataset.dialogOpen));
  }
  if (event.target.closest("[data-dialog-close]")) event.target.closest("dialog")?.close();
  if (event.target.matches?.("dialog:not([data-keep-open])") && !event.target.querySelector("[data-unsaved].is-changed")) {
    const box = event.target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
});

document.addEventListener(
  "close",
  (event) => {
    const before = opener.get(event.target);
    if (before?.isConnected) before.focus({ preventScroll: true });
    if (event.target.id === "modal") event.target.replaceChildren();
  },
  true, // close does not bubble
);

document.addEventListener("input", (event) => {
  const expected = event.target.dataset?.typedName;
  if (expected === undefined) return;
  const button = event.target.form.querySelector("[type=submit]");
  button.disabled = event.target.value.trim() !== expected;
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id !== "modal") return; // a restored page has no target
  if (event.detail.target.childElementCount) open(event.detail.target);
  else event.detail.target.close();
});
document.addEventListener("gantry:close-dialog", () => document.querySelector("dialog[open]")?.close());
export { open };

// Warns before leaving a form with changes (data-unsaved), moves focus to the first refused field,
// keeps a button from being pressed twice, and submits a form on change (data-autosubmit).
const CHANGED = "is-changed";
const dirty = () => document.querySelector(`form[data-unsaved].${CHANGED}`);

for (const name of ["input", "change"]) {
  document.addEventListener(name, (event) => event.target.closest?.("form[data-unsaved]")?.classList.add(CHANGED));
}
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-autosubmit]");
  if (form && !form.hasAttribute("hx-get") && !form.hasAttribute("hx-post")) form.requestSubmit();
});
for (const name of ["submit", "reset"]) {
  document.addEventListener(name, (event) => event.target.classList?.remove(CHANGED));
}
addEventListener("beforeunload", (event) => {
  if (dirty()) event.preventDefault();
});
document.addEventListener("cancel", (event) => {
  const form = event.target.querySelector?.(`form.${CHANGED}`);
  if (form && !confirm("Discard what you changed?")) event.preventDefault();
}, true);

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.matches("[method=dialog]")) return;
  const button = event.submitter;
  if (!button || event.target.hasAttribute("hx-get")) return;
  setTimeout(() => (button.disabled = true)); // after the browser has read the form
  setTimeout(() => (button.disabled = false), 4000);
});
function firstError(scope) {
  (scope.querySelector("[aria-invalid=true]:not(.pattern *)") ?? scope.querySelector("[data-error-summary]:not(.pattern *)"))?.focus();
}
document.addEventListener("htmx:afterSettle", (event) => event.detail.xhr?.status === 422 && firstError(event.detail.elt));
firstError(document);

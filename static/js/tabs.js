// A tablist whose tabs name their panels with aria-controls: arrows, Home and End move, focus selects.
// The choice is remembered for all tablists with the same data-tabs-key (such as a snippet's language).
const KEYS = { ArrowRight: 1, ArrowLeft: -1, Home: "first", End: "last" };
const tabsOf = (list) => [...list.querySelectorAll("[role=tab]")];

function select(tab) {
  for (const other of tabsOf(tab.closest("[role=tablist]"))) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

function remember(list, tab) {
  if (list.dataset.tabsKey) sessionStorage.setItem(`tabs:${list.dataset.tabsKey}`, tab.textContent.trim());
}

function restore() {
  for (const list of document.querySelectorAll("[role=tablist][data-tabs-key]")) {
    const name = sessionStorage.getItem(`tabs:${list.dataset.tabsKey}`);
    const tab = name && tabsOf(list).find((one) => one.textContent.trim() === name);
    if (tab) select(tab);
  }
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (!tab) return;
  select(tab);
  remember(tab.closest("[role=tablist]"), tab);
});
document.addEventListener("keydown", (event) => {
  const move = KEYS[event.key];
  if (!move || event.target.getAttribute?.("role") !== "tab") return;
  const tabs = tabsOf(event.target.closest("[role=tablist]"));
  const last = tabs.length - 1;
  const at = tabs.indexOf(event.target);
  const next = move === "first" ? 0 : move === "last" ? last : (at + move + tabs.length) % tabs.length;
  event.preventDefault();
  tabs[next].focus();
  tabs[next].click();
});
document.addEventListener("htmx:afterSettle", restore);
restore();

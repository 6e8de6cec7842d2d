// Says that the page is no longer fed (banner, numbers greyed with "as of …") until an answer comes,
// and puts the reason of a refused request into a banner, never into a toast.
const PROBE_MS = 5000;
const REASONS = {
  403: "You may not do that here. Your role may have changed: reload the page.",
  404: "That no longer exists. Reload the page.",
  413: "That is too large to send.",
  429: "Too many requests. Wait a moment and try again.",
};
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium", hourCycle: "h23" });
let seen = new Date();
let probe;

function lost() {
  if (document.body.dataset.connection === "lost") return;
  document.body.dataset.connection = "lost";
  const banner = document.querySelector("[data-connection-banner]");
  if (banner) banner.hidden = false;
  for (const node of document.querySelectorAll("[data-as-of]")) node.textContent = clock.format(seen);
  probe = setInterval(check, PROBE_MS);
}

function back() {
  seen = new Date();
  if (document.body.dataset.connection !== "lost") return;
  delete document.body.dataset.connection;
  clearInterval(probe);
  document.querySelector("[data-connection-banner]")?.setAttribute("hidden", "");
  document.body.dispatchEvent(new CustomEvent("gantry:reconnected")); // live parts reload on it
}

async function check() {
  const answer = await fetch("/livez", { cache: "no-store" }).catch(() => null);
  if (answer?.ok) back();
}

function refuse(text) {
  const banner = document.querySelector("[data-problem-banner]");
  if (!banner) return;
  banner.querySelector("[data-problem-text]").textContent = text;
  banner.hidden = false;
}

for (const name of ["htmx:sendError", "htmx:timeout", "htmx:wsClose", "htmx:wsError", "htmx:sseError"]) document.addEventListener(name, lost);
for (const name of ["htmx:wsOpen", "htmx:sseOpen", "htmx:afterOnLoad"]) document.addEventListener(name, back);
addEventListener("offline", lost);
addEventListener("online", check);
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  refuse(REASONS[status] ?? (status >= 500 ? "Gantry could not do that. Nothing was changed. Try again." : "That was refused. Reload the page."));
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-connection-retry]")) check();
  if (event.target.closest("[data-problem-close]")) event.target.closest("[data-problem-banner]").hidden = true;
});

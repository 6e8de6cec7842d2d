// Shows what the server asked for in HX-Trigger ("gantry:toast": {text, undo_url}) and lets toasts
// go after a while; pointing at one or focusing it keeps it. "gantry:announce" speaks without showing.
const STAYS_MS = 6000;
const region = () => document.querySelector("[data-toasts]");

function expire(toast) {
  const keep = () => clearTimeout(timer);
  const start = () => setTimeout(() => toast.remove(), STAYS_MS);
  let timer = start();
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, keep);
  for (const name of ["pointerleave", "focusout"]) {
    toast.addEventListener(name, () => {
      keep();
      timer = start();
    });
  }
}

function show({ text, undo_url: undo }) {
  const template = document.querySelector("#toast-template");
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.querySelector("[data-toast-text]").textContent = text;
  const form = toast.querySelector("form");
  if (undo) {
    form.setAttribute("action", undo);
    form.setAttribute("hx-post", undo);
  } else {
    form.remove();
  }
  region().replaceChildren(toast);
  htmx.process(toast);
  expire(toast);
}

function announce(text) {
  const line = document.querySelector("#announcer");
  line.textContent = "";
  requestAnimationFrame(() => (line.textContent = text));
}

document.addEventListener("gantry:toast", (event) => show(event.detail));
document.addEventListener("gantry:announce", (event) => announce(event.detail.value ?? event.detail.text));
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-toast-close]")) event.target.closest(".flash").remove();
});
// Hidden at once, removed with the answer: htmx finds no target from a form that left the page.
document.addEventListener("submit", (event) => event.target.closest(".flash")?.setAttribute("hidden", ""));
document.addEventListener("htmx:afterRequest", (event) => event.target.closest(".flash")?.remove());
for (const toast of document.querySelectorAll("[data-toasts] > .flash")) expire(toast);

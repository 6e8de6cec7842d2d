// data-copy="<text>" or data-copy-from="<id>" puts text on the clipboard and says so on the button.
const SAYS_MS = 1600;

async function write(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // plain http on another host has no clipboard
  area.value = text;
  area.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  await write(source ? source.textContent.trim() : button.dataset.copy);
  button.classList.add("is-copied");
  document.dispatchEvent(new CustomEvent("gantry:announce", { detail: { text: "Copied" } }));
  setTimeout(() => button.classList.remove("is-copied"), SAYS_MS);
});

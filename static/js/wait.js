// A page that waits asks for its own address again every data-wait milliseconds: while the answer is
// still 503 it takes over the new text and progress, otherwise it loads the page that is now there.
const MAX_MS = 15000;
const part = document.querySelector("[data-wait]");
let pause = Number(part?.dataset.wait);

async function again() {
  const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
  if (answer && answer.status !== 503) return location.reload();
  const fresh = answer && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-wait]");
  if (fresh) part.replaceChildren(...fresh.childNodes);
  pause = answer ? pause : Math.min(pause * 2, MAX_MS);
  setTimeout(again, pause);
}

if (part) setTimeout(again, pause);

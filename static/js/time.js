// Shows <time data-local="datetime|date|time|ago"> in the reader's zone with the zone on hover, and
// keeps durations running: data-since="<time>", data-until="<time>". Redraws once a second, only what changed.
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const STYLES = {
  datetime: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
  date: { day: "numeric", month: "short", year: "numeric" },
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
};
const language = document.documentElement.lang || "en-GB";
const format = Object.fromEntries(
  Object.entries(STYLES).map(([name, style]) => [name, new Intl.DateTimeFormat(language, { ...style, hourCycle: "h23" })]),
);
const withZone = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

function ago(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  const size = Math.abs(seconds);
  if (size < 45) return "just now";
  if (size < 45 * MINUTE) return relative.format(Math.round(seconds / MINUTE), "minute");
  if (size < 22 * HOUR) return relative.format(Math.round(seconds / HOUR), "hour");
  if (size < 30 * DAY) return relative.format(Math.round(seconds / DAY), "day");
  return format.date.format(at);
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / HOUR), Math.floor((whole % HOUR) / MINUTE), whole % MINUTE];
  if (h >= 48) return `${Math.floor(h / 24)} d ${h % 24} h`;
  const pad = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

const write = (node, text) => node.textContent !== text && (node.textContent = text);

function tick() {
  for (const node of document.querySelectorAll("time[data-local]")) {
    const at = new Date(node.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    if (!node.title) node.title = withZone.format(at);
    write(node, node.dataset.local === "ago" ? ago(at) : format[node.dataset.local].format(at));
  }
  for (const node of document.querySelectorAll("[data-since]")) write(node, clock((Date.now() - new Date(node.dataset.since)) / 1000));
  for (const node of document.querySelectorAll("[data-until]")) write(node, clock((new Date(node.dataset.until) - Date.now()) / 1000));
}

tick();
setInterval(() => document.hidden || tick(), 1000);
document.addEventListener("htmx:afterSettle", tick);
document.addEventListener("visibilitychange", tick);

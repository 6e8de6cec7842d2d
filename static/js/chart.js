// Draws [data-chart] with uPlot from the JSON block it names: {series: [{label, unit?}], data: [[unix seconds], [values], …]}.
// Colours are read from the tokens, so a change of theme redraws; a swap with new data redraws too.
const drawn = new Map();
const DAY_S = 86400;
const language = document.documentElement.lang;
const hour = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const marks = (_, splits, __, ___, step) => splits.map((at) => (step >= DAY_S ? day : hour).format(at * 1000));
const moment = (_, at) => (at == null ? "–" : `${day.format(at * 1000)}, ${hour.format(at * 1000)}`);

function colour(host, token) {
  const probe = host.querySelector("[data-chart-probe]");
  probe.style.color = `var(${token})`;
  return getComputedStyle(probe).color;
}

function axis(host, extra) {
  const line = { stroke: colour(host, "--line"), width: 1 };
  const font = `12px ${getComputedStyle(host).fontFamily}`;
  return { stroke: colour(host, "--ink-2"), font, grid: line, ticks: { show: false }, ...extra };
}

function options(host, series) {
  const bars = host.dataset.chart === "bars" ? uPlot.paths.bars({ size: [0.7, 24] }) : undefined;
  return {
    width: host.clientWidth,
    height: Number(host.dataset.chartHeight || 220),
    padding: [8, 8, 0, 0],
    cursor: { points: { size: 6 }, drag: { x: false, y: false }, sync: host.dataset.chartSync ? { key: host.dataset.chartSync } : undefined },
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, (high ?? 0) * 1.1)] } },
    axes: [axis(host, { space: 64, size: 30, grid: { show: false }, values: marks }), axis(host, { size: 48, space: 32 })],
    series: [{ label: "Time", value: moment }].concat(
      series.map((one, index) => {
        const stroke = colour(host, `--series-${(index % 6) + 1}`);
        const value = (_, v) => (v == null ? "–" : `${v.toLocaleString()}${one.unit ? ` ${one.unit}` : ""}`);
        return { label: one.label, stroke, fill: bars && stroke, width: 1.75, paths: bars, points: { show: false }, value };
      }),
    ),
  };
}

function draw(host) {
  const source = document.getElementById(host.dataset.chartFrom);
  if (!source || !host.clientWidth || !window.uPlot) return;
  const { series, data } = JSON.parse(source.textContent);
  drawn.get(host)?.destroy();
  drawn.set(host, new uPlot(options(host, series), data, host));
}

function drawAll() {
  for (const [host, plot] of drawn) if (!host.isConnected) drawn.delete(host), plot.destroy();
  document.querySelectorAll("[data-chart]").forEach(draw);
}

drawAll();
document.documentElement.addEventListener("gantry:theme", drawAll);
document.addEventListener("htmx:afterSettle", (event) => event.target.querySelector?.("[data-chart], script[data-chart-data]") && drawAll());
let wait;
addEventListener("resize", () => (clearTimeout(wait), (wait = setTimeout(drawAll, 150))));

// One JavaScript client, driven by JSON lines on stdin; each request gets one line of state back.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { GantryClient } from "../../sdks/js/gantry.js";

let gantry;

/** The one cache of a case is the one file of its folder. */
function fileStorage(folder) {
  const path = join(folder, "cache.json");
  return {
    getItem: () => { try { return readFileSync(path, "utf8"); } catch { return null; } },
    setItem: (_, value) => writeFileSync(path, value),
  };
}

const operations = {
  async start({ baseUrl, sdkKey, stream, cache, settings }) {
    const { defaults, local, automatic_events: automaticEvents = false, time_scale: timeScale = 1, random } = settings;
    const options = { stream, defaults, local, automaticEvents, timeScale, storage: fileStorage(cache) };
    gantry = new GantryClient(baseUrl, sdkKey, { ...options, random: random === undefined ? undefined : () => random });
    if (process.env.GANTRY_DEBUG) gantry.onError((reason, detail) => console.error(reason, detail));
    await gantry.start();
  },
  state() {},
  track({ kind, properties, times }) { for (let i = 0; i < times; i++) gantry.track(kind, properties ?? {}); },
  async stop() { await gantry.stop(); },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  await operations[request.op](request);
  const { version, status, stale, counters, snapshot } = gantry;
  console.log(JSON.stringify({ version, status, stale, counters, settings: snapshot?.settings ?? {} }));
  if (request.op === "stop") process.exit(0);
}

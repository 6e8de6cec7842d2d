// JavaScript clients driven by JSON lines on stdin; each request gets one line of state back.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { GantryClient } from "../../sdks/js/gantry.js";

const clients = new Map();

/** The one cache of a case is the one file of its folder. */
function fileStorage(folder) {
  const path = join(folder, "cache.json");
  return {
    getItem: () => { try { return readFileSync(path, "utf8"); } catch { return null; } },
    setItem: (_, value) => writeFileSync(path, value),
  };
}

const operations = {
  async start({ client, baseUrl, sdkKey, stream, cache, settings }) {
    const { defaults, local, automatic_events: automaticEvents = false, time_scale: timeScale = 1, random } = settings;
    const options = { stream, defaults, local, automaticEvents, timeScale, storage: fileStorage(cache) };
    const gantry = new GantryClient(baseUrl, sdkKey, { ...options, random: random === undefined ? undefined : () => random });
    if (process.env.GANTRY_DEBUG) gantry.onError((reason, detail) => console.error(reason, detail));
    clients.set(client, gantry);
    await gantry.start();
  },
  state() {},
  track({ client, kind, properties, times }) {
    for (let i = 0; i < times; i++) clients.get(client).track(kind, properties ?? {});
  },
  stop({ client }) { return clients.get(client).stop(); },
};

async function answer(request) {
  await operations[request.op](request);
  const { version, status, stale, counters, snapshot } = clients.get(request.client);
  console.log(JSON.stringify({ number: request.number, version, status, stale, counters, settings: snapshot?.settings ?? {} }));
}

for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line));

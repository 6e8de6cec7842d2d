// @ts-check
/**
 * The Gantry SDK for browsers and Node: signed configuration of a live stream, kept current.
 * It follows docs/sdk-protocol.md; section numbers below are that page's. No dependencies, no build step.
 *
 *     const gantry = new GantryClient(baseUrl, sdkKey, { stream: "derby-2026" });
 *     gantry.onChange(({ values }) => redraw(values));
 *     await gantry.start();
 */

/** @typedef {null | boolean | number | string | JsonArray | JsonObject} Json */
/** @typedef {Array<Json>} JsonArray */
/** @typedef {{[key: string]: Json}} JsonObject */
/** @typedef {{organization: string, stream: string, client: string, version: number, published_at: string, settings: JsonObject}} Snapshot */
/** @typedef {{version: number, published_at: string, values: JsonObject, removed: string[]}} Change */
/** @typedef {(key: JsonObject, signature: Uint8Array, signed: Uint8Array) => Promise<boolean>} Verify */
/** @typedef {{getItem(key: string): string | null | Promise<string | null>, setItem(key: string, value: string): void | Promise<void>}} Storage */
/**
 * @typedef {object} Options
 * @property {string} stream
 * @property {JsonObject} [defaults] used until a configuration is held
 * @property {JsonObject} [local] values the application insists on; named in every acknowledgement
 * @property {Storage | null} [storage] localStorage where there is one; null keeps nothing
 * @property {{[name: string]: string}} [device]
 * @property {string} [viewerToken]
 * @property {boolean} [automaticEvents] session_start and heartbeat (default true)
 * @property {number} [flushS] seconds between event batches (default 5)
 * @property {{keys: JsonObject[]}} [pinnedJwks] trust these keys and never fetch any
 * @property {Verify} [verify] Ed25519 for engines whose WebCrypto lacks it
 * @property {typeof globalThis.fetch} [fetch]
 * @property {any} [WebSocket]
 * @property {number} [timeScale] multiplies every wait; below 1 in tests
 * @property {() => number} [random]
 */

export const SDK = { name: "gantry-js", version: "0.1.0" };
const JWS_TYPE = "gantry-config+jws";
const [HTTP_TIMEOUT_S, HELLO_TIMEOUT_S, SILENT_HEARTBEATS] = [10, 10, 2.5];
const [BACKOFF_BASE_S, BACKOFF_CAP_S, SLOW_MIN_S, SLOW_MAX_S, MAX_FLOOR_S, SOUND_AFTER_S] = [1, 30, 240, 360, 3600, 10];
const [JWKS_INTERVAL_S, JWKS_MAX_AGE_S, SESSION_S, MIN_SESSION_S, MAX_HEARTBEAT_S] = [60, 3600, 3600, 30, 600];
const [MAX_DELTAS, MAX_BATCH, MAX_BATCH_CHARS, MAX_WAITING, FLUSH_AT] = [256, 1000, 600_000, 10_000, 100];
const TOKEN_ENDS = [4401, 4403, 4404];

/** Signed bytes that may not change what is held; `reason` is a word of section 2.3. */
export class Refused extends Error {
  /** @param {string} reason @param {string} detail */
  constructor(reason, detail) {
    super(`${reason}: ${detail}`);
    this.reason = reason;
  }
}

/** Nothing to be done now: wait as section 8 says, then try again. */
class Retry extends Error {
  /** @param {string} why @param {{floorS?: number, slow?: boolean, dropToken?: boolean, spreadS?: number}} [how] */
  constructor(why, { floorS = 0, slow = false, dropToken = false, spreadS = 0 } = {}) {
    super(why);
    Object.assign(this, { floorS: Math.min(floorS, MAX_FLOOR_S), slow, dropToken, spreadS });
  }
  floorS = 0; slow = false; dropToken = false; spreadS = 0;
  sound = false; // the socket before had been live long enough to start counting anew
}

// --- signed configuration (section 2)

/** @param {string} text @returns {Uint8Array} */
function decodeBase64url(text) {
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length % 4 === 1) throw new Refused("malformed", "not base64url");
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}

/** @param {string | Uint8Array} raw @returns {JsonObject} */
function parseObject(raw) {
  let value;
  try {
    value = JSON.parse(typeof raw === "string" ? raw : new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    throw new Refused("malformed", "not JSON");
  }
  if (!isObject(value)) throw new Refused("malformed", "not a JSON object");
  return value;
}

/** @param {Json | undefined} value @returns {value is JsonObject} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** The object in the body of an answer, an empty one when there is none. @param {string} text @returns {JsonObject} */
function objectIn(text) {
  try {
    return parseObject(text);
  } catch {
    return {};
  }
}

/** For a call whose failure changes nothing. @param {unknown} error @returns {null} */
function ignoreRetry(error) {
  if (!(error instanceof Retry)) throw error;
  return null;
}

/** @param {Json | undefined} value @param {number} otherwise @returns {number} */
const numberOr = (value, otherwise) => (typeof value === "number" && value >= 0 ? value : otherwise);

/** The `kid` of a compact JWS whose header is one we speak. @param {string} jws */
function keyId(jws) {
  const parts = jws.split(".");
  if (parts.length !== 3) throw new Refused("malformed", "a compact JWS has three parts");
  const { alg, typ, kid, crit } = parseObject(decodeBase64url(parts[0]));
  if (alg !== "EdDSA" || typ !== JWS_TYPE || typeof kid !== "string" || crit !== undefined) throw new Refused("malformed", "not a Gantry configuration JWS");
  return kid;
}

/** @type {Verify} */
async function verifyByWebCrypto(key, signature, signed) {
  const { subtle } = globalThis.crypto;
  const imported = await subtle.importKey("jwk", { kty: "OKP", crv: "Ed25519", x: String(key.x) }, { name: "Ed25519" }, false, ["verify"]);
  return subtle.verify({ name: "Ed25519" }, imported, /** @type {any} */ (signature), /** @type {any} */ (signed));
}

/** What is held after a verified payload (snapshot or delta). @param {Snapshot | null} held @param {JsonObject} payload @param {string} stream @returns {Snapshot} */
export function advanced(held, payload, stream) {
  const isDelta = "base" in payload;
  const { organization, client, version, published_at, base = 0, removed = [] } = payload;
  const settings = isDelta ? payload.changes : payload.settings;
  const texts = [organization, payload.stream, client, published_at].every((one) => typeof one === "string");
  const numbers = Number.isSafeInteger(version) && Number(version) >= 1 && Number.isSafeInteger(base) && Number(base) >= 0;
  if (!texts || !numbers || !isObject(settings) || !Array.isArray(removed)) throw new Refused("malformed", "not a configuration");
  const after = /** @type {Snapshot} */ ({ organization, stream: payload.stream, client, version, published_at, settings });
  if (after.stream !== stream || (held && (held.organization !== organization || held.client !== client))) {
    throw new Refused("foreign", `for ${after.client} of ${after.organization} on ${after.stream}`);
  }
  checkOrder(held?.version ?? 0, after.version, Number(base));
  if (!held || base === 0) return after;
  const kept = Object.fromEntries(Object.entries(held.settings).filter(([key]) => !removed.includes(key)));
  return { ...after, settings: { ...kept, ...settings } };
}

/** @param {number} held @param {number} version @param {number} base */
function checkOrder(held, version, base) {
  if (base && version <= base) throw new Refused("malformed", "a delta that does not advance");
  if (version < held || (base && version === held)) throw new Refused("older", `version ${version}, held ${held}`);
  if (base && base !== held) throw new Refused("gap", `based on ${base}, held ${held}`);
}

/** Takes out what no JSON should carry: one such text would cost the whole batch. @template T @param {T} value @returns {T} */
const cleaned = (value) => (typeof value === "string" ? /** @type {T} */ (new TextDecoder().decode(new TextEncoder().encode(value)).replaceAll("\0", "")) : value);

/** A UUID also where the page is no secure context (some television engines). */
function uuid() {
  if (globalThis.crypto.randomUUID) return String(globalThis.crypto.randomUUID());
  const hex = Array.from(globalThis.crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** @param {string | null} value @returns {number} seconds */
function retryAfterS(value) {
  if (!value) return 0;
  return /^\d+$/.test(value) ? Number(value) : Math.max(0, (Date.parse(value) - Date.now()) / 1000) || 0;
}

/** A value by which two JSON values are equal. @param {Json | undefined} value @returns {string | undefined} */
const canonical = (value) =>
  JSON.stringify(value, (_, one) => (isObject(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one));

// --- key set (section 3)

class KeyRing {
  /** @param {GantryClient} owner @param {Options} options */
  constructor(owner, options) {
    this.owner = owner;
    this.verifySignature = options.verify ?? verifyByWebCrypto;
    this.fetchedAt = -Infinity;
    this.trust(options.pinnedJwks ?? { keys: [] });
    if (options.pinnedJwks) this.fetchedAt = Infinity; // pinned keys never age
  }

  /** @param {{keys: JsonObject[]}} jwks */
  trust(jwks) {
    if (this.fetchedAt === Infinity) return;
    const usable = jwks.keys.filter((key) => isObject(key) && key.kty === "OKP" && key.crv === "Ed25519" && (key.use ?? "sig") === "sig" && /^[A-Za-z0-9_-]{43}$/.test(String(key.x)));
    this.jwks = jwks;
    this.keys = new Map(usable.filter((key) => typeof key.kid === "string").map((key) => [String(key.kid), key]));
  }

  /** Fetches the key set again when it is older; a failure leaves the keys at hand in use. @param {number} olderThanS */
  async refresh(olderThanS) {
    if (this.owner._now() - this.fetchedAt < olderThanS) return;
    const url = new URL(".well-known/jwks.json", this.owner._baseUrl).href;
    const answer = await this.owner._fetchUrl("GET", url, {}).catch(ignoreRetry);
    const jwks = answer?.status === 200 ? objectIn(answer.text) : {};
    if (!Array.isArray(jwks.keys)) return;
    this.trust(/** @type {{keys: JsonObject[]}} */ (jwks));
    this.fetchedAt = this.owner._now();
  }

  /** The payload of a JWS, or Refused. @param {string} jws @param {boolean} [atHand] @returns {Promise<JsonObject>} */
  async verify(jws, atHand = false) {
    const kid = keyId(jws);
    if (!this.keys?.has(kid) && !atHand) await this.refresh(JWKS_INTERVAL_S);
    const key = this.keys?.get(kid);
    if (!key) throw new Refused("unknown-kid", kid);
    const [head, body, signature] = jws.split(".");
    const signed = new TextEncoder().encode(`${head}.${body}`);
    const fault = await this.verifySignature(key, decodeBase64url(signature), signed).then((valid) => (valid ? "" : "it does not fit the bytes"), String);
    if (fault) throw new Refused("bad-signature", fault);
    return parseObject(decodeBase64url(body));
  }
}

// --- the client (sections 4 to 10)

export class GantryClient {
  /** @param {string} baseUrl @param {string} sdkKey @param {Options} options */
  constructor(baseUrl, sdkKey, options) {
    /** @type {"stopped" | "connecting" | "live" | "refused"} */
    this.status = "stopped";
    this.stale = false;
    /** @type {Snapshot | null} */
    this.snapshot = null;
    /** @type {{[reason: string]: number}} */
    this.counters = {};
    this._baseUrl = baseUrl.replace(/\/+$/, "") + "/";
    this._sdkKey = sdkKey;
    this._options = options;
    this._storage = options.storage === undefined ? globalThis.localStorage ?? null : options.storage;
    this._scale = options.timeScale ?? 1;
    this._random = options.random ?? Math.random;
    this._keys = new KeyRing(this, options);
    this._names = { base_url: this._baseUrl, key_id: sdkKey.split("_")[2] ?? "", stream: options.stream };
    this._cacheKey = `gantry:${Object.values(this._names).join(":")}`;
    this._deviceId = uuid();
    /** @type {string[]} the signed chain: a whole configuration, then deltas */
    this._chain = [];
    /** @type {((change: Change) => void)[]} */
    this._listeners = [];
    /** @type {((reason: string, detail: string) => void)[]} */
    this._errorHooks = [];
    /** @type {string[]} */
    this._waiting = [];
    /** @type {string[]} */
    this._batch = [];
    this._stopped = true;
    this._token = this._etag = this._eventsRefusedWith = "";
    /** @type {JsonObject} */
    this._urls = {};
    /** @type {any} */
    this._socket = null;
    this._wanted = 0;
    this._gap = false;
    this._spreadS = BACKOFF_BASE_S;
    this._silentSockets = this._renewAt = 0;
    this._liveSince = this._beatAt = Infinity; // not live; no session yet
    /** @type {Promise<unknown>} */
    this._applying = Promise.resolve();
    this._wakers = new Set();
    this._leaving = new AbortController();
  }

  get version() {
    return this.snapshot?.version ?? 0;
  }

  /** The value in force: the application's own, the server's, the default. @param {string} key @param {Json} [otherwise] @returns {Json | undefined} */
  get(key, otherwise) {
    for (const values of [this._options.local, this.snapshot?.settings, this._options.defaults]) {
      if (values && Object.hasOwn(values, key)) return values[key];
    }
    return otherwise;
  }

  /** @param {(change: Change) => void} listener */
  onChange(listener) {
    this._listeners.push(listener);
  }

  /** @param {(reason: string, detail: string) => void} hook */
  onError(hook) {
    this._errorHooks.push(hook);
  }

  /** Queues one engagement event; it leaves with the next batch. @param {string} type @param {{[name: string]: string | number | boolean}} [properties] */
  track(type, properties = {}) {
    if (this.get("analytics.enabled", true) === false) return;
    const clean = Object.fromEntries(Object.entries(properties).map(([name, value]) => [cleaned(name), cleaned(value)]));
    this._waiting.push(JSON.stringify({ id: uuid(), type, at: new Date().toISOString(), properties: clean }));
    while (this._waiting.length > MAX_WAITING) this._waiting.shift(), this._count("events-dropped");
    if (this._waiting.length >= FLUSH_AT) this._wake("events");
  }

  /** Ends the present wait, for example when the application comes to the foreground. */
  retryNow() {
    this._wake("retry");
  }

  /** Loads the cache and begins in the background; never waits for the network. */
  async start() {
    this._stopped = false;
    this._leaving = new AbortController();
    this.status = "connecting";
    await this._load();
    for (const [event, act] of /** @type {[string, () => unknown][]} */ ([["pagehide", () => this._sendBatch(true).catch(() => {})], ["online", () => this.retryNow()]])) {
      globalThis.addEventListener?.(event, act, { signal: this._leaving.signal });
    }
    for (const job of [this._connect, this._closeGap, this._sendEvents]) this._run(this._repeat(job));
  }

  /** Sends what is queued once more and closes the socket. */
  async stop() {
    this._stopped = true;
    this._leaving.abort();
    for (const waker of this._wakers) waker.end();
    this._socket?.close(1000);
    await this._sendBatch(true).catch(() => {});
    this.status = "stopped";
  }

  // --- session and socket

  /** Opens a session where there is none, and holds its socket until one of them ends. */
  async _connect() {
    this._liveSince = Infinity;
    try {
      if (!this._token) await this._openSession();
      else if (this._silentSockets >= 2) await this._fetch();
      await this._listen();
      this._silentSockets = 0;
    } catch (retry) {
      if (!(retry instanceof Retry)) throw retry;
      if (retry.dropToken) this._token = "";
      const silent = this._token && this._liveSince === Infinity;
      this._silentSockets = silent ? this._silentSockets + 1 : 0;
      retry.sound = this._now() - this._liveSince >= SOUND_AFTER_S;
      if (!this._stopped) this.status = retry.slow ? "refused" : "connecting";
      throw retry;
    }
  }

  async _openSession() {
    const device = { ...this._options.device, id: this._deviceId };
    const body = JSON.stringify({ stream: this._options.stream, sdk: SDK, device, viewer_token: this._options.viewerToken });
    const answer = await this._call("sessions", [201], { "Content-Type": "application/json" }, body);
    const session = objectIn(answer.text);
    await this._keys.refresh(JWKS_MAX_AGE_S);
    await this._acceptWhole(String(session.jws ?? ""));
    this._token = String(session.token ?? "");
    this._urls = isObject(session.urls) ? session.urls : {};
    const lifetimeS = Math.max(numberOr(session.expires_in_s, SESSION_S), MIN_SESSION_S);
    this._renewAt = this._now() + lifetimeS * (0.8 + 0.15 * this._random());
    if ((this._options.automaticEvents ?? true) && this._beatAt === Infinity) {
      this.track("session_start", { sdk: SDK.name, sdk_version: SDK.version });
      this._beatAt = this._nextBeat();
    }
  }

  /** Holds one socket until it ends (throws Retry) or the session has been renewed (returns). */
  async _listen() {
    const url = this._url("live").replace(/^http/, "ws");
    const socket = this._openSocket(url);
    const used = this._token;
    /** @type {JsonObject | null} */
    let bye = null;
    let silenceS = HELLO_TIMEOUT_S;
    let heardAt = this._now();
    let silent = false;
    const end = (/** @type {number} */ code) => socket.close(code);
    await new Promise((resolve, reject) => {
      const watch = setInterval(() => {
        if (this._now() - heardAt > silenceS) {
          silent = true;
          end(4000);
          finish(1006);
        } else if (this._now() >= this._renewAt) {
          this._renewAt = Infinity; // until the answer to this attempt names the next
          this._renew().then((done) => done && (clearInterval(watch), end(1000), resolve(undefined)), reject);
        }
      }, Math.max(5, 500 * this._scale));
      const finish = (/** @type {number} */ code) => {
        clearInterval(watch);
        const floorS = numberOr(bye?.retry_after_ms, 0) / 1000;
        const spreadS = bye || silent || this._liveSince === Infinity ? 0 : this._spreadS;
        const dropToken = TOKEN_ENDS.includes(code) && this._token === used;
        reject(new Retry(`socket closed: ${silent ? "silent" : code} ${bye?.code ?? ""}`, { floorS, spreadS, dropToken }));
      };
      socket.onopen = () => {
        if (socket.protocol !== "gantry.v1" || this._stopped) return end(1000);
        socket.send(JSON.stringify({ type: "hello", version: this.version, sdk: SDK }));
        this._socket = socket;
        heardAt = this._now();
      };
      socket.onclose = (/** @type {{code: number}} */ event) => finish(event.code);
      socket.onerror = () => {};
      socket.onmessage = (/** @type {{data: unknown}} */ event) => {
        const receivedAt = performance.now();
        heardAt = this._now();
        const work = this._inTurn(() => this._receive(socket, event.data, receivedAt)).then((frame) => {
          if (frame?.type === "bye") [bye, silenceS] = [frame, 1];
          if (frame?.type === "hello") silenceS = SILENT_HEARTBEATS * Math.min(Math.max(numberOr(frame.heartbeat_s, 30), 1), MAX_HEARTBEAT_S);
        });
        this._run(work);
      };
    }).finally(() => (this._socket = this._socket === socket ? null : this._socket));
  }

  /** @param {string} url @returns {any} */
  _openSocket(url) {
    try {
      return new (this._options.WebSocket ?? globalThis.WebSocket)(url, ["gantry.v1", `bearer.${this._token}`]);
    } catch (error) {
      throw new Retry(`no socket here: ${error}`);
    }
  }

  async _renew() {
    try {
      await this._openSession();
      return true;
    } catch (retry) {
      if (!(retry instanceof Retry)) throw retry;
      this._report("waiting", `renewal: ${retry.message}`);
      this._renewAt = this._now() + this._waitS(retry, 5);
      return false;
    }
  }

  // --- frames

  /** @param {any} socket @param {unknown} data @param {number} receivedAt @returns {Promise<JsonObject | null>} */
  async _receive(socket, data, receivedAt) {
    try {
      if (typeof data !== "string") throw new Refused("malformed", "a binary frame");
      const frame = parseObject(data);
      if (typeof frame.type !== "string") throw new Refused("malformed", "a frame without a type");
      if (frame.type === "config") await this._accept(String(frame.jws ?? ""), receivedAt, frame);
      if (frame.type === "ping" && socket.readyState === 1) socket.send('{"type":"pong"}');
      this._note(frame);
      return frame;
    } catch (refused) {
      if (this._refuse(refused)) this._needFetch();
      return null;
    }
  }

  /** @param {JsonObject} frame */
  _note(frame) {
    if (frame.type === "hello") {
      if (!numberOr(frame.heartbeat_s, 0)) throw new Refused("malformed", "hello without heartbeat_s");
      this._spreadS = Math.min(numberOr(frame.reconnect_spread_ms, 1000) / 1000, MAX_FLOOR_S);
      this._liveSince = this._now();
      this.status = "live";
    } else if (frame.type === "current" || frame.type === "ping") {
      if (!Number.isSafeInteger(frame.version)) throw new Refused("malformed", "a frame without a version");
      this._wanted = Number(frame.version);
      if (this._wanted > this.version) this._needFetch();
    }
  }

  /** Verifies one JWS and puts it in force, or throws Refused. @param {string} jws @param {number} receivedAt @param {JsonObject} [frame] */
  async _accept(jws, receivedAt, frame) {
    const payload = await this._keys.verify(jws);
    if (frame && (frame.base !== payload.base || frame.version !== payload.version)) throw new Refused("malformed", "the frame and its signed content differ");
    if (frame) this.stale = false;
    const before = this.snapshot;
    this.snapshot = advanced(before, payload, this._options.stream);
    this._etag = "";
    if (!before || this.version > before.version) this._tell(before, this.snapshot);
    await this._remember(jws, !payload.base);
    const samplePct = numberOr(this.get("sdk.applied_ack_sample_pct"), 100);
    if (this._socket?.readyState !== 1 || this._random() * 100 >= samplePct) return;
    const overridden = Object.keys(this._options.local ?? {}).filter((key) => this.snapshot && Object.hasOwn(this.snapshot.settings, key));
    const applied_in_ms = Math.round((performance.now() - receivedAt) * 1000) / 1000;
    this._socket.send(JSON.stringify({ type: "ack", version: this.version, applied_in_ms, overridden: overridden.sort().slice(0, 100) }));
  }

  /** @param {Snapshot | null} before @param {Snapshot} after */
  _tell(before, after) {
    const old = before?.settings ?? {};
    const values = Object.fromEntries(Object.entries(after.settings).filter(([key, value]) => !Object.hasOwn(old, key) || canonical(old[key]) !== canonical(value)));
    const removed = Object.keys(old).filter((key) => !Object.hasOwn(after.settings, key));
    for (const listener of this._listeners) {
      try {
        listener({ version: after.version, published_at: after.published_at, values, removed });
      } catch (error) {
        this._report("listener", String(error)); // an application's fault must not end delivery
      }
    }
  }

  /** Counts a refusal, throws any other error; returns whether the truth has to be fetched. @param {any} refused */
  _refuse(refused) {
    if (!(refused instanceof Refused)) throw refused;
    this._report(refused.reason, refused.message);
    return refused.reason !== "older";
  }

  /** Does what may change the configuration after what came before it. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  _inTurn(work) {
    const done = this._applying.then(work);
    this._applying = done.catch(() => {});
    return done;
  }

  // --- fetching the truth

  _needFetch() {
    this._gap = true;
    this._wake("gap");
  }

  async _closeGap() {
    while (!this._gap && !this._stopped) await this._pause(SESSION_S, "gap");
    const jitterS = numberOr(this.get("sdk.refetch_jitter_ms"), 500) / 1000;
    await this._pause(Math.min(jitterS, BACKOFF_CAP_S) * this._random(), "retry");
    this._gap = false;
    if (!this._token || this._stopped) return;
    try {
      await this._fetch();
      if (this.version < this._wanted) throw new Retry(`config: still below ${this._wanted}`);
    } catch (retry) {
      if (!(retry instanceof Retry)) throw retry;
      if (retry.dropToken) return; // the answer to the next session decides
      this._gap = true;
      throw retry;
    }
  }

  /** Gets the whole snapshot and puts it in force, or throws Retry. */
  async _fetch() {
    /** @type {{[name: string]: string}} */
    const headers = { Accept: "application/jose" };
    if (this._etag) headers["If-None-Match"] = this._etag;
    const answer = await this._call("config", [200, 304], headers);
    this.stale = answer.headers.get("Config-Stale") === "1";
    if (answer.status === 304) return;
    await this._acceptWhole(answer.text.trim());
    this._etag = answer.headers.get("ETag") ?? "";
  }

  /** @param {string} jws */
  async _acceptWhole(jws) {
    try {
      await this._inTurn(() => this._accept(jws, performance.now()));
    } catch (refused) {
      if (this._refuse(refused)) throw new Retry(`the configuration is refused: ${refused}`);
    }
  }

  // --- events (section 10)

  async _sendEvents() {
    await this._pause(this._options.flushS ?? 5, "events");
    if (this._token && this._now() >= this._beatAt) {
      this.track("heartbeat");
      this._beatAt = this._nextBeat();
    }
    while (!this._stopped && (await this._sendBatch()));
  }

  _nextBeat() {
    return this._now() + numberOr(this.get("analytics.heartbeat_s"), 30);
  }

  /** Sends one batch; resolves to whether more may be sent at once. @param {boolean} [last] */
  async _sendBatch(last = false) {
    const token = this._token;
    if (!token || token === this._eventsRefusedWith) return false;
    const left = this._batch.length ? 0 : MAX_BATCH; // what was halved is not filled up again
    for (let size = 0; this._batch.length < left && this._waiting.length; ) {
      size += this._waiting[0].length + 1;
      if (this._batch.length && size > MAX_BATCH_CHARS) break;
      this._batch.push(/** @type {string} */ (this._waiting.shift()));
    }
    if (!this._batch.length) return false;
    const batch = this._batch;
    const headers = { "Content-Type": "application/json" };
    const body = `[${batch.join(",")}]`;
    const answer = await this._call("events", [202, 400, 403, 404, 413], headers, body, last);
    if (batch !== this._batch) return false; // a last flush on the way out has settled it
    if (answer.status === 403 || answer.status === 404) this._eventsRefusedWith = token;
    else if (answer.status === 413 && batch.length > 1) {
      this._batch = batch.slice(0, batch.length >> 1);
      this._waiting.unshift(...batch.slice(this._batch.length));
    } else this._settle(answer);
    return true;
  }

  /** @param {{status: number, text: string}} answer */
  _settle(answer) {
    this._batch = [];
    if (answer.status !== 202) return this._report("events-refused", answer.text.slice(0, 500));
    const { rejected } = objectIn(answer.text);
    for (const one of Array.isArray(rejected) ? rejected : []) this._report("event-rejected", JSON.stringify(one));
  }

  // --- cache (section 9)

  async _load() {
    try {
      const stored = await this._storage?.getItem(this._cacheKey);
      const document = stored ? parseObject(stored) : {};
      if (typeof document.device_id === "string") this._deviceId = document.device_id;
      const { format, jwks, jws, deltas } = document;
      const same = format === 1 && Object.entries(this._names).every(([name, value]) => document[name] === value);
      if (!same || !isObject(jwks) || !Array.isArray(jwks.keys) || typeof jws !== "string" || !Array.isArray(deltas)) return;
      this._keys.trust(/** @type {any} */ (jwks));
      /** @type {Snapshot | null} */
      let held = null;
      const chain = [jws, ...deltas.map(String)];
      for (const link of chain) held = advanced(held, await this._keys.verify(link, true), this._options.stream);
      this._chain = chain;
      this.snapshot = held;
    } catch {
      this._keys.trust({ keys: [] }); // anything wrong: none of it is used
    }
  }

  /** Extends the chain, or begins a new one, and stores it. @param {string} newest @param {boolean} whole */
  async _remember(newest, whole) {
    const longest = 1 + MAX_DELTAS; // one more marks a chain that has outgrown the cache
    this._chain = whole ? [newest] : [...this._chain, newest].slice(0, longest + 1);
    if (!this._storage || this._chain.length > longest) return;
    const [jws, ...deltas] = this._chain;
    try {
      await this._storage.setItem(this._cacheKey, JSON.stringify({ format: 1, ...this._names, device_id: this._deviceId, jwks: this._keys.jwks, jws, deltas }));
    } catch {
      this._count("cache"); // a full or forbidden storage costs the next start its cache, nothing else
    }
  }

  // --- waiting, calling, telling

  /** Does a job until the end; when it cannot go on, waits as section 8 says. @param {() => Promise<void>} job */
  async _repeat(job) {
    for (let failures = 0; !this._stopped; ) {
      try {
        await job.call(this);
        failures = 0;
      } catch (retry) {
        if (!(retry instanceof Retry)) throw retry;
        if (this._stopped) return;
        if (retry.sound) failures = 0;
        this._report("waiting", retry.message);
        await this._pause(this._waitS(retry, failures), "retry");
        failures += 1;
      }
    }
  }

  /** @param {Retry} retry @param {number} failures @returns {number} seconds */
  _waitS(retry, failures) {
    const share = this._random();
    if (retry.slow) return Math.max(retry.floorS, SLOW_MIN_S + (SLOW_MAX_S - SLOW_MIN_S) * share);
    const windowS = Math.min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** Math.min(failures, 10));
    return retry.floorS + share * Math.max(windowS, failures === 0 ? retry.spreadS : 0);
  }

  /** @param {number} seconds @param {string} name what may end the wait early */
  _pause(seconds, name) {
    return new Promise((resolve) => {
      const waker = { name, end: () => (clearTimeout(timer), this._wakers.delete(waker), resolve(undefined)) };
      const timer = setTimeout(waker.end, seconds * 1000 * this._scale);
      this._wakers.add(waker);
    });
  }

  /** @param {string} name */
  _wake(name) {
    for (const waker of this._wakers) if (waker.name === name) waker.end();
  }

  /** Seconds by a clock that runs as fast as the waits do. */
  _now() {
    return performance.now() / 1000 / this._scale;
  }

  /** @param {string} name */
  _url(name) {
    return new URL(String(this._urls[name] ?? `sdk/v1/${name}`), this._baseUrl).href;
  }

  /**
   * An expected answer, or Retry; a refused token is not used again.
   * @param {"sessions" | "config" | "events"} name @param {number[]} expected
   * @param {{[name: string]: string}} headers @param {string} [body] @param {boolean} [keepalive]
   */
  async _call(name, expected, headers, body, keepalive) {
    const token = this._token;
    /** @type {{[name: string]: string}} */
    const credentials = name === "sessions" ? { "X-SDK-Key": this._sdkKey } : { Authorization: `Bearer ${token}` };
    const method = body === undefined ? "GET" : "POST";
    const answer = await this._fetchUrl(method, this._url(name), { ...headers, ...credentials }, body, keepalive);
    if (expected.includes(answer.status)) return answer;
    const retry = refusal(answer, name);
    if (retry.dropToken && name !== "sessions" && token === this._token) {
      this._token = "";
      this._socket?.close(1000);
    }
    throw retry;
  }

  /** @param {string} method @param {string} url @param {{[name: string]: string}} headers @param {string} [body] @param {boolean} [keepalive] */
  async _fetchUrl(method, url, headers, body, keepalive = false) {
    const call = this._options.fetch ?? globalThis.fetch;
    try {
      const signal = AbortSignal.timeout(HTTP_TIMEOUT_S * 1000);
      const answer = await call(url, { method, headers, body, signal, cache: "no-store", credentials: "omit", redirect: "error", keepalive });
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    } catch (error) {
      throw new Retry(`no answer from ${url}: ${error}`);
    }
  }

  /** @param {Promise<unknown>} work */
  _run(work) {
    work.catch((error) => this._report("internal", String(error?.stack ?? error)));
  }

  /** @param {string} reason */
  _count(reason) {
    this.counters[reason] = (this.counters[reason] ?? 0) + 1;
  }

  /** @param {string} reason @param {string} detail */
  _report(reason, detail) {
    this._count(reason);
    if (reason === "older") return; // late and repeated frames are normal
    for (const hook of this._errorHooks) {
      try {
        hook(reason, detail);
      } catch {
        this._count("hook");
      }
    }
  }
}

/** What a refusal means for the caller. @param {{status: number, headers: Headers, text: string}} answer @param {string} name of the call; `sessions` uses the key */
function refusal(answer, name) {
  const { status } = answer;
  const why = `${name}: ${status} ${answer.text.match(/\/problems\/([a-z-]+)/)?.[1] ?? ""}`;
  const floorS = retryAfterS(answer.headers.get("Retry-After"));
  if (status === 408 || status === 429 || status >= 500) return new Retry(why, { floorS });
  const slow = name === "sessions" || status !== 401;
  return new Retry(why, { floorS, slow, dropToken: [401, 403, 404].includes(status) });
}

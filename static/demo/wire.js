// Watches the SDK at its seams (fetch, WebSocket, signature check) without changing what it does.
const decode = (part) => JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0))));

function summary(text) {
  try {
    const frame = JSON.parse(text);
    const { type, version, base, code } = frame;
    const note = type === "config" ? `${base} → ${version}` : type === "ack" ? `${version} in ${Number(frame.applied_in_ms).toFixed(1)} ms` : type === "bye" ? code : version === undefined ? "" : String(version);
    return { type, note, kid: frame.jws ? decode(frame.jws.split(".")[0]).kid : "" };
  } catch {
    return { type: "?", note: "" };
  }
}

/** Options for GantryClient that report each frame, call and signature to `log`. */
export function watched(log) {
  class WatchedSocket extends WebSocket {
    constructor(...parts) {
      super(...parts);
      log.frame({ way: "in", type: "open", note: "WebSocket", bytes: 0 });
      this.addEventListener("message", ({ data }) => log.frame({ way: "in", bytes: data.length, ...summary(data) }));
      this.addEventListener("close", ({ code }) => log.frame({ way: "in", type: "close", note: String(code), bytes: 0 }));
    }

    send(data) {
      log.frame({ way: "out", bytes: data.length, ...summary(data) });
      super.send(data);
    }
  }

  async function watchedFetch(resource, options = {}) {
    const began = performance.now();
    const path = new URL(resource instanceof Request ? resource.url : resource, location.href).pathname.replace(/^\/(sdk\/v1|\.well-known)\//, "");
    const answer = await fetch(resource, options);
    log.frame({ way: "out", type: options.method ?? "GET", note: `${path} ${answer.status} in ${Math.round(performance.now() - began)} ms`, bytes: options.body?.length ?? 0 });
    return answer;
  }

  async function verify(key, signature, signed) {
    const began = performance.now();
    const imported = await crypto.subtle.importKey("jwk", { kty: "OKP", crv: "Ed25519", x: String(key.x) }, { name: "Ed25519" }, false, ["verify"]);
    const isGood = await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, signed);
    log.signature({ kid: String(key.kid), isGood, ms: performance.now() - began });
    return isGood;
  }

  return { WebSocket: WatchedSocket, fetch: watchedFetch, verify };
}

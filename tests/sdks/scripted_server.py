"""Which bytes does an SDK get, in which order? A peer on loopback that plays one contract case.

It signs with its own Ed25519 keys and plays the hostile roles too; the format of a case is
described in sdks/contract/README.md.
"""

import asyncio
import base64
import gzip
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "/edge"
IDENTITY = {"organization": "acme", "stream": "final", "client": "web"}
PUBLISHED_AT = "2026-11-20T18:30:00.123Z"
PROBLEMS = {400: "invalid-body", 401: "invalid-key", 403: "organization-suspended"}


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Signer:
    """Keys `a` and `b` may be listed in the key set; `stranger` never is."""

    def __init__(self):
        self._keys = {name: Ed25519PrivateKey.generate() for name in ("a", "b", "stranger")}

    def jwks(self, names):
        rsa = {"kty": "RSA", "kid": "old", "n": "AQAB", "e": "AQAB"}
        return {"keys": [rsa, *(self._jwk(name) for name in names)]}

    def _jwk(self, name):
        x = b64url(self._keys[name].public_key().public_bytes_raw())
        use = {"use": "sig", "alg": "EdDSA"}
        return {"kty": "OKP", "crv": "Ed25519", "kid": f"key-{name}", "x": x, **use}

    def jws(self, spec):
        """Return the compact JWS a case describes, broken where it says so."""
        if "raw" in spec:
            return spec["raw"]
        key = spec.get("key", "a")
        header = {"alg": "EdDSA", "kid": f"key-{spec.get('kid', key)}", "typ": "gantry-config+jws"}
        head = b64url(json.dumps({**header, **spec.get("header", {})}).encode())
        signed = f"{head}.{b64url(payload_bytes(spec))}"
        signature = b64url(self._keys[key].sign(signed.encode()))
        return broken(f"{signed}.{signature}", spec.get("break"))


def payload_bytes(spec):
    if "payload" in spec:
        return json.dumps(spec["payload"]).encode()
    payload = {**IDENTITY, "version": 1, "published_at": PUBLISHED_AT}
    names = (
        "organization",
        "stream",
        "client",
        "version",
        "base",
        "changes",
        "removed",
        "settings",
    )
    payload |= {name: spec[name] for name in names if name in spec}
    if "base" in payload:
        payload = {"changes": {}, "removed": [], **payload}
    else:
        payload.setdefault("settings", {"colour": "red"})
    return json.dumps(payload).encode()


def broken(jws, how):
    head, body, signature = jws.split(".")
    other = payload_bytes({"version": 999, "settings": {"colour": "forged"}})
    return {
        None: jws,
        "truncated": jws[:-10],
        "two-parts": f"{head}.{body}",
        "no-signature": f"{head}.{body}.",
        "other-payload": f"{head}.{b64url(other)}.{signature}",
        "padding": f"{head}.{body}.{signature}==",
        "not-ascii": f"{head}.{body}.ä{signature}",
    }[how]


@dataclass
class Seen:
    """What the SDK did, in order, with the moment of each request."""

    requests: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def note(self, name, headers, body=None):
        self.requests.append(name)
        self.moments.append(time.monotonic())
        self.headers.append(headers)
        self.bodies.append(body)

    def event_batches(self):
        pairs = zip(self.requests, self.bodies, strict=True)
        return [body for name, body in pairs if name == "POST events"]

    def of(self, kind):
        return [frame for frame in self.frames if frame.get("type") == kind]


class ScriptedServer:
    """The ASGI application that plays one phase of a case; answers of a route are used in order."""

    def __init__(self, signer, phase, *, time_scale):
        self.seen = Seen()
        self._signer = signer
        self._http = phase.get("http", {})
        self._sockets = phase.get("sockets", [[{"expect": {"type": "hello"}}, {"current": 1}]])
        self._scale = time_scale
        self._used = {}

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._converse(scope, receive, send)

    def _next(self, name, answers):
        index = self._used.get(name, 0)
        self._used[name] = index + 1
        return answers[min(index, len(answers) - 1)]

    async def _answer(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        name = route_name(scope)
        self.seen.note(name, headers, read_body(headers, body))
        step = self._next(name, self._http.get(name, [{}]))
        if "delay_s" in step:
            await asyncio.sleep(step["delay_s"] * self._scale)
        status, extra, content = self._content(name, step, headers)
        fields = {"content-type": "application/json", **extra, **step.get("headers", {})}
        raw = [(key.lower().encode(), str(value).encode()) for key, value in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    def _content(self, name, step, headers):
        status = step.get("status")
        if status and status >= 400:
            slug = step.get("problem", PROBLEMS.get(status, "unavailable"))
            problem = {"type": f"/problems/{slug}", "title": slug, "status": status, "detail": slug}
            return (
                status,
                {"content-type": "application/problem+json"},
                json.dumps(problem).encode(),
            )
        if "text" in step:
            return status or 200, {}, step["text"].encode()
        return getattr(self, "_" + name.lower().replace(" ", "_"))(step, headers)

    def _post_sessions(self, step, headers):
        jws = self._signer.jws(step.get("jws", {}))
        index = self._used["POST sessions"]
        session = {
            "token": f"token-{index}.a-b_c",
            "expires_at": "2000-01-01T00:00:00Z",
            "expires_in_s": step.get("expires_in_s", 3600),
            "snapshot": json.loads(payload_bytes(step.get("jws", {}))),
            "jws": jws,
            "urls": {name: f"{PREFIX}/sdk/v1/{name}" for name in ("config", "live", "events")},
        }
        return 201, {}, json.dumps(session).encode()

    def _get_config(self, step, headers):
        spec = step.get("jws", {})
        digest = hashlib.sha256(payload_bytes(spec)).hexdigest()[:16]
        etag = f'"{spec.get("version", 1)}-{digest}-jose"'
        extra = {"content-type": "application/jose", "etag": etag}
        if step.get("stale"):
            extra["config-stale"] = "1"
        if headers.get("if-none-match") == etag:
            return 304, extra, b""
        return 200, extra, self._signer.jws(spec).encode()

    def _get_jwks(self, step, headers):
        return 200, {}, json.dumps(self._signer.jwks(step.get("keys", ["a"]))).encode()

    def _post_events(self, step, headers):
        count = len(self.seen.bodies[-1])
        rejected = step.get("rejected", [])
        answer = {"accepted": count - len(rejected), "duplicate": 0, "rejected": rejected}
        return 202, {}, json.dumps(answer).encode()

    async def _converse(self, scope, receive, send):
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.note("WS live", headers)
        if not scope["subprotocols"][1:] or "token" in scope["query_string"].decode():
            self.seen.faults.append("the token is not offered as a subprotocol")
        await receive()
        script = self._next("WS live", self._sockets)
        if script and "refuse" in script[0]:
            await refuse(send, script[0])
            return
        protocol = script[0].get("protocol", "gantry.v1") if script else "gantry.v1"
        await send({"type": "websocket.accept", "subprotocol": protocol})
        with suppress(ConnectionResetError):
            for step in script:
                if not await self._play(step, receive, send):
                    return
            while await self._hear(receive) is not None:
                pass

    async def _play(self, step, receive, send):
        if "expect" in step:
            frame = await self._hear(receive)
            if frame is None or not step["expect"].items() <= frame.items():
                self.seen.faults.append(f"expected {step['expect']}, got {frame}")
                return False
            if step["expect"].get("type") == "hello" and not step.get("mute"):
                await self._send_hello(step, send)
        elif "wait_s" in step:
            await asyncio.sleep(step["wait_s"] * self._scale)
        elif "close" in step:
            await send({"type": "websocket.close", "code": step["close"]})
            return False
        elif "binary" in step:
            await send({"type": "websocket.send", "bytes": bytes.fromhex(step["binary"])})
        elif "protocol" not in step:
            await send({"type": "websocket.send", "text": self._text(step)})
        return True

    async def _send_hello(self, step, send):
        version = step.get("server_version", 1)
        hello = {"type": "hello", "version": version, "heartbeat_s": step.get("heartbeat_s", 100)}
        hello |= step.get("fields", {})
        await send({"type": "websocket.send", "text": json.dumps(hello)})

    def _text(self, step):
        if "text" in step:
            return step["text"]
        if "current" in step:
            return json.dumps({"type": "current", "version": step["current"]})
        if "config" in step:
            spec = step["config"]
            hint = {"base": spec.get("base", 0), "version": spec.get("version", 1)}
            hint |= step.get("fields", {})
            return json.dumps({"type": "config", **hint, "jws": self._signer.jws(spec)})
        return json.dumps(step["send"])

    async def _hear(self, receive):
        message = await receive()
        if message["type"] != "websocket.receive":
            return None
        frame = json.loads(message["text"])
        self.seen.frames.append(frame)
        return frame


def route_name(scope):
    path = scope["path"].removeprefix(PREFIX)
    last = "jwks" if path == "/.well-known/jwks.json" else path.removeprefix("/sdk/v1/")
    return f"{scope['method']} {last}"


def read_body(headers, body):
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body) if body else None


async def refuse(send, step):
    headers = [(k.lower().encode(), str(v).encode()) for k, v in step.get("headers", {}).items()]
    start = {"type": "websocket.http.response.start", "status": step["refuse"], "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": b"{}"})


class QuietServer(uvicorn.Server):
    """Several run at once in one test process: none may take its signals."""

    def capture_signals(self):
        return nullcontext()


@asynccontextmanager
async def serving(app) -> AsyncIterator[str]:
    """Serve the application on a free loopback port; yields its base URL."""
    config = uvicorn.Config(
        app,
        port=0,
        log_level="warning",
        ws="websockets-sansio",
        ws_ping_interval=None,
        lifespan="off",
    )
    config.timeout_graceful_shutdown = 1
    server = QuietServer(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has a flag, not an event
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}{PREFIX}"
    finally:
        server.should_exit = True
        await task

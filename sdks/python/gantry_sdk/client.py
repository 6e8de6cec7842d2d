"""How does one application stay on the newest signed configuration? (docs/sdk-protocol.md section 7)"""

import asyncio
import contextlib
import json
import logging
import math
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urljoin

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Origin, Subprotocol

from .cache import Cache
from .configuration import JsonObject, JsonValue, Refused, Snapshot, advanced, parse_object
from .events import EventQueue
from .transport import JWKS_MAX_AGE_S, Answer, Http, KeyRing, Retry, retry_after_s

logger = logging.getLogger("gantry_sdk")

SDK = {"name": "gantry-python", "version": "0.1.0"}
PROTOCOL = Subprotocol("gantry.v1")
MAX_FRAME_BYTES = 2**20
HELLO_TIMEOUT_S = 10.0
BACKOFF_BASE_S = 1
BACKOFF_CAP_S = 30
SLOW_S = (240, 360)
MAX_FLOOR_S = 3600
SESSION_S = 3600
MIN_SESSION_S = 30
MAX_HEARTBEAT_S = 600
SILENT_HEARTBEATS = 2.5
SOUND_AFTER_S = 10
FLUSH_AT_EVENTS = 100
TOKEN_ENDS = frozenset({4401, 4403, 4404})
FRAMES_WITH_FIELDS = frozenset({"hello", "config", "current", "ping"})


class Shared:
    """What many clients of one process share: HTTP threads and the key set of each server."""

    def __init__(self, threads: int = 8) -> None:
        self.http = Http(threads)
        self.keys: dict[str, KeyRing] = {}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything an ordinary application leaves alone."""

    # values the application insists on
    local: Mapping[str, JsonValue] = field(default_factory=dict)
    device: Mapping[str, str] = field(default_factory=dict)
    viewer_token: str | None = None
    origin: str | None = None
    automatic_events: bool = True
    flush_s: float = 5
    pinned_jwks: Mapping[str, JsonValue] | None = None
    shared: Shared | None = None
    time_scale: float = 1  # multiplies every wait; below 1 in tests
    random: Callable[[], float] = random.random


@dataclass(frozen=True, kw_only=True)
class Change:
    """One step from a configuration to the next."""

    version: int
    published_at: str
    values: Mapping[str, JsonValue]
    removed: tuple[str, ...]


class GantryClient:
    """One application on one stream: `async with GantryClient(url, key, stream="…") as gantry`."""

    def __init__(
        self,
        base_url: str,
        sdk_key: str,
        *,
        stream: str,
        cache: Path | None = None,
        defaults: Mapping[str, JsonValue] | None = None,
        options: Options | None = None,
    ) -> None:
        self.status = "stopped"
        self.stale = False
        self.counters: Counter[str] = Counter()
        self.snapshot: Snapshot | None = None
        self._base_url = base_url.rstrip("/") + "/"
        self._sdk_key = sdk_key
        self._stream = stream
        self._defaults = defaults or {}
        self._options = options or Options()
        self._shared = self._options.shared or Shared(2)
        ring = KeyRing(
            self._shared.http,
            urljoin(self._base_url, ".well-known/jwks.json"),
            self._options.pinned_jwks,
            self._options.time_scale,
        )
        self._keys = self._shared.keys.setdefault(self._base_url, ring)
        key_id = sdk_key.split("_")[2] if sdk_key.count("_") > 2 else ""
        self._cache = Cache(cache, base_url=self._base_url, key_id=key_id, stream=stream)
        self._events = EventQueue(self.counters)
        self._listeners: list[Callable[[Change], None]] = []
        self._error_hooks: list[Callable[[str, str], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._poke, self._gap, self._flush_now = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._socket: ClientConnection | None = None
        self._live_since = math.inf
        self._silent_sockets = 0
        self._bye: JsonObject = {}
        self._spread_s = float(BACKOFF_BASE_S)
        self._wanted = 0
        self._beat_at = math.inf  # until the first session: then events of its own are due
        self._token = self._etag = self._events_refused_with = ""
        self._urls: dict[str, str] = {}

    # --- what an application uses

    @property
    def version(self) -> int:
        return self.snapshot.version if self.snapshot else 0

    def get(self, key: str, default: JsonValue = None) -> JsonValue:
        """Return the value in force: the application's own, the server's, the default."""
        held: Mapping[str, JsonValue] = self.snapshot.settings if self.snapshot else {}
        for values in (self._options.local, held, self._defaults):
            if key in values:
                return values[key]
        return default

    def on_change(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def on_error(self, hook: Callable[[str, str], None]) -> None:
        self._error_hooks.append(hook)

    def track(self, kind: str, properties: Mapping[str, str | float | bool] | None = None) -> None:
        """Queue one engagement event; it leaves with the next batch."""
        if self.get("analytics.enabled", True) is not False:
            self._events.add(kind, properties)
            if len(self._events) >= FLUSH_AT_EVENTS:
                self._flush_now.set()

    def retry_now(self) -> None:
        """End the present wait, for example when the application comes to the foreground."""
        self._poke.set()

    async def start(self) -> None:
        """Load the cache and begin in the background; never waits for the network."""
        self.snapshot = self._cache.load(self._keys)
        self.status = "connecting"
        jobs = (self._connect, self._fill_gap, self._send)
        self._tasks = [asyncio.create_task(self._repeat(job)) for job in jobs]

    async def stop(self) -> None:
        """Send what is queued once more, close the socket and end every task."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(Retry, TimeoutError):
            async with asyncio.timeout(2):
                await self._send_batch()
        self.status = "stopped"
        if self._options.shared is None:
            self._shared.http.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.stop()

    # --- session and socket

    async def _connect(self) -> None:
        """Open a session where there is none, and hold its socket until one of them ends."""
        self._live_since = math.inf
        try:
            if not self._token:
                await self._open_session()
            elif self._silent_sockets >= 2:
                await self._fetch()
            await self._listen()
            self._silent_sockets = 0
        except Retry as retry:
            if retry.drop_token:
                self._token = ""
            silent = self._token and self._live_since == math.inf
            self._silent_sockets = self._silent_sockets + 1 if silent else 0
            retry.sound = self._now() - self._live_since >= SOUND_AFTER_S
            self.status = "refused" if retry.slow else "connecting"
            raise

    async def _open_session(self) -> None:
        device = {**self._options.device, "id": self._cache.device_id}
        body: JsonObject = {"stream": self._stream, "sdk": dict(SDK), "device": dict(device)}
        if self._options.viewer_token:
            body["viewer_token"] = self._options.viewer_token
        headers = {"Content-Type": "application/json"}
        content = json.dumps(body).encode()
        session = (await self._call("sessions", {201}, headers, content)).json()
        await self._keys.refresh(older_than_s=JWKS_MAX_AGE_S)
        await self._accept_whole(str(session.get("jws", "")))
        self._token, urls = str(session.get("token", "")), session.get("urls")
        self._urls = {name: str(at) for name, at in urls.items()} if isinstance(urls, dict) else {}
        lifetime_s = max(_number(session.get("expires_in_s"), SESSION_S), MIN_SESSION_S)
        share = 0.8 + 0.15 * self._options.random()
        self._renew_at = self._now() + lifetime_s * share
        if self._options.automatic_events and self._beat_at == math.inf:
            self.track("session_start", {"sdk": SDK["name"], "sdk_version": SDK["version"]})
            self._beat_at = self._next_beat()

    async def _listen(self) -> None:
        """Hold one socket until it ends (Retry) or the session has been renewed (return)."""
        try:
            async with connect(
                re.sub("^http", "ws", self._url("live")),
                subprotocols=[PROTOCOL, Subprotocol(f"bearer.{self._token}")],
                origin=Origin(self._options.origin) if self._options.origin else None,
                compression=None,
                max_size=MAX_FRAME_BYTES,
                ping_interval=None,
                close_timeout=2,
                proxy=None,
            ) as socket:
                await self._converse(socket)
        except InvalidStatus as refusal:
            status, headers = refusal.response.status_code, refusal.response.headers
            floor_s = retry_after_s(headers.get("Retry-After"))
            ended = status in (401, 403, 404)
            raise Retry(f"socket: {status}", floor_s, drop_token=ended) from refusal
        except ConnectionClosed as closed:
            raise self._after_close(closed) from closed
        except (OSError, WebSocketException) as error:
            raise Retry(f"socket: {error!r}") from error
        finally:
            self._socket = None

    async def _converse(self, socket: ClientConnection) -> None:
        if socket.subprotocol != PROTOCOL:
            raise Retry("socket: another protocol was selected")
        self._bye, self._silence_s = {}, HELLO_TIMEOUT_S
        await socket.send(json.dumps({"type": "hello", "version": self.version, "sdk": SDK}))
        self._socket = socket
        while True:
            silent_at = self._now() + self._silence_s
            try:
                async with self._within(min(silent_at, self._renew_at) - self._now()):
                    text = await socket.recv()
            except TimeoutError:
                if self._now() >= silent_at:
                    await socket.close(4000)
                    raise Retry("socket: silent") from None
                try:
                    return await self._open_session()
                except Retry as retry:
                    self._report("waiting", f"renewal: {retry}")
                    self._renew_at = self._now() + self._wait_s(retry, 5)
            else:
                await self._receive(socket, text)

    def _after_close(self, closed: ConnectionClosed) -> Retry:
        code = closed.rcvd.code if closed.rcvd else 1006
        floor_s = _number(self._bye.get("retry_after_ms"), 0) / 1000
        why = f"socket closed: {code} {self._bye.get('code', '')}"
        spread_s = 0 if self._bye or self._live_since == math.inf else self._spread_s
        return Retry(why, floor_s, drop_token=code in TOKEN_ENDS, spread_s=spread_s)

    # --- frames

    async def _receive(self, socket: ClientConnection, text: str | bytes) -> None:
        received_at = time.perf_counter()
        try:
            frame = parse_object(text)
            if frame.get("type") == "ping":
                await socket.send('{"type":"pong"}')
            await self._follow(frame, received_at)
        except Refused as refused:
            if self._refuse(refused):
                self._gap.set()

    async def _follow(self, frame: JsonObject, received_at: float) -> None:
        match frame:
            case {"type": "hello", "heartbeat_s": int(every_s) | float(every_s)} if every_s > 0:
                self._silence_s = SILENT_HEARTBEATS * min(max(every_s, 1), MAX_HEARTBEAT_S)
                spread_ms = _number(frame.get("reconnect_spread_ms"), 1000)
                self._spread_s = min(spread_ms / 1000, MAX_FLOOR_S)
                self._live_since, self.status = self._now(), "live"
            case {"type": "config", "jws": str(jws)}:
                await self._accept(jws, received_at, frame)
            case {"type": "current" | "ping", "version": int(version)}:
                self._wanted = version
                if version > self.version:
                    self._gap.set()
            case {"type": "bye"}:
                self._bye, self._silence_s = frame, 1.0
            case {"type": str(kind)} if kind not in FRAMES_WITH_FIELDS:
                pass  # a later version of the protocol may send what this one does not know
            case _:
                raise Refused("malformed", "a frame without its type or fields")

    async def _accept(self, jws: str, received_at: float, frame: JsonObject | None = None) -> None:
        """Verify one JWS and put it in force, or raise Refused."""
        payload = await self._keys.verify(jws)
        if frame and any(frame.get(name) != payload.get(name) for name in ("base", "version")):
            raise Refused("malformed", "the frame and its signed content differ")
        self.stale = self.stale and frame is None
        before, after = self.snapshot, advanced(self.snapshot, payload, stream=self._stream)
        self.snapshot = after
        self._etag = ""
        if before is None or after.version > before.version:
            self._tell(before, after)
        self._cache.remember(jws, whole=not payload.get("base"), keys=self._keys)
        sample_pct = _number(self.get("sdk.applied_ack_sample_pct"), 100)
        if self._socket is None or self._options.random() * 100 >= sample_pct:
            return
        ack = {
            "type": "ack",
            "version": after.version,
            "applied_in_ms": round((time.perf_counter() - received_at) * 1000, 3),
            "overridden": sorted(self._options.local.keys() & after.settings.keys())[:100],
        }
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(json.dumps(ack))

    def _tell(self, before: Snapshot | None, after: Snapshot) -> None:
        old: Mapping[str, JsonValue] = before.settings if before else {}
        change = Change(
            version=after.version,
            published_at=after.published_at,
            values={k: v for k, v in after.settings.items() if k not in old or old[k] != v},
            removed=tuple(key for key in old if key not in after.settings),
        )
        for listener in self._listeners:
            try:
                listener(change)
            except Exception as error:  # an application's fault must not end delivery
                self._report("listener", repr(error))

    def _refuse(self, refused: Refused) -> bool:
        """Count a refusal; return whether the truth has to be fetched."""
        self._report(refused.reason, str(refused))
        return refused.reason != "older"

    # --- fetching the truth

    async def _fill_gap(self) -> None:
        await self._gap.wait()
        jitter_s = _number(self.get("sdk.refetch_jitter_ms"), 500) / 1000
        await self._pause(self._poke, min(jitter_s, BACKOFF_CAP_S) * self._options.random())
        self._gap.clear()
        try:
            if self._token:
                await self._fetch()
                if self.version < self._wanted:
                    raise Retry(f"config: {self.version} is still below {self._wanted}")
        except Retry as retry:
            if not retry.drop_token:  # else the answer to the next session decides
                self._gap.set()
                raise

    async def _fetch(self) -> None:
        """Get the whole snapshot and put it in force, or raise Retry."""
        headers = {"Accept": "application/jose"}
        if self._etag:
            headers["If-None-Match"] = self._etag
        answer = await self._call("config", {200, 304}, headers)
        self.stale = answer.headers.get("config-stale") == "1"
        if answer.status == 200:
            await self._accept_whole(answer.body.decode("latin-1").strip())
            self._etag = answer.headers.get("etag", "")

    async def _accept_whole(self, jws: str) -> None:
        try:
            await self._accept(jws, time.perf_counter())
        except Refused as refused:
            if self._refuse(refused):
                raise Retry(f"the configuration is refused: {refused}") from refused

    # --- events

    async def _send(self) -> None:
        await self._pause(self._flush_now, self._options.flush_s)
        if self._token and self._now() >= self._beat_at:
            self.track("heartbeat")
            self._beat_at = self._next_beat()
        while await self._send_batch():
            pass

    def _next_beat(self) -> float:
        return self._now() + _number(self.get("analytics.heartbeat_s"), 30)

    async def _send_batch(self) -> bool:
        """Send one batch; return whether more may be sent at once."""
        token = self._token
        batch = self._events.body() if token and token != self._events_refused_with else None
        if batch is None:
            return False
        content, headers = batch
        answer = await self._call("events", {202, 400, 403, 404, 413}, headers, content)
        if answer.status in (403, 404):
            self._events_refused_with = token
        elif answer.status != 413 or not self._events.halve():
            self._events.settle()
            rejected = answer.json().get("rejected")
            for one in rejected if isinstance(rejected, list) else []:
                self._report("event-rejected", json.dumps(one))
            if answer.status != 202:
                self._report("events-refused", answer.body.decode(errors="replace")[:500])
        return True

    # --- waiting, calling, telling

    async def _repeat(self, job: Callable[[], Awaitable[None]]) -> None:
        """Do a job for ever; when it cannot go on, wait as section 8 says."""
        failures = 0
        while True:
            try:
                await job()
                failures = 0
            except Retry as retry:
                if retry.sound:
                    failures = 0
                self._report("waiting", str(retry))
                await self._pause(self._poke, self._wait_s(retry, failures))
                failures += 1
            except Exception as fault:  # of the SDK itself: what is held stays, other jobs go on
                logger.exception("gantry_sdk.client.job_ended")
                self._report("internal", repr(fault))
                return

    def _wait_s(self, retry: Retry, failures: int) -> float:
        share, floor_s = self._options.random(), min(retry.floor_s, MAX_FLOOR_S)
        if retry.slow:
            return max(floor_s, SLOW_S[0] + (SLOW_S[1] - SLOW_S[0]) * share)
        window_s: float = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** min(failures, 10))
        return floor_s + share * max(window_s, 0 if failures else retry.spread_s)

    async def _pause(self, event: asyncio.Event, seconds: float) -> None:
        event.clear()
        with contextlib.suppress(TimeoutError):
            async with self._within(seconds):
                await event.wait()

    def _within(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds * self._options.time_scale)

    def _now(self) -> float:
        return time.monotonic() / self._options.time_scale

    def _url(self, name: str) -> str:
        return urljoin(self._base_url, self._urls.get(name, f"sdk/v1/{name}"))

    async def _call(
        self, name: str, expected: set[int], headers: dict[str, str], body: bytes | None = None
    ) -> Answer:
        """Return an expected answer, or raise Retry; a refused token is not used again."""
        token, method = self._token, "GET" if body is None else "POST"
        if name == "sessions":
            headers["X-SDK-Key"] = self._sdk_key
        else:
            headers["Authorization"] = f"Bearer {token}"
        if self._options.origin:
            headers["Origin"] = self._options.origin
        answer = await self._shared.http.call(method, self._url(name), headers, body)
        if answer.status in expected:
            return answer
        retry = answer.retry(name)
        if retry.drop_token and name != "sessions" and token == self._token:
            self._token = ""
            if self._socket:
                await self._socket.close()
        raise retry

    def _report(self, reason: str, detail: str) -> None:
        self.counters[reason] += 1
        for hook in self._error_hooks if reason != "older" else []:  # late frames are normal
            with contextlib.suppress(Exception):
                hook(reason, detail)


def _number(value: JsonValue, otherwise: float) -> float:
    return value if isinstance(value, int | float) and value >= 0 else otherwise

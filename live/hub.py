"""How does one message reach every socket of this process? The only live file at the channel layer.

One subscription per process. A frame arrives encoded and signed and is written as it is; what the
process may have missed is found out by comparing versions, never by trusting that nothing was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from redis.exceptions import RedisError

from analytics.intake import Intake
from core.push import GROUP
from live import admission, protocol, store
from live.admission import StorageAway
from live.delivery import Delivery
from live.freshness import Freshness
from live.protocol import Ending, Wire
from live.registry import Entry, Organization, Pair, Registry
from live.sockets import Socket
from live.watch import Watch
from sdk_keys import tokens
from sdk_keys.signing import known_ring

logger = logging.getLogger(__name__)
_jitter = random.SystemRandom()

ANNOUNCE_EVERY_S = 5.0
RESUBSCRIBE_AFTER_S = 1.0
STOP_PATIENCE_S = 2
MAX_UNGREETED = 4000
RESTART_SPREAD_MS_PER_SOCKET = 2
MIN_RESTART_SPREAD_MS = 1000

ENDINGS: dict[str, Ending] = {
    "key-revoked": protocol.REVOKED,
    "key-expired": protocol.REVOKED,
    "organization-suspended": protocol.SUSPENDED,
    "client-disabled": protocol.CLIENT_DISABLED,
    "stream-not-open": protocol.STREAM_NOT_OPEN,
    "unknown-stream": protocol.UNKNOWN_STREAM,
    "wrong-origin": protocol.WRONG_ORIGIN,
    "invalid-token": protocol.INVALID_TOKEN,
    "token-expired": protocol.EXPIRED,
    "unavailable": protocol.UNAVAILABLE,
}


class Hub:
    """The sockets of this process and everything that keeps them true."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.redis = store.async_redis()
        self.freshness = Freshness(self.registry, self.redis)
        self.delivery = Delivery()
        self.intake = Intake(settings.REDIS_URL)
        self.ungreeted: set[Socket] = set()
        self.lagging: set[Socket] = set()
        self.frames_sent = 0
        self.connected = 0
        self.subscribed = False
        self.stopping = False
        self.lag_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.watch = Watch(self)

    # ── start and stop ────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Begin to listen; works, on PostgreSQL alone, while Redis is away."""
        with contextlib.suppress(StorageAway):
            await self.freshness.ring()
        watch = self.watch
        for loop in (self._listen, watch.tick, watch.flush, watch.catch_up_lagging):
            self.spawn(self._forever(loop))

    async def stop(self) -> None:
        self.stopping = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_PATIENCE_S)
        layer: Any = get_channel_layer()
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(STOP_PATIENCE_S):
                await self.watch.retire_reports()
                await self.redis.aclose()
                await self.intake.close()
                await layer.flush()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forever(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Keep a loop alive: what it met is logged, and it starts again."""
        while not self.stopping:
            try:
                await loop()
            except (RedisError, OSError) as error:
                logger.warning("live.hub.redis_away error=%s", error)
            except Exception:
                logger.exception("live.hub.loop_failed")
            await asyncio.sleep(RESUBSCRIBE_AFTER_S)

    # ── tokens and sockets ────────────────────────────────────────────────────────────────────

    async def entry(self, authorization: bytes) -> Entry:
        """Return the verified token's entry with its pair ready, or raise a refusal."""
        found = self.registry.entries.get(authorization)
        if found is None or found.expires <= time.time():
            found = await self._verify(authorization)
        session = found.session
        organization = found.pair.organization
        if session.key not in organization.keys or not found.pair.judged:
            with contextlib.suppress(StorageAway):  # readers survive the storage being away
                await self.freshness.judge(organization, [found.pair], session.key)
        if organization.keys.get(session.key):
            raise admission.refused(organization.keys[session.key])
        self.registry.remember(authorization, found)
        await self.freshness.make_ready(found.pair)
        return found

    async def _verify(self, authorization: bytes) -> Entry:
        scheme, _, raw = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not raw:
            raise tokens.InvalidToken("send it as Authorization: Bearer <token>")
        token, at = raw.decode("latin-1").strip(), datetime.now(UTC)
        try:
            ring = await self.freshness.ring()
            try:
                session = tokens.read_session(token, ring=ring, at=at)
            except tokens.UnknownSigningKey:
                ring = await self.freshness.ring(refresh=True)
                session = tokens.read_session(token, ring=ring, at=at)
        except StorageAway as error:
            raise admission.refused("unavailable") from error
        organization = self.registry.organization(session.schema_name, session.organization)
        pair = organization.pair(session.stream, session.client)
        return Entry(
            session=session,
            pair=pair,
            expires=session.expires_at.timestamp(),
            kid=tokens.signed_by(token),
        )

    def opened(self, socket: Socket) -> None:
        self.connected += 1
        self.ungreeted.add(socket)

    @property
    def is_overloaded(self) -> bool:
        return self.stopping or len(self.ungreeted) >= MAX_UNGREETED

    async def greet(self, socket: Socket, hello: protocol.Hello) -> None:
        """Answer a client's hello and, from the same instant on, send it every change."""
        pair = socket.pair
        await self._announce(pair)
        await self.freshness.make_ready(pair)
        assert pair.frames is not None
        if socket.ending is not None:
            return
        version = pair.frames.snapshot.version
        self.ungreeted.discard(socket)
        socket.version = socket.applied = hello.version
        socket.sdk = f"{hello.sdk.name} {hello.sdk.version}" if hello.sdk else ""
        socket.put(protocol.hello_wire(version, self._reconnect_spread_ms()))
        if hello.version >= version:
            socket.put(protocol.current_wire(version))
        else:
            self.send_newest(socket)
        socket.next_ping_at = time.time() + _jitter.uniform(1, protocol.HEARTBEAT_S)
        pair.sockets.add(socket)
        self.delivery.joined(socket)

    def closed(self, socket: Socket) -> None:
        """Forget a socket, however it ended."""
        self.connected -= 1
        greeted = socket.version >= 0
        self.ungreeted.discard(socket)
        self.lagging.discard(socket)
        socket.pair.sockets.discard(socket)
        if greeted:
            self.delivery.left(socket)

    def acknowledged(self, socket: Socket, ack: protocol.Ack) -> None:
        self.delivery.applied(socket, ack.version, time.time())

    def _reconnect_spread_ms(self) -> int:
        spread = self.connected * protocol.RECONNECT_SPREAD_MS_PER_SOCKET
        return max(protocol.MIN_RECONNECT_SPREAD_MS, spread)

    async def _announce(self, pair: Pair) -> None:
        """Say that this pair has sockets, then look at the head: see `relay_config`."""
        now = time.time()
        if now - pair.announced_at < ANNOUNCE_EVERY_S or self.freshness.redis_away:
            return
        pair.announced_at = now
        organization = pair.organization
        name = store.topic(pair.stream, pair.client)
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                pipeline.zadd(store.presence_key(organization.schema_name), {name: now})
                pipeline.get(store.head_key(organization.schema_name))
                _, head = await pipeline.execute()
        except (RedisError, OSError):
            self.freshness.redis_away = True
            return
        if head is not None and int(head) > organization.head:
            await self.recover(organization, int(head))

    # ── frames ────────────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> None:
        layer: Any = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        self.subscribed = True
        logger.info("live.hub.subscribed")
        try:
            while True:
                message = await layer.receive(channel)
                self.fan_out(message["frames"])
        finally:
            self.subscribed = False

    def fan_out(self, frames: Iterable[dict[str, Any]]) -> None:
        """Write what arrived to the sockets it is for. Never waits."""
        received = set()
        for frame in frames:
            organization = self.registry.organizations.get(frame["schema_name"])
            if organization is None:
                continue
            kind = frame["kind"]
            if kind == "config":
                received.add((frame["schema_name"], frame["topic"]))
                self._push_config(organization, frame)
            elif kind == "head":
                self._raise_head(organization, json.loads(frame["text"]), received)
            elif kind == "revoke":
                self._revoke(organization, json.loads(frame["text"])["key"])
            elif kind == "standing":
                self.spawn(self._judge_again(organization))
            else:
                self._broadcast(organization, frame)

    def _push_config(self, organization: Organization, frame: dict[str, Any]) -> None:
        pair = organization.pairs.get(store.pair_of(frame["topic"]))
        if pair is None:
            return
        version, wire = frame["version"], Wire(frame["text"])
        base = protocol.base_of(frame["text"])
        behind = self._write_step(pair, base, version, wire)
        pair.answers = None
        self.spawn(self._take_in(pair, base, version, wire, behind))

    def _write_step(self, pair: Pair, base: int, version: int, wire: Wire) -> list[Socket]:
        """Write to everybody who holds the base; return those who hold something older."""
        behind: list[Socket] = []
        data, written = wire.data, 0
        for socket in pair.sockets:
            held = socket.version
            if held >= version:
                continue
            if (held != base and base) or socket.lagging_since:
                behind.append(socket)
                continue
            transport = socket.direct
            if transport is None:
                socket.put(wire)
            elif transport.is_closing():
                continue
            elif transport.get_write_buffer_size() > protocol.CALM_WAITING_BYTES:
                behind.append(socket)
                continue
            else:
                transport.write(data)
            socket.version = version
            written += 1
        self.frames_sent += written
        return behind

    async def _take_in(
        self, pair: Pair, base: int, version: int, wire: Wire, behind: list[Socket]
    ) -> None:
        """Get the snapshot the frame leads to, for those who ask next or were left behind."""
        async with pair.lock:
            if pair.snapshot is None or pair.snapshot.version < version:
                await self.freshness.load(pair.organization, [pair])
        if pair.frames is not None and pair.frames.snapshot.version == version and base:
            pair.frames.add_step(base, wire)
        pair.prepare(stale=self.freshness.storage_away)
        for socket in behind:
            self.send_newest(socket)

    def send_newest(self, socket: Socket) -> None:
        """Bring one socket to the newest snapshot, at once or as soon as it reads again."""
        frames = socket.pair.frames
        if frames is None or socket.ending is not None:
            return
        waiting = socket.waiting_bytes()
        if waiting > protocol.MAX_WAITING_BYTES:
            socket.end(protocol.SLOW)
        elif waiting > protocol.CALM_WAITING_BYTES:
            socket.lagging_since = socket.lagging_since or time.time()
            self.lagging.add(socket)
        else:
            socket.lagging_since = 0.0
            self.lagging.discard(socket)
            if socket.version < frames.snapshot.version:
                ring = known_ring()
                socket.put(frames.leading_from(socket.version, ring=ring, at=datetime.now(UTC)))
                socket.version = frames.snapshot.version
                self.frames_sent += 1

    def _raise_head(
        self, organization: Organization, news: dict[str, Any], received: set[tuple[str, str]]
    ) -> None:
        """Move to the next config version; pairs outside its scope stay good, the rest reload."""
        version = news["version"]
        organization.note_publish(version, news["sent_at"])
        self.lag_s = max(0.0, time.time() - news["sent_at"])
        contiguous = organization.head == version - 1
        if news["head"] <= organization.head:
            return
        organization.head = news["head"]
        missed = []
        for pair in organization.pairs.values():
            inside = news["stream"] in {None, pair.stream} and news["client"] in {None, pair.client}
            got_it = (organization.schema_name, store.topic(pair.stream, pair.client)) in received
            if contiguous and not inside:
                pair.good_at = max(pair.good_at, version)
            elif pair.sockets and not got_it:
                missed.append(pair)
            pair.prepare(stale=self.freshness.storage_away)
        if missed:
            self.spawn(self._reload(organization, missed))

    async def recover(self, organization: Organization, head: int) -> None:
        """Versions were missed: read again everything that has sockets."""
        organization.head = max(organization.head, head)
        for pair in organization.pairs.values():
            pair.prepare(stale=self.freshness.storage_away)
        pairs = [pair for pair in organization.pairs.values() if pair.sockets]
        await self._reload(organization, pairs)

    async def _reload(self, organization: Organization, pairs: list[Pair]) -> None:
        late = [pair for pair in pairs if not pair.is_current]
        if late:
            await self.freshness.load(organization, late)
        for pair in late:
            pair.prepare(stale=self.freshness.storage_away)
            for socket in list(pair.sockets):
                self.send_newest(socket)

    def _broadcast(self, organization: Organization, frame: dict[str, Any]) -> None:
        """Write a frame of another app as it is, to one topic or to the whole organization."""
        wire, topic = Wire(frame["text"]), frame["topic"]
        for pair in organization.pairs.values():
            if topic in {"", store.topic(pair.stream, pair.client)}:
                for socket in list(pair.sockets):
                    if socket.waiting_bytes() > protocol.MAX_WAITING_BYTES:
                        socket.end(protocol.SLOW)
                    else:
                        socket.put(wire)

    # ── who may stay ──────────────────────────────────────────────────────────────────────────

    def _revoke(self, organization: Organization, key: str) -> None:
        organization.keys[key] = "key-revoked"
        self.registry.forget_key(organization, key)
        self.end_refused(organization)

    async def _judge_again(self, organization: Organization) -> None:
        with contextlib.suppress(StorageAway):
            await self.freshness.judge(organization, organization.pairs.values())
            self.end_refused(organization)

    def distrust(self, trusted: Collection[str]) -> None:
        """Drop whatever a withdrawn key signed: tokens with their sockets, and snapshots."""
        self.registry.forget_signed_by_others(trusted)
        for pair in self.registry.pairs():
            for socket in [each for each in pair.sockets if each.entry.kid not in trusted]:
                socket.end(protocol.INVALID_TOKEN)
            if pair.snapshot is not None and pair.snapshot.kid not in trusted:
                pair.good_at, pair.answers = 0, None  # signed anew when asked for

    def end_refused(self, organization: Organization) -> None:
        everybody = [*organization.sockets()]
        everybody += [each for each in self.ungreeted if each.pair.organization is organization]
        for socket in everybody:
            pair, key = socket.pair, socket.entry.session.key
            refusal = organization.keys.get(key) or organization.refusal or pair.refusal
            if refusal:
                socket.end(ENDINGS[refusal])

    def say_goodbye(self) -> None:
        """Tell every socket to come back later, each at another moment."""
        self.stopping = True
        sockets = [socket for pair in self.registry.pairs() for socket in pair.sockets]
        sockets += list(self.ungreeted)
        spread = max(MIN_RESTART_SPREAD_MS, len(sockets) * RESTART_SPREAD_MS_PER_SOCKET)
        for socket in sockets:
            socket.end(protocol.restart(_jitter.randint(0, spread)))

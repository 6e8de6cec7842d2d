"""What did this process miss, and who went silent? The loops that compare, ask and report."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from live import protocol, store
from live.admission import StorageAway
from live.protocol import Wire
from live.registry import Organization
from live.sockets import Socket
from sdk_keys.signing import KeyRing

if TYPE_CHECKING:
    from live.hub import Hub

TICK_S = 1.0
FLUSH_S = 0.25
LAGGING_EVERY_S = 0.05
LAGGING_PATIENCE_S = 20
STANDING_EVERY_S = 3.0
IDLE_S = 600
DELIVERY_S = 30
SILENT_HUB_S = 15


class Watch:
    """The hub's clockwork."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._checked_at = 0.0
        self._trusted: frozenset[str] = frozenset()
        self._ticked_at = time.time()

    @property
    def is_turning(self) -> bool:
        return time.time() - self._ticked_at < SILENT_HUB_S

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = self._ticked_at = time.time()
            self._look_at_sockets(now)
            await self._compare_heads()
            if now - self._checked_at >= STANDING_EVERY_S:
                self._checked_at = now
                await self._ask_storage()
                await self._announce_all(now)
                self.drop_idle(now)

    def _look_at_sockets(self, now: float) -> None:
        for socket in [
            s for s in self.hub.ungreeted if now - s.opened_at > protocol.HELLO_TIMEOUT_S
        ]:
            socket.end(protocol.HELLO_TIMEOUT)
        for pair in self.hub.registry.pairs():
            snapshot = pair.snapshot
            if not pair.sockets or snapshot is None:
                continue
            ping = protocol.ping_wire(snapshot.version)
            for socket in [s for s in pair.sockets if now >= s.next_ping_at]:
                self._ping(socket, ping, now)

    def _ping(self, socket: Socket, ping: Wire, now: float) -> None:
        if now >= socket.entry.expires:
            socket.end(protocol.EXPIRED)
        elif now - socket.heard_at > protocol.SILENCE_S:
            socket.end(protocol.SLOW)
        elif not socket.lagging_since:
            socket.put(ping)
        socket.next_ping_at = min(now + protocol.HEARTBEAT_S, max(socket.entry.expires, now + 1))

    async def catch_up_lagging(self) -> None:
        while True:
            await asyncio.sleep(LAGGING_EVERY_S)
            now = time.time()
            for socket in list(self.hub.lagging):
                if now - socket.lagging_since > LAGGING_PATIENCE_S:
                    self.hub.lagging.discard(socket)
                    socket.end(protocol.SLOW)
                else:
                    self.hub.send_newest(socket)

    async def _compare_heads(self) -> None:
        """Find versions whose frames never came. One second of grace: they may be on their way."""
        organizations = [each for each in self.hub.registry.organizations.values() if each.head]
        keys = [store.head_key(each.schema_name) for each in organizations]
        try:
            heads = await self.hub.redis.mget(keys) if keys else []
            await self.hub.redis.ping()
        except (RedisError, OSError):
            self.hub.freshness.redis_away = True
        else:
            if self.hub.freshness.redis_away:
                self.hub.freshness.redis_away = False
                self.hub.delivery.mark_all()
            for organization, head in zip(organizations, heads, strict=True):
                await self._compare_head(organization, int(head or 0))

    async def _compare_head(self, organization: Organization, head: int) -> None:
        known = max(head, organization.suspected_head)
        if known > organization.head and organization.suspected_head >= known:
            await self.hub.recover(organization, known)
        organization.suspected_head = max(known, organization.head)

    async def _ask_storage(self) -> None:
        """Ask PostgreSQL who may stay and which version is in force."""
        for organization in list(self.hub.registry.organizations.values()):
            try:
                await self.hub.freshness.judge(
                    organization, organization.pairs.values(), patiently=True
                )
            except StorageAway:
                self.hub.freshness.set_storage_away(away=True)
                return
            self.hub.end_refused(organization)
            if self.hub.freshness.redis_away or not self.hub.subscribed:
                await self._compare_head(organization, organization.suspected_head)
        if self.hub.freshness.storage_away:
            await self._storage_is_back()
        else:
            with contextlib.suppress(StorageAway):
                self._compare_keys(await self.hub.freshness.ring(refresh=True))

    def _compare_keys(self, ring: KeyRing) -> None:
        """Drop what was signed by a key that is published no more."""
        trusted = frozenset(ring.verifiers)
        if self._trusted - trusted:
            self.hub.distrust(trusted)
        self._trusted = trusted

    async def _storage_is_back(self) -> None:
        try:
            await self.hub.freshness.ring(refresh=True)
        except StorageAway:
            return
        self.hub.freshness.set_storage_away(away=False)
        for organization in list(self.hub.registry.organizations.values()):
            await self.hub.recover(organization, organization.suspected_head)

    async def _announce_all(self, now: float) -> None:
        with contextlib.suppress(RedisError, OSError):
            for organization in list(self.hub.registry.organizations.values()):
                names = {
                    store.topic(pair.stream, pair.client): now
                    for pair in organization.pairs.values()
                    if pair.sockets
                }
                if names:
                    await self.hub.redis.zadd(store.presence_key(organization.schema_name), names)

    def drop_idle(self, now: float) -> None:
        """Forget pairs that nobody asks for. One that a token still names stays: whoever comes
        with it would otherwise sit on a pair that no push reaches."""
        self.hub.registry.forget_expired(now)
        idle = {
            pair
            for pair in self.hub.registry.pairs()
            if not pair.sockets and now - pair.used_at > IDLE_S
        }
        if idle:
            idle -= {entry.pair for entry in self.hub.registry.entries.values()}
        for pair in idle:
            organization = pair.organization
            del organization.pairs[pair.stream, pair.client]
            if not organization.pairs:
                del self.hub.registry.organizations[organization.schema_name]

    async def flush(self) -> None:
        written_at = 0.0
        while True:
            await asyncio.sleep(FLUSH_S)
            if time.time() - written_at > DELIVERY_S / 3:
                self.hub.delivery.mark_all()  # before the reports expire
                written_at = time.time()
            await self._write_reports()

    async def _write_reports(self) -> None:
        reports = self.hub.delivery.take_changes()
        if not reports:
            return
        process, now = self.hub.delivery.process, time.time()
        try:
            async with self.hub.redis.pipeline(transaction=False) as pipeline:
                for schema_name, fields in reports.items():
                    key = store.delivery_key(schema_name, process)
                    pipeline.hset(key, items=[each for pair in fields.items() for each in pair])
                    pipeline.expire(key, DELIVERY_S)
                    pipeline.zadd(store.processes_key(schema_name), {process: now})
                await pipeline.execute()
        except (RedisError, OSError):
            self.hub.delivery.give_back(reports)
            raise

    async def retire_reports(self) -> None:
        for schema_name in self.hub.registry.organizations:
            await self.hub.redis.delete(store.delivery_key(schema_name, self.hub.delivery.process))
            await self.hub.redis.zrem(store.processes_key(schema_name), self.hub.delivery.process)

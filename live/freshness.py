"""Is what this process holds still true? Redis is asked first, PostgreSQL when it must be."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from redis import asyncio as aioredis
from redis.exceptions import RedisError

from live import admission, store
from live.admission import StorageAway
from live.registry import Organization, Pair, Registry
from live.snapshots import Snapshot, sign
from sdk_keys.signing import KeyRing, known_ring, refresh_ring

logger = logging.getLogger(__name__)

KEYS_EVERY_S = 20
LOAD_ATTEMPTS = 3


class Freshness:
    """Loads snapshots, and knows whether the storage can be reached at all."""

    def __init__(self, registry: Registry, redis: aioredis.Redis) -> None:
        self.registry = registry
        self.redis = redis
        self.storage_away = False
        self.redis_away = False
        self._keys_read_at = 0.0

    async def ring(self, *, refresh: bool = False) -> KeyRing:
        """Return the signing keys; asked to refresh, reads them at most every twenty seconds."""
        due = time.monotonic() - self._keys_read_at > KEYS_EVERY_S
        if not self._keys_read_at or (refresh and due):
            await admission.ask(refresh_ring, datetime.now(UTC))
            self._keys_read_at = time.monotonic()
        return known_ring()

    async def make_ready(self, pair: Pair) -> None:
        """Leave the pair with answers, or raise Refused."""
        pair.used_at = time.time()
        if pair.answers is not None:
            return
        async with pair.lock:
            for _ in range(LOAD_ATTEMPTS):  # a change may land while it is being loaded
                if pair.is_current or self._serves_from_memory(pair):
                    break
                await self.load(pair.organization, [pair])
        if pair.is_refused:
            raise admission.refused(pair.organization.refusal or pair.refusal)
        pair.prepare(stale=self.storage_away)
        if pair.answers is None:
            pair.prepare(stale=True)  # loading just failed: what memory holds is served as stale
        if pair.answers is None:
            raise admission.refused("unavailable")

    def _serves_from_memory(self, pair: Pair) -> bool:
        return self.storage_away and pair.snapshot is not None

    async def load(self, organization: Organization, pairs: Iterable[Pair]) -> None:
        """Bring pairs up to date as far as anybody can be reached."""
        missing = [pair for pair in pairs if not await self._load_from_redis(pair)]
        if not missing or self.storage_away:
            return
        try:
            await self._resolve(organization, missing)
        except StorageAway as error:
            if error.certain:
                self.set_storage_away(away=True)

    async def _load_from_redis(self, pair: Pair) -> bool:
        """Take what another process stored; True when that is known to be current."""
        organization = pair.organization
        if self.redis_away:
            return False
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                pipeline.get(store.head_key(organization.schema_name))
                pipeline.hgetall(
                    store.snapshot_key(organization.schema_name, pair.stream, pair.client)
                )
                head, fields = await pipeline.execute()
        except (RedisError, OSError):
            self.redis_away = True  # until the hub's next look at the heads succeeds
            return False
        found = store.read_snapshot(fields)
        if found is None or known_ring().verifier(found[0].kid, datetime.now(UTC)) is None:
            return False
        snapshot, good_at = found
        held = pair.snapshot
        if held is None or snapshot.version >= held.version:
            pair.install(snapshot, good_at)
        organization.head = max(organization.head, int(head or 0))
        return head is not None and pair.is_current

    async def _resolve(self, organization: Organization, pairs: list[Pair]) -> None:
        wanted = {(pair.stream, pair.client): pair for pair in pairs}
        found = await admission.ask(
            admission.resolve_pairs, organization.schema_name, organization.slug, list(wanted)
        )
        ring, at = await self.ring(refresh=True), datetime.now(UTC)
        for resolved in found:
            pair = wanted[resolved.stream, resolved.client]
            held = pair.snapshot
            if held is not None and held.version == resolved.version and held.kid in ring.verifiers:
                snapshot = held
            else:
                snapshot = sign(resolved, ring=ring, at=at)
            organization.head = max(organization.head, resolved.head)
            pair.install(snapshot, resolved.head)
            await self._share(pair, snapshot, resolved.head)

    async def _share(self, pair: Pair, snapshot: Snapshot, head: int) -> None:
        """Store for the other processes; without Redis each resolves for itself."""
        schema_name = pair.organization.schema_name
        if self.redis_away:
            return
        key = store.snapshot_key(schema_name, pair.stream, pair.client)
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                pipeline.eval(store.STORE, 1, key, *store.store_arguments(snapshot, head))
                pipeline.eval(store.RAISE, 1, store.head_key(schema_name), head)
                await pipeline.execute()
        except (RedisError, OSError):
            self.redis_away = True

    async def judge(
        self,
        organization: Organization,
        pairs: Iterable[Pair],
        key: str = "",
        *,
        patiently: bool = False,
    ) -> None:
        """Ask who may stay, and keep the answer; StorageAway leaves everything as it was."""
        wanted = {(pair.stream, pair.client): pair for pair in pairs}
        keys = {*organization.keys, key} - {""}
        ask = admission.ask_patiently if patiently else admission.ask
        answer = await ask(admission.standing, organization.schema_name, list(wanted), keys)
        organization.refusal = answer.organization or ""
        for name in keys:
            organization.keys[name] = answer.keys.get(name, "")
        for names, pair in wanted.items():
            pair.judged = True
            pair.refusal = answer.pairs.get(names, "")
        if not organization.head:
            organization.head = answer.head
        organization.suspected_head = max(organization.suspected_head, answer.head)
        for pair in organization.pairs.values():
            pair.prepare(stale=self.storage_away)

    def set_storage_away(self, *, away: bool) -> None:
        """From now on serve from memory and say so, or trust again what is known to be good."""
        if away == self.storage_away:
            return
        self.storage_away = away
        logger.warning("live.storage.%s", "away" if away else "back")
        for pair in self.registry.pairs():
            if away and pair.snapshot is None:
                continue
            pair.prepare(stale=away)

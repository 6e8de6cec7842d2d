"""Are these events safe, so that we may say they are accepted?"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

import msgspec
from django.conf import settings
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from analytics import buffer
from analytics.batches import Batch, Rejection, read_batch
from analytics.events import BatchHeader
from core.errors import DomainError
from core.tenancy import org_key

MAX_CONNECTIONS = 256
RECENT_IDS = 20_000
PSEUDONYMS_KEPT = 10_000
RETRY_AFTER_S = 5
BATCH_REMEMBERED_S = 300


class IntakeUnavailable(DomainError):
    """The events could not be made durable; the sender keeps them and tries again."""

    slug = "unavailable"
    status = 503
    title = "Events cannot be stored now"
    retry_after_s = RETRY_AFTER_S


@dataclass(frozen=True, kw_only=True)
class Source:
    """Who sent the batch, taken from the verified session token and never from the body."""

    schema_name: str
    organization: str
    stream: str
    client: str
    key: str
    viewer: str
    session: str
    platform: str = ""
    sdk: str = ""
    country: str = ""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of a batch; accepted + duplicate + rejected = sent."""

    accepted: int
    duplicate: int
    rejected: tuple[Rejection, ...] = ()

    def body(self) -> bytes:
        """Return the JSON of the 202 answer."""
        return msgspec.json.encode(self)


class _RecentIds:
    """Ids this process accepted lately, by organization; bounded, and only a first sieve.

    What slips through (another process, older ids) is counted once by ClickHouse all the same.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self.newer: dict[str, set[str]] = {}
        self.older: dict[str, set[str]] = {}

    def known(self, schema_name: str, ids: set[str]) -> set[str]:
        found: set[str] = set()
        for generation in (self.newer, self.older):
            kept = generation.get(schema_name)
            if kept and not ids.isdisjoint(kept):
                found |= ids & kept
        return found

    def add(self, schema_name: str, ids: set[str]) -> None:
        if self.count + len(ids) > self.limit:
            self.older, self.newer, self.count = self.newer, {}, 0
        self.newer.setdefault(schema_name, set()).update(ids)
        self.count += len(ids)


class Intake:
    """The door for events: one object per process and event loop.

    The HTTP edge uses it like this (401, 403, 404 and 429 are decided before, from the token):

        intake = Intake(settings.REDIS_URL)               # connects when first used
        try:
            receipt = await intake.accept(
                body,                                     # raw bytes, at most MAX_BODY_BYTES read
                source=Source(schema_name=…, organization=…, stream=…, client=…, key=…,
                              viewer=claims.sub, session=claims.jti),
                content_type=headers["content-type"],
                content_encoding=headers["content-encoding"],
                at=datetime.now(UTC),
            )
        except DomainError as error:                      # 400, 413, 503
            … problem_of(error), status error.status
            … for IntakeUnavailable also `Retry-After: error.retry_after_s`
        … 202, application/json, receipt.body()
        await intake.close()                              # when the process stops
    """

    def __init__(self, redis_url: str, *, max_buffer_bytes: int = buffer.MAX_BYTES) -> None:
        # One connection for each batch that waits for Redis; who comes when all wait tries again.
        pool = redis.ConnectionPool.from_url(
            redis_url,
            max_connections=MAX_CONNECTIONS,
            socket_connect_timeout=1,
            socket_timeout=2,
            retry=Retry(NoBackoff(), 1),
        )
        self._redis = redis.Redis.from_pool(pool)
        self._add = self._redis.register_script(buffer.ADD)
        self._recent = _RecentIds(RECENT_IDS)
        self._max_buffer_bytes = max_buffer_bytes

    async def close(self) -> None:
        await self._redis.aclose()

    async def accept(
        self,
        body: bytes,
        *,
        source: Source,
        content_type: str = "application/json",
        content_encoding: str = "",
        at: datetime,
    ) -> Receipt:
        """Validate a batch and return what became of it, once the accepted events are durable.

        Raises InvalidJSON (400), TooLarge (413) and IntakeUnavailable (503 with Retry-After).
        """
        batch = read_batch(
            body,
            content_type=content_type,
            content_encoding=content_encoding,
            known=partial(self._recent.known, source.schema_name),
            at=at,
        )
        new = len(batch.events)
        if new or batch.duplicate or batch.rejected:
            new = await self._store(batch, source, at)
        return Receipt(
            accepted=new,
            duplicate=batch.duplicate + len(batch.events) - new,
            rejected=tuple(batch.rejected),
        )

    async def _store(self, batch: Batch, source: Source, at: datetime) -> int:
        """Put the batch into the buffer and return how many of its events are new."""
        accepted = len(batch.events)
        reasons = Counter(rejection.reason for rejection in batch.rejected)
        header = _header(source, at, accepted, batch.duplicate, reasons)
        counts_only = _header(source, at, 0, batch.duplicate + accepted, reasons)
        digest = hashlib.sha256("".join(event.id for event in batch.events).encode()).hexdigest()
        marker = org_key(source.schema_name, "events", source.stream, digest)
        payload = header + b"\n" + batch.text
        try:
            answer = await self._add(
                keys=[buffer.STREAM, buffer.BYTES, marker],
                args=[payload, self._max_buffer_bytes, BATCH_REMEMBERED_S, counts_only],
            )
        except (RedisError, OSError) as error:
            raise IntakeUnavailable(
                "The event buffer is not reachable. Keep the events."
            ) from error
        if answer == b"full":
            raise IntakeUnavailable("The event buffer is full. Keep the events.")
        self._recent.add(source.schema_name, batch.ids)
        return 0 if answer == b"seen" else accepted


@lru_cache(PSEUDONYMS_KEPT)
def pseudonym(schema_name: str, subject: str) -> int:
    """Return the number that stands for a viewer or session of one organization.

    Keyed with SECRET_KEY: the same person is another number in another organization, and nobody
    gets from the number back to the person.
    """
    message = f"{schema_name}\0{subject}".encode()
    mac = hmac.digest(settings.SECRET_KEY.encode(), message, "sha256")
    return int.from_bytes(mac[:8], "big")


def _header(
    source: Source, at: datetime, accepted: int, duplicate: int, rejected: dict[str, int]
) -> bytes:
    return msgspec.json.encode(
        BatchHeader(
            schema_name=source.schema_name,
            organization=source.organization,
            stream=source.stream,
            client=source.client,
            key=source.key,
            viewer=pseudonym(source.schema_name, source.viewer),
            session=pseudonym(source.schema_name, source.session),
            received_at=at,
            platform=source.platform,
            sdk=source.sdk,
            country=source.country,
            accepted=accepted,
            duplicate=duplicate,
            rejected=rejected,
        )
    )

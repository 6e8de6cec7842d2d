"""Is this process alive, may it get traffic, what has it counted? Works without a database."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connection
from redis.exceptions import RedisError

from analytics import clickhouse
from core.errors import DomainError
from core.models import OutboxEntry
from core.tenancy import organization_context, public_context
from live import admission
from live.admission import StorageAway
from live.metrics import render
from live.process import current_hub
from tenants import provisioning
from tenants.models import Organization

METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
OUTBOX_ORGANIZATIONS = 1000
OUTBOX_EVERY_S = 10
CLICKHOUSE_TIMEOUT_S = 2

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Unwell(Exception):
    """A part does not work; the text says how."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing this process stands on. Without a needed one it should get no traffic."""

    name: str
    check: Callable[[], Awaitable[None]]
    needed: bool


async def alive(scope: Any, receive: Any, send: Send) -> None:
    """`GET /livez`: the loop turns."""
    await _answer(send, 200, b'{"status":"ok"}', b"application/json")


async def ready(scope: Any, receive: Any, send: Send) -> None:
    """`GET /readyz`: every part by name; 503 when a needed one is away."""
    parts: dict[str, dict[str, object]] = {}
    status = "ok"
    for part in PARTS:
        started, problem = time.perf_counter(), ""
        try:
            await part.check()
        except Unwell as error:
            problem = str(error)
            status = "unavailable" if part.needed else _worse(status)
        parts[part.name] = {
            "status": "away" if problem else "ok",
            "needed": part.needed,
            "ms": round((time.perf_counter() - started) * 1000, 1),
            "detail": problem,
        }
    body = json.dumps({"status": status, "parts": parts}).encode()
    await _answer(send, 503 if status == "unavailable" else 200, body, b"application/json")


def _worse(status: str) -> str:
    return "degraded" if status == "ok" else status


async def metrics(scope: Any, receive: Any, send: Send) -> None:
    """`GET /metrics`: Prometheus text; numbers of this process, nothing of a tenant."""
    await _answer(send, 200, render(current_hub(), await _outbox_waiting()), METRICS_TYPE)


async def _postgresql() -> None:
    try:
        await admission.ask(_select_one)
    except StorageAway as error:
        raise Unwell("PostgreSQL does not answer.") from error


def _select_one() -> None:
    with public_context(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def _migrations() -> None:
    try:
        migrated = await admission.ask(_is_migrated)
    except StorageAway as error:
        raise Unwell("PostgreSQL does not answer.") from error
    if not migrated:
        raise Unwell("Migrations are waiting: run `manage.py prepare`.")


def _is_migrated() -> bool:
    return provisioning.is_migrated(_migrations_on_disk())


@lru_cache(maxsize=1)
def _migrations_on_disk() -> str:
    return provisioning.migrations_digest()


async def _redis() -> None:
    try:
        await current_hub().redis.ping()
    except (RedisError, OSError) as error:
        raise Unwell("Redis does not answer.") from error


async def _clickhouse() -> None:
    try:
        async with asyncio.timeout(CLICKHOUSE_TIMEOUT_S):
            # Not the database's thread, which a ClickHouse that hangs would hold up.
            await asyncio.get_running_loop().run_in_executor(None, clickhouse.ping)
    except (DomainError, TimeoutError) as error:
        raise Unwell("ClickHouse does not answer.") from error


async def _hub() -> None:
    hub = current_hub()
    if hub.stopping:
        raise Unwell("The process is shutting down.")
    if not hub.watch.is_turning:
        raise Unwell("The hub's loop has stopped.")


# Redis and ClickHouse away cost latency and charts, not correctness: a process without them still
# serves, so a balancer must not take every process out at once.
PARTS = (
    Part(name="postgresql", check=_postgresql, needed=True),
    Part(name="migrations", check=_migrations, needed=True),
    Part(name="live hub", check=_hub, needed=True),
    Part(name="redis", check=_redis, needed=False),
    Part(name="clickhouse", check=_clickhouse, needed=False),
)

_outbox = (0.0, -1)


async def _outbox_waiting() -> int:
    """Return the rows waiting in every outbox, counted at most every ten seconds; -1: unknown."""
    global _outbox
    counted_at, waiting = _outbox
    if time.monotonic() - counted_at > OUTBOX_EVERY_S:
        try:
            waiting = await admission.ask(_count_outbox)
        except StorageAway:
            waiting = -1
        _outbox = (time.monotonic(), waiting)
    return waiting


def _count_outbox() -> int:
    with public_context():
        organizations = Organization.objects.active().values_list("schema_name", flat=True)
        schema_names = list(organizations[:OUTBOX_ORGANIZATIONS])
    waiting = 0
    for schema_name in schema_names:
        with organization_context(schema_name):
            waiting += OutboxEntry.objects.filter(relayed_at__isnull=True).count()
    return waiting


async def _answer(send: Send, status: int, body: bytes, content_type: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


ROUTES: dict[str, Callable[[Any, Any, Send], Awaitable[None]]] = {
    "/livez": alive,
    "/readyz": ready,
    "/metrics": metrics,
}

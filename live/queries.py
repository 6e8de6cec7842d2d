"""How many SDKs are connected, and how far has a change come? Read from what processes report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from redis.exceptions import RedisError

from core.errors import DomainError, NotFound
from live import store
from live.delivery import Report
from live.store import Pair
from settings_hierarchy.models import Change
from streams.models import Client, Platform

REPORTS_S = 30
_report = msgspec.json.Decoder(Report)


class DeliveryUnknown(DomainError):
    slug = "unavailable"
    status = 503
    title = "Delivery is not known now"

    def __init__(self) -> None:
        super().__init__("Connected SDKs cannot be counted while Redis is away; delivery goes on.")


class UnknownChange(NotFound):
    slug = "unknown-version"
    title = "Unknown config version"


@dataclass(kw_only=True)
class PairReport:
    """What all processes together say about one client on one stream."""

    stream: str
    client: str
    connected: int = 0
    versions: Counter[int] = field(default_factory=Counter)
    sdks: Counter[str] = field(default_factory=Counter)
    took_ms: dict[int, Counter[int]] = field(default_factory=dict)

    def add(self, report: Report) -> None:
        self.connected += report.connected
        self.versions.update(report.versions)
        self.sdks.update(report.sdks)
        for version, counts in report.took_ms.items():
            self.took_ms.setdefault(version, Counter()).update(counts)

    def applied(self, version: int) -> int:
        """Return how many sockets run this version or a later one."""
        return sum(count for held, count in self.versions.items() if held >= version)


@dataclass(frozen=True, kw_only=True)
class ClientLine:
    """One client of a delivery or of the connected SDKs."""

    client: str
    name: str
    platform: str
    platform_label: str
    connected: int
    applied: int
    versions: Sequence[tuple[int, int]]  # version, sockets; newest first

    @property
    def lagging(self) -> int:
        return self.connected - self.applied


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How far one config version has come among the SDKs connected now."""

    version: int
    applied: int
    connected: int
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    clients: Sequence[ClientLine]

    @property
    def is_complete(self) -> bool:
        return self.applied >= self.connected


@dataclass(frozen=True, kw_only=True)
class Connected:
    """The SDKs connected now."""

    total: int
    streams: int
    clients: Sequence[ClientLine]
    platforms: Sequence[tuple[str, str, int]]  # platform, its label, sockets; most first


def reports(schema_name: str) -> list[PairReport]:
    """Return what every live process of the organization reports, added up per pair."""
    redis, found = store.sync_redis(), dict[Pair, PairReport]()
    try:
        since = time.time() - REPORTS_S
        processes: Any = redis.zrangebyscore(store.processes_key(schema_name), since, "+inf")
        pipeline = redis.pipeline(transaction=False)
        for process in processes:
            pipeline.hgetall(store.delivery_key(schema_name, process.decode()))
        answers: list[Mapping[bytes, bytes]] = pipeline.execute()
    except (RedisError, OSError) as error:
        raise DeliveryUnknown from error
    for fields in answers:
        for name, raw in fields.items():
            stream, client = store.pair_of(name.decode())
            pair = found.setdefault((stream, client), PairReport(stream=stream, client=client))
            pair.add(_report.decode(raw))
    return list(found.values())


def within(rows: Iterable[PairReport], stream: str | None, client: str | None) -> list[PairReport]:
    return [row for row in rows if stream in {None, row.stream} and client in {None, row.client}]


def reach(schema_name: str, *, stream: str | None = None, client: str | None = None) -> int:
    """Return how many connected SDKs a change at this scope reaches."""
    return sum(row.connected for row in within(reports(schema_name), stream, client))


def connected(schema_name: str, *, stream: str | None = None) -> Connected:
    """Return the connected SDKs by client and by platform."""
    rows = [row for row in within(reports(schema_name), stream, None) if row.connected > 0]
    lines = _lines(rows, version=max((max(+row.versions, default=0) for row in rows), default=0))
    platforms = Counter[str]()
    for line in lines:
        platforms[line.platform] += line.connected
    labels = dict(Platform.choices)
    return Connected(
        total=sum(row.connected for row in rows),
        streams=len({row.stream for row in rows}),
        clients=lines,
        platforms=[
            (platform, str(labels.get(platform, platform)), count)
            for platform, count in platforms.most_common()
        ],
    )


def last_change(*, stream: str | None, version: int | None) -> Change | None:
    """Return the change of a version, or the newest that reaches a stream; None: there is none.

    Raises UnknownChange for a version that never was.
    """
    changes = Change.objects.select_related("stream", "client")
    if version is not None:
        found = changes.filter(version=version).first()
        if found is None:
            raise UnknownChange(f"There is no version {version}.")
        return found
    if stream is not None:
        changes = changes.filter(stream__isnull=True) | changes.filter(stream__slug=stream)
    return changes.order_by("-version").first()


def delivery(
    schema_name: str, change: Change, *, stream: str | None = None, client: str | None = None
) -> Delivery:
    """Return how many of the connected SDKs that a change reaches run it, and how soon they did."""
    rows = within(
        reports(schema_name),
        change.stream.slug if change.stream else None,
        change.client.slug if change.client else None,
    )
    rows = [row for row in within(rows, stream, client) if row.connected > 0]
    took = Counter[int]()
    for row in rows:
        took.update(row.took_ms.get(change.version, {}))
    lines = _lines(rows, version=change.version)
    return Delivery(
        version=change.version,
        applied=sum(row.applied(change.version) for row in rows),
        connected=sum(row.connected for row in rows),
        p50_ms=percentile(took, 50),
        p95_ms=percentile(took, 95),
        p99_ms=percentile(took, 99),
        clients=lines,
    )


def percentile(counts: Mapping[int, int], percent: int) -> int | None:
    """Return the smallest value that this share of the observations does not exceed."""
    total = sum(counts.values())
    if not total:
        return None
    wanted, seen = total * percent / 100, 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= wanted:
            return value
    return max(counts)


def _lines(rows: Iterable[PairReport], *, version: int) -> list[ClientLine]:
    by_client: dict[str, PairReport] = {}
    for row in rows:
        held = by_client.setdefault(row.client, PairReport(stream="", client=row.client))
        held.connected += row.connected
        held.versions.update(row.versions)
    clients = {client.slug: client for client in Client.objects.filter(slug__in=by_client)}
    lines = [_line(clients.get(slug), row, version) for slug, row in by_client.items()]
    return sorted(lines, key=lambda line: (-line.connected, line.name))


def _line(client: Client | None, row: PairReport, version: int) -> ClientLine:
    return ClientLine(
        client=row.client,
        name=client.name if client else row.client,
        platform=client.platform if client else "",
        platform_label=client.get_platform_display() if client else "",
        connected=row.connected,
        applied=row.applied(version),
        versions=sorted((+row.versions).items(), reverse=True),
    )

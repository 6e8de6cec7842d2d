"""What does the audience of a stream do, minute by minute?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from analytics import buffer, clickhouse
from analytics.events import FAMILIES, TYPES

MINUTE_S = 60


@dataclass(frozen=True, kw_only=True)
class Window:
    """How far back a chart looks and how fine its buckets are."""

    name: str
    label: str
    length_s: int
    step_s: int
    question: str


WINDOWS: Mapping[str, Window] = MappingProxyType(
    {
        window.name: window
        for window in (
            Window(
                name="15m",
                label="15 minutes",
                length_s=15 * MINUTE_S,
                step_s=10,
                question="stream_events",
            ),
            Window(
                name="1h",
                label="60 minutes",
                length_s=60 * MINUTE_S,
                step_s=MINUTE_S,
                question="stream_minutes",
            ),
            Window(
                name="6h",
                label="6 hours",
                length_s=360 * MINUTE_S,
                step_s=MINUTE_S,
                question="stream_minutes",
            ),
        )
    }
)


@dataclass(frozen=True, kw_only=True)
class BucketEvents:
    bucket: int
    type: str
    events: int


@dataclass(frozen=True, kw_only=True)
class BucketViewers:
    bucket: int
    viewers: int


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a chart, a value for every bucket."""

    label: str
    values: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Minute:
    """One minute of the table that says the same as the charts."""

    at: datetime
    viewers: int
    events: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What a stream's audience did in a window; empty lines mean zero, never unknown."""

    window: Window
    as_of: datetime
    buckets: tuple[int, ...]
    families: tuple[Line, ...]
    minutes: tuple[Minute, ...]

    @property
    def is_empty(self) -> bool:
        return not any(minute.viewers or any(minute.events) for minute in self.minutes)

    @property
    def viewers_now(self) -> int:
        """Viewers in the last whole minute."""
        return self.minutes[-1].viewers

    @property
    def events_a_minute(self) -> int:
        """Events in the last whole minute."""
        return sum(self.minutes[-1].events)

    @property
    def most_viewers(self) -> int:
        return max(minute.viewers for minute in self.minutes)


def stream_activity(schema_name: str, stream: str, *, window: Window, at: datetime) -> Activity:
    """Return events by family and viewers by minute of one stream, for whole buckets before `at`.

    Raises AnalyticsUnavailable.
    """
    now_s = int(at.timestamp())
    until = now_s // window.step_s * window.step_s
    since = until - window.length_s
    last_minute = now_s // MINUTE_S * MINUTE_S
    span: dict[str, clickhouse.Parameter] = {
        "stream": stream,
        "since": since,
        "until": until,
        "step": window.step_s,
    }
    found = clickhouse.ask(BucketEvents, window.question, organization=schema_name, **span)
    minute_span: dict[str, clickhouse.Parameter] = {
        "stream": stream,
        "since": since,
        "until": last_minute,
    }
    viewers = clickhouse.ask(
        BucketViewers, "stream_viewers", organization=schema_name, **minute_span
    )
    buckets = tuple(range(since, until, window.step_s))
    first_minute = -(-since // MINUTE_S) * MINUTE_S
    return Activity(
        window=window,
        as_of=at.astimezone(UTC),
        buckets=buckets,
        families=_by_family(found, buckets, window.step_s),
        minutes=tuple(_minutes(found, viewers, range(first_minute, last_minute, MINUTE_S))),
    )


def ingest_lag_s() -> float | None:
    """Return for how long the oldest event has waited to be stored; None when nobody knows."""
    try:
        waiting: Any = _redis(settings.REDIS_URL).xrange(buffer.STREAM, count=1)
    except RedisError:
        return None
    if not waiting:
        return 0.0
    (identity, _fields) = waiting[0]
    return max(0.0, time.time() - int(identity.split(b"-")[0]) / 1000)


@cache
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_connect_timeout=1, socket_timeout=2)


def _by_family(
    found: Sequence[BucketEvents], buckets: Sequence[int], step_s: int
) -> tuple[Line, ...]:
    places = {bucket: place for place, bucket in enumerate(buckets)}
    values = {family: [0] * len(buckets) for family in FAMILIES}
    for row in found:
        values[_family_of(row.type)][places[row.bucket]] += row.events
    return tuple(
        Line(label=label, values=tuple(values[family])) for family, label in FAMILIES.items()
    )


def _minutes(
    found: Sequence[BucketEvents], viewers: Sequence[BucketViewers], starts: Sequence[int]
) -> Iterator[Minute]:
    seen = {row.bucket: row.viewers for row in viewers}
    events = {start: dict.fromkeys(FAMILIES, 0) for start in starts}
    for row in found:
        minute = events.get(row.bucket // MINUTE_S * MINUTE_S)
        if minute is not None:
            minute[_family_of(row.type)] += row.events
    for start in starts:
        yield Minute(
            at=datetime.fromtimestamp(start, UTC),
            viewers=seen.get(start, 0),
            events=tuple(events[start].values()),
        )


def _family_of(name: str) -> str:
    """Return the family of a stored type; one that left the vocabulary counts as delivery."""
    return TYPES[name].family if name in TYPES else "delivery"

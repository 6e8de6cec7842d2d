"""How do accepted events get from the buffer into ClickHouse, each exactly once?

A consumer inserts everything it holds as one batch and reads nothing new before that batch is
acknowledged. What it holds after a crash is therefore the very batch it was inserting: whoever
takes it over repeats it with the same token, and ClickHouse drops the repetition.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from analytics import buffer, clickhouse
from analytics.clickhouse import AnalyticsUnavailable, RowsRefused
from analytics.events import BatchHeader, StoredEvent

logger = logging.getLogger(__name__)

ENOUGH_ROWS = 5_000
LONGEST_WAIT_S = 1.0
READ_COUNT = 64
HELD_MOST = 10_000
ALIVE_S = 6
ALIVE_EVERY_S = 2.0
TAKE_OVER_EVERY_S = 3.0
TAKE_OVER_IDLE_MS = 1_000
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 10.0

_decode_header = msgspec.json.Decoder(BatchHeader).decode
_decode_array = msgspec.json.Decoder(list[StoredEvent]).decode
_decode_lines = msgspec.json.Decoder(StoredEvent).decode_lines


class Poison(Exception):
    """This entry cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One batch in the buffer."""

    id: str
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Readable:
    """An entry whose content was understood."""

    entry: Entry
    header: BatchHeader
    events: list[StoredEvent]


@dataclass(kw_only=True)
class Load:
    """What this consumer holds and inserts together."""

    readable: list[Readable] = field(default_factory=list)
    poison: list[tuple[Entry, str]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(len(each.events) for each in self.readable)

    @property
    def weight(self) -> int:
        """How far the batch is filled; an entry that carries only counts weighs one row."""
        return sum(max(1, len(each.events)) for each in self.readable) + len(self.poison)

    @property
    def token(self) -> str:
        """The same entries give the same token, whoever inserts them and however often."""
        ids = sorted(each.entry.id for each in self.readable)
        return hashlib.sha256(",".join(ids).encode()).hexdigest()

    def add(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            try:
                self.readable.append(read_entry(entry))
            except Poison as reason:
                self.poison.append((entry, str(reason)))


def read_entry(entry: Entry) -> Readable:
    """Understand one entry or raise Poison."""
    first, _, rest = entry.payload.partition(b"\n")
    try:
        header = _decode_header(first)
        is_array = rest.lstrip()[:1] == b"["
        events = _decode_array(rest) if is_array else _decode_lines(rest)
        return Readable(entry=entry, header=header, events=events)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Poison(f"The entry cannot be read: {error}") from error


def event_columns(readable: Sequence[Readable]) -> dict[str, list[object]]:
    """Return the columns of the table `events`; texts are bytes, times are milliseconds."""
    columns: dict[str, list[object]] = {name: [] for name in ("id", "type", "at", "properties")}
    for each in readable:
        events = each.events
        columns["id"] += [event.id for event in events]
        columns["type"] += [event.type.encode() for event in events]
        columns["at"] += [round(event.at.timestamp() * 1000) for event in events]
        columns["properties"] += [bytes(event.properties) for event in events]
    for name, of_header in _HEADER_COLUMNS.items():
        columns[name] = []
        for each in readable:
            columns[name] += [of_header(each.header)] * len(each.events)
    return columns


_HEADER_COLUMNS: dict[str, Callable[[BatchHeader], object]] = {
    "organization": lambda header: header.schema_name.encode(),
    "stream": lambda header: header.stream.encode(),
    "client": lambda header: header.client.encode(),
    "platform": lambda header: header.platform.encode(),
    "sdk": lambda header: header.sdk.encode(),
    "country": lambda header: header.country.encode(),
    "key": lambda header: header.key.encode(),
    "viewer": lambda header: header.viewer,
    "session": lambda header: header.session,
    "received_at": lambda header: round(header.received_at.timestamp() * 1000),
}


_COUNTER_COLUMNS = (
    "organization",
    "stream",
    "minute",
    "outcome",
    "reason",
    "entry",
    "client",
    "events",
)


def counter_columns(readable: Sequence[Readable]) -> dict[str, list[object]]:
    """Return the columns of the table `ingest_counters`: one row per entry and outcome."""
    rows: list[tuple[object, ...]] = []
    for each in readable:
        header = each.header
        outcomes = [("accepted", "", header.accepted), ("duplicate", "", header.duplicate)]
        outcomes += [("rejected", reason, count) for reason, count in header.rejected.items()]
        minute = int(header.received_at.timestamp()) // 60 * 60
        rows += [
            (
                header.schema_name.encode(),
                header.stream.encode(),
                minute,
                outcome.encode(),
                reason.encode(),
                each.entry.id.encode(),
                header.client.encode(),
                count,
            )
            for outcome, reason, count in outcomes
            if count
        ]
    if not rows:
        return {}
    return dict(zip(_COUNTER_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))


class Ingest:
    """One consumer: reads, inserts, acknowledges; takes over what dead consumers held."""

    def __init__(self, redis_url: str, stop: threading.Event) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._stop = stop
        # Longer than the longest blocking read, which is LONGEST_WAIT_S.
        self._redis: Any = Redis.from_url(redis_url, socket_connect_timeout=2, socket_timeout=10)
        self._finish = self._redis.register_script(buffer.FINISH)
        self._park = self._redis.register_script(buffer.PARK)
        self._forget = self._redis.register_script(buffer.FORGET)
        self._next_take_over = 0.0
        self._may_hold = True  # until a step has run to its end

    def run(self) -> None:
        """Carry batches until told to stop; a batch under way is finished first."""
        pulse = threading.Thread(target=self._keep_alive, daemon=True)
        pulse.start()
        delay = FIRST_DELAY_S
        ready = False
        while not self._stop.is_set():
            try:
                ready = ready or self._prepare()
                self.step()
                delay = FIRST_DELAY_S
            except (AnalyticsUnavailable, RedisError, OSError) as error:
                ready = ready and not isinstance(error, ResponseError)
                logger.warning("analytics.ingest.waiting delay_s=%.1f error=%s", delay, error)
                self._stop.wait(delay)
                delay = min(delay * 2, LONGEST_DELAY_S)
        self._leave(pulse)

    def step(self) -> int:
        """Carry one batch and return its rows; what an earlier step left unfinished goes first."""
        load = Load()
        load.add((self._may_hold and self._held()) or self._taken_over())
        self._may_hold = True
        if not load.weight:
            self._gather(load)
        if load.weight:
            self._carry(load)
        self._may_hold = False
        return load.rows

    def _prepare(self) -> bool:
        for name in clickhouse.migrate():
            logger.info("analytics.schema.applied name=%s", name)
        try:
            self._redis.xgroup_create(buffer.STREAM, buffer.GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._warn_unless_durable()
        logger.info("analytics.ingest.started consumer=%s", self.name)
        return True

    def _warn_unless_durable(self) -> None:
        try:
            found = self._redis.config_get("append*")
        except ResponseError:
            return
        if found.get("appendonly") != "yes" or found.get("appendfsync") != "always":
            logger.warning("analytics.buffer.not_durable: set appendonly yes, appendfsync always")

    def _keep_alive(self) -> None:
        while not self._stop.is_set():
            try:
                self._redis.set(buffer.alive_key(self.name), "1", ex=ALIVE_S)
            except (RedisError, OSError):
                logger.debug("analytics.ingest.pulse_missed")
            self._stop.wait(ALIVE_EVERY_S)

    def _leave(self, pulse: threading.Thread) -> None:
        pulse.join(timeout=ALIVE_EVERY_S)
        try:
            self._redis.delete(buffer.alive_key(self.name))
            self._forget_consumer(self.name)
        except (RedisError, OSError) as error:
            logger.warning("analytics.ingest.left_untidy error=%s", error)
        self._redis.close()
        logger.info("analytics.ingest.stopped consumer=%s", self.name)

    def _held(self) -> list[Entry]:
        return self._read("0", HELD_MOST, block_ms=None)

    def _gather(self, load: Load) -> None:
        """Read new entries until there are enough rows or the first has waited long enough."""
        deadline = time.monotonic() + LONGEST_WAIT_S
        while load.weight < ENOUGH_ROWS and not self._stop.is_set():
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0:
                return
            load.add(self._read(">", READ_COUNT, block_ms=left_ms))

    def _read(self, after: str, count: int, *, block_ms: int | None) -> list[Entry]:
        answer = self._redis.xreadgroup(
            buffer.GROUP, self.name, {buffer.STREAM: after}, count=count, block=block_ms
        )
        return _entries(answer[0][1]) if answer else []

    def _taken_over(self) -> list[Entry]:
        """Claim all that one dead consumer held: exactly the batch it was inserting."""
        if time.monotonic() < self._next_take_over:
            return []
        for consumer in self._redis.xinfo_consumers(buffer.STREAM, buffer.GROUP):
            name = consumer["name"].decode()
            if name == self.name or self._redis.exists(buffer.alive_key(name)):
                continue
            entries = self._claim(name)
            self._forget_consumer(name)
            if entries:
                logger.info("analytics.ingest.taken_over consumer=%s count=%d", name, len(entries))
                return entries
        self._next_take_over = time.monotonic() + TAKE_OVER_EVERY_S
        return []

    def _claim(self, name: str) -> list[Entry]:
        held = self._redis.xpending_range(
            buffer.STREAM, buffer.GROUP, min="-", max="+", count=HELD_MOST, consumername=name
        )
        if not held:
            return []
        ids = [each["message_id"] for each in held]
        return _entries(
            self._redis.xclaim(buffer.STREAM, buffer.GROUP, self.name, TAKE_OVER_IDLE_MS, ids)
        )

    def _forget_consumer(self, name: str) -> None:
        keys = [buffer.STREAM, buffer.alive_key(name)]
        self._forget(keys=keys, args=[buffer.GROUP, name])

    def _carry(self, load: Load) -> None:
        for entry, reason in load.poison:
            self._set_aside(entry, reason)
        started = time.monotonic()
        try:
            _insert(load)
        except RowsRefused:
            self._carry_one_by_one(load)
            return
        self._done(load)
        oldest_ms = min((int(each.entry.id.split("-")[0]) for each in load.readable), default=0)
        logger.info(
            "analytics.ingest.inserted rows=%d entries=%d seconds=%.3f lag_s=%.1f token=%.12s",
            load.rows,
            len(load.readable),
            time.monotonic() - started,
            time.time() - oldest_ms / 1000 if oldest_ms else 0,
            load.token,
        )

    def _carry_one_by_one(self, load: Load) -> None:
        """Find the entry that ClickHouse refuses, set it aside and insert the others."""
        for each in load.readable:
            single = Load(readable=[each])
            try:
                _insert(single)
            except RowsRefused as refusal:
                self._set_aside(each.entry, f"ClickHouse refuses its rows: {refusal}")
            else:
                self._done(single)

    def _done(self, load: Load) -> None:
        pairs = [(each.entry.id, len(each.entry.payload)) for each in load.readable]
        flat = [part for pair in pairs for part in pair]
        keys = [buffer.STREAM, buffer.BYTES, buffer.TOTALS]
        if flat:
            self._finish(keys=keys, args=[buffer.GROUP, load.rows, *flat])

    def _set_aside(self, entry: Entry, reason: str) -> None:
        parked = self._park(
            keys=[buffer.STREAM, buffer.BYTES, buffer.DEAD, buffer.TOTALS],
            args=[buffer.GROUP, entry.id, len(entry.payload), reason[:500], buffer.MAX_DEAD],
        )
        if parked:
            logger.error("analytics.ingest.parked entry=%s reason=%s", entry.id, reason[:200])


def _insert(load: Load) -> None:
    if load.rows:
        clickhouse.insert("events", event_columns(load.readable), token=load.token)
    counters = counter_columns(load.readable)
    if counters:
        clickhouse.insert("ingest_counters", counters, token=load.token)


def _entries(found: Sequence[tuple[bytes, dict[bytes, bytes] | None]]) -> list[Entry]:
    return [
        Entry(id=identity.decode(), payload=(fields or {}).get(b"batch", b""))
        for identity, fields in found
    ]

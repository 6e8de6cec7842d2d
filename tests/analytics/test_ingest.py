"""Every accepted event is stored exactly once, whatever happens on the way."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter

import pytest

from analytics import buffer, clickhouse
from analytics.clickhouse import AnalyticsUnavailable
from analytics.ingest import Entry, Ingest, Load, Poison, read_entry
from tests.analytics.conftest import as_body, make_event, make_source, waiting

PATIENCE_S = 30


@pytest.fixture
def stored(sql, schema_name):
    """How many events are stored: as rows, as ids, after merging, and in the roll-up."""

    def counts() -> dict[str, int]:
        where = f"WHERE organization = '{schema_name}'"
        ((rows, ids),) = sql(f"SELECT count(), uniqExact(id) FROM events {where}")
        ((final,),) = sql(f"SELECT count() FROM events FINAL {where}")
        ((rolled,),) = sql(f"SELECT uniqExactMerge(events) FROM stream_minutes {where}")
        return {"rows": rows, "ids": ids, "final": final, "rolled": rolled}

    return counts


def exactly(count: int) -> dict[str, int]:
    return dict.fromkeys(("rows", "ids", "final", "rolled"), count)


def crash_before_acknowledging(ingest, monkeypatch) -> None:
    """Insert what waits, and come to an end before Redis is told."""

    def crash(load):
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "_done", crash)
        with pytest.raises(ConnectionResetError):
            ingest.step()


async def accept(intake, source, now, count: int):
    events = [make_event(now) for _ in range(count)]
    await intake.accept(as_body(events), source=source, at=now)
    return events


async def test_accepted_events_are_stored_and_leave_the_buffer(
    intake, ingest, redis, source, now, stored
):
    await accept(intake, source, now, 30)

    assert ingest.step() == 30

    assert stored() == exactly(30)
    assert waiting(redis) == 0
    assert int(redis.get(buffer.BYTES)) == 0


async def test_row_says_who_what_and_when(intake, ingest, source, now, sql):
    event = make_event(now, type="error", properties={"code": "E1", "count": 2})
    await intake.accept(as_body([event]), source=source, at=now)

    ingest.step()

    (row,) = sql(
        "SELECT toString(id), type, stream, client, key, toUnixTimestamp64Milli(at), properties "
        f"FROM events WHERE organization = '{source.schema_name}'"
    )
    at_ms = round(now.timestamp() * 1000)
    assert row[:6] == (event["id"], "error", "derby", "web", "abcdefghijkl", at_ms)
    assert json.loads(row[6]) == event["properties"]


async def test_many_batches_are_inserted_together(intake, ingest, redis, source, now, sql, stored):
    for _ in range(10):
        await accept(intake, source, now, 5)

    assert ingest.step() == 50

    assert stored() == exactly(50)
    assert redis.hgetall(buffer.TOTALS) == {b"rows": b"50", b"batches": b"10"}


async def test_same_load_inserted_twice_counts_once(
    intake, ingest, redis, source, now, stored, monkeypatch
):
    """The crash between the insert and the acknowledgement."""
    await accept(intake, source, now, 100)
    crash_before_acknowledging(ingest, monkeypatch)

    ingest.step()

    assert stored() == exactly(100)
    assert waiting(redis) == 0


async def test_another_consumer_repeats_a_dead_ones_batch_with_the_same_token(
    intake, ingest, buffer_url, redis, source, now, stored, monkeypatch
):
    tokens = []
    insert = clickhouse.insert

    def noted(table, columns, *, token):
        tokens.append(token)
        insert(table, columns, token=token)

    monkeypatch.setattr(clickhouse, "insert", noted)
    for _ in range(3):
        await accept(intake, source, now, 10)
    crash_before_acknowledging(ingest, monkeypatch)
    monkeypatch.setattr("analytics.ingest.TAKE_OVER_IDLE_MS", 0)
    heir = Ingest(buffer_url, threading.Event())

    assert heir.step() == 30

    assert len(tokens) == 4
    assert len(set(tokens)) == 1
    assert stored() == exactly(30)
    assert waiting(redis) == 0


async def test_living_consumer_keeps_its_entries(
    intake, ingest, buffer_url, redis, source, now, monkeypatch
):
    await accept(intake, source, now, 10)
    crash_before_acknowledging(ingest, monkeypatch)
    redis.set(buffer.alive_key(ingest.name), "1")
    monkeypatch.setattr("analytics.ingest.TAKE_OVER_IDLE_MS", 0)
    monkeypatch.setattr("analytics.ingest.LONGEST_WAIT_S", 0.05)

    assert Ingest(buffer_url, threading.Event()).step() == 0

    assert waiting(redis) == 1


async def test_replayed_batch_with_another_token_still_counts_once(
    intake, ingest, source, now, sql, stored
):
    events = await accept(intake, source, now, 20)
    ingest.step()
    intake._recent.newer.clear()
    shuffled = random.sample(events, 20)

    await intake.accept(as_body(shuffled), source=source, at=now)
    ingest.step()

    counts = stored()
    assert (counts["ids"], counts["final"], counts["rolled"]) == (20, 20, 20)
    sql("OPTIMIZE TABLE events FINAL")
    assert stored() == exactly(20)


async def test_clickhouse_away_keeps_everything_and_catches_up(
    intake, ingest, redis, source, now, settings, stored
):
    url = settings.CLICKHOUSE_URL
    await accept(intake, source, now, 25)
    settings.CLICKHOUSE_URL = "clickhouse://gantry@127.0.0.1:1/gantry"

    for _ in range(3):
        with pytest.raises(AnalyticsUnavailable):
            ingest.step()

    assert waiting(redis) == 1
    settings.CLICKHOUSE_URL = url
    assert ingest.step() == 25
    assert stored() == exactly(25)


async def test_poison_is_parked_with_its_reason_and_the_rest_stored(
    intake, ingest, redis, source, now, stored
):
    await accept(intake, source, now, 5)
    redis.xadd(buffer.STREAM, {"batch": b"not json\n{"})
    redis.xadd(buffer.STREAM, {"other": b"field"})
    await accept(intake, source, now, 5)

    assert ingest.step() == 10

    assert stored() == exactly(10)
    assert waiting(redis) == 0
    parked = [fields for _, fields in redis.xrange(buffer.DEAD)]
    assert [fields.get(b"batch") for fields in parked] == [b"not json\n{", None]
    assert all(b"cannot be read" in fields[b"reason"] for fields in parked)
    assert redis.hget(buffer.TOTALS, "parked") == b"2"


async def test_rows_clickhouse_refuses_are_parked_alone(intake, ingest, redis, source, now, stored):
    await accept(intake, source, now, 5)
    bad = make_source(source.schema_name)
    await intake.accept(as_body([make_event(now)]), source=bad, at=now)
    ((_, fields),) = redis.xrevrange(buffer.STREAM, count=1)
    redis.xadd(buffer.STREAM, {"batch": fields[b"batch"].replace(b'"viewer":', b'"viewer":-')})

    ingest.step()

    assert stored()["ids"] == 6
    assert waiting(redis) == 0
    ((_, parked),) = redis.xrange(buffer.DEAD)
    assert b"refuses" in parked[b"reason"]


async def test_outcomes_are_counted_by_minute_and_reason(intake, ingest, source, now, sql):
    good = make_event(now)
    await intake.accept(as_body([good, good, make_event(now, type="x"), 5]), source=source, at=now)

    ingest.step()

    rows = sql(
        "SELECT outcome, reason, sum(events) FROM ingest_counters FINAL "
        f"WHERE organization = '{source.schema_name}' GROUP BY outcome, reason"
    )
    assert sorted(rows) == [
        ("accepted", "", 1),
        ("duplicate", "", 1),
        ("rejected", "not-an-object", 1),
        ("rejected", "unknown-type", 1),
    ]


async def test_lost_consumer_group_is_made_again(intake, buffer_url, redis, source, now, stored):
    stop = threading.Event()
    running = threading.Thread(target=Ingest(buffer_url, stop).run)
    running.start()
    wait_until(lambda: redis.exists(buffer.STREAM))
    redis.flushdb()

    await accept(intake, source, now, 7)

    wait_until(lambda: stored()["ids"] == 7)
    stop.set()
    running.join(PATIENCE_S)
    assert not running.is_alive()


def test_token_depends_on_the_entries_and_not_on_their_order():
    first, second = (
        read_entry(Entry(id=f"{number}-0", payload=empty_payload())) for number in (1, 2)
    )

    assert Load(readable=[first, second]).token == Load(readable=[second, first]).token
    assert Load(readable=[first]).token != Load(readable=[second]).token


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]\n", b"\xff", b"{" * 10_000, b"\n\n"])
def test_unreadable_entry_is_poison(payload):
    with pytest.raises(Poison):
        read_entry(Entry(id="1-0", payload=payload))


def empty_payload() -> bytes:
    source = dict.fromkeys(("schema_name", "organization", "stream", "client", "key"), "")
    header = source | {"viewer": 1, "session": 1, "received_at": "2026-11-20T18:00:00Z"}
    return json.dumps(header).encode() + b"\n"


def wait_until(holds) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def start_ingest(buffer_url: str):
    return subprocess.Popen(
        [sys.executable, "manage.py", "ingest"],
        env=os.environ | {"REDIS_URL": buffer_url},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


async def test_kill_at_random_moments_loses_and_doubles_nothing(
    intake, buffer_url, redis, source, now, sql, stored
):
    """Kill -9 at any point between reading, inserting and acknowledging."""
    sent: Counter[str] = Counter()
    seed = random.randrange(10**6)
    dice = random.Random(seed)
    for _ in range(5):
        consumer = start_ingest(buffer_url)
        wait_until(lambda: redis.exists(*redis.keys(buffer.alive_key("*")), "none"))
        for _ in range(40):
            for event in await accept(intake, source, now, 50):
                sent[event["id"]] += 1
        await asyncio.sleep(dice.uniform(0, 1.5))
        consumer.kill()
        consumer.wait()
    last = start_ingest(buffer_url)
    wait_until(lambda: waiting(redis) == 0)

    last.send_signal(signal.SIGTERM)
    assert last.wait(PATIENCE_S) == 0, f"seed {seed}"

    counts = stored()
    assert (counts["ids"], counts["final"], counts["rolled"]) == (len(sent),) * 3, f"seed {seed}"
    sql("OPTIMIZE TABLE events FINAL")
    found = sql(f"SELECT id FROM events WHERE organization = '{source.schema_name}'")
    assert Counter(str(identity) for (identity,) in found) == sent, f"seed {seed}"


async def test_sigterm_leaves_no_trace(intake, buffer_url, redis, source, now, stored):
    consumer = start_ingest(buffer_url)
    await accept(intake, source, now, 10)
    wait_until(lambda: redis.exists(buffer.STREAM) and waiting(redis) == 0)

    consumer.send_signal(signal.SIGTERM)

    assert consumer.wait(PATIENCE_S) == 0
    assert stored() == exactly(10)
    assert redis.keys(buffer.alive_key("*")) == []
    assert redis.xinfo_consumers(buffer.STREAM, buffer.GROUP) == []


def test_uuid_of_an_event_survives_the_way(now):
    identity = uuid.uuid4()
    line = as_body([make_event(now, id=str(identity))])[1:-1]
    read = read_entry(Entry(id="1-0", payload=empty_payload() + line))

    assert read.events[0].id == identity

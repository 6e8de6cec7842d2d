"""The audience of a stream: right numbers, for the right people, also when ClickHouse is away."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from analytics import queries
from analytics.intake import Intake
from analytics.queries import WINDOWS
from tests.analytics.conftest import as_body, make_event, make_source
from tests.factories import make_stream

AT = datetime(2026, 11, 20, 18, 30, 27, tzinfo=UTC)


@pytest.fixture
def chart_url(acme):
    make_stream(acme, "derby")
    kwargs = {"organization": "acme", "stream": "derby"}
    return reverse("analytics:stream_chart", kwargs=kwargs)


@pytest.fixture
def report(intake, ingest):
    """Send events of one viewer at one moment and store them."""

    async def sent(schema_name, at, *types, viewer="viewer-1", stream="derby"):
        source = make_source(schema_name, viewer=viewer, stream=stream)
        events = [make_event(at, type=name) for name in types]
        await intake.accept(as_body(events), source=source, at=at)
        ingest.step()

    return sent


def activity(schema_name, window="15m", stream="derby"):
    return queries.stream_activity(schema_name, stream, window=WINDOWS[window], at=AT)


def totals(found):
    return {line.label: sum(line.values) for line in found.families if any(line.values)}


@pytest.mark.parametrize("window", WINDOWS)
async def test_events_are_counted_by_family(report, schema_name, window):
    await report(schema_name, AT - timedelta(minutes=3), "reaction", "chat_sent", "heartbeat")
    await report(schema_name, AT - timedelta(minutes=5), "error")

    found = activity(schema_name, window)

    assert totals(found) == {"Interactions": 2, "Sessions": 1, "Errors": 1}
    assert {len(line.values) for line in found.families} == {len(found.buckets)}


async def test_every_window_agrees_with_the_single_events(report, schema_name, sql):
    for minute in range(14):
        at = AT - timedelta(minutes=minute + 1, seconds=minute)
        await report(schema_name, at, "reaction", "reaction", "heartbeat", viewer=f"v{minute % 3}")

    counts = {name: totals(activity(schema_name, name)) for name in WINDOWS}

    assert counts["15m"] == {"Interactions": 28, "Sessions": 14}
    assert counts["15m"] == counts["1h"] == counts["6h"]


async def test_viewers_are_counted_once_a_minute(report, schema_name):
    at = AT - timedelta(minutes=2)
    for viewer in ("a", "b", "a", "c"):
        await report(schema_name, at, "heartbeat", viewer=viewer)

    found = activity(schema_name)

    assert found.most_viewers == 3
    assert [minute.viewers for minute in found.minutes if minute.viewers] == [3]


async def test_bucket_that_is_not_over_is_left_out(report, schema_name):
    await report(schema_name, AT - timedelta(seconds=3), "reaction")

    found = activity(schema_name)

    assert found.is_empty
    assert found.buckets[-1] + 10 <= AT.timestamp()


async def test_other_organizations_and_streams_are_not_counted(report, schema_name):
    await report(f"{schema_name}x", AT - timedelta(minutes=3), "reaction")
    await report(schema_name, AT - timedelta(minutes=3), "reaction", stream="final")

    assert activity(schema_name).is_empty
    assert activity(f"{schema_name}x' OR '1'='1").is_empty
    assert not activity(f"{schema_name}x").is_empty


async def test_lag_is_the_age_of_the_oldest_waiting_batch(intake, redis, source, now):
    assert queries.ingest_lag_s() == 0

    await intake.accept(as_body([make_event(now)]), source=source, at=now)

    lag_s = queries.ingest_lag_s()
    assert lag_s is not None
    assert 0 <= lag_s < 30


def test_lag_is_unknown_without_redis(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert queries.ingest_lag_s() is None


def test_every_role_sees_the_chart(browse, chart_url, owner, moderator, viewer):
    for person in (owner, moderator, viewer):
        assert browse(person).get(chart_url).status_code == 200


def test_stranger_and_anonymous_do_not(browse, chart_url, stranger):
    assert browse(stranger).get(chart_url).status_code == 404
    assert browse().get(chart_url).status_code == 302


def test_stream_of_nobody_is_not_found(browse, chart_url, viewer):
    assert browse(viewer).get(chart_url.replace("derby", "final")).status_code == 404


def test_empty_stream_says_why_and_asks_again(browse, chart_url, viewer):
    answer = browse(viewer, htmx=True).get(chart_url)

    content = answer.content.decode()
    assert "No events yet" in content
    assert 'hx-trigger="every 5s' in content
    assert "<html" not in content


@pytest.mark.parametrize("query", ["?window=1h", "?window=6h&table=1", "?window=%00&table=x"])
def test_window_is_in_the_address(browse, chart_url, viewer, query):
    assert browse(viewer, htmx=True).get(chart_url + query).status_code == 200


def test_clickhouse_away_is_said_and_the_page_stays(browse, chart_url, viewer, settings):
    settings.CLICKHOUSE_READER_URL = "clickhouse://gantry@127.0.0.1:1/gantry"

    answer = browse(viewer).get(chart_url)

    assert answer.status_code == 200
    assert "not reachable" in answer.content.decode()


@pytest.fixture
def final_url(acme, ingest, buffer_url):
    """The chart of a stream on which three reactions and a promotion were seen two minutes ago."""
    make_stream(acme, "final")
    at = datetime.now(UTC) - timedelta(minutes=2)
    events = [make_event(at) for _ in range(3)] + [make_event(at, type="promotion_shown")]
    source = make_source(acme.schema_name, stream="final")

    async def send():
        intake = Intake(buffer_url)
        await intake.accept(as_body(events), source=source, at=at)
        await intake.close()

    asyncio.run(send())
    ingest.step()
    return reverse("analytics:stream_chart", kwargs={"organization": "acme", "stream": "final"})


def test_charts_show_what_is_stored(browse, final_url, viewer):
    content = browse(viewer, htmx=True).get(final_url).content.decode()

    (data,) = re.findall(r'id="stream-events-data"[^>]*>(.*?)</script>', content)
    chart = json.loads(data)
    sums = {
        each["label"]: sum(values)
        for each, values in zip(chart["series"], chart["data"][1:], strict=True)
    }
    assert sums["Interactions"] % 3 == 0
    assert sums["Interactions"] >= 3
    assert sums["Promotions"] == sums["Interactions"] // 3
    assert "<table" not in content


def test_table_says_the_same(browse, final_url, viewer):
    content = browse(viewer, htmx=True).get(f"{final_url}?table=1").content.decode()

    assert re.search(r'<td class="cell-num">[1-9]</td>', content)
    assert "data-chart=" not in content

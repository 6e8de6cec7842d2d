from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from django.urls import reverse

from core.tenancy import organization_context
from live import queries
from live.delivery import two_digits
from tests.factories import make_member
from tests.live.conftest import Sdk, committed, in_thread, receive

pytestmark = pytest.mark.django_db

TOOLTIPS = "ui.tooltips_enabled"


async def acknowledge(socket, version: int) -> None:
    await socket.send(
        json.dumps({"type": "ack", "version": version, "applied_in_ms": 1.5, "overridden": []})
    )


def asked(place, question, *args, **kwargs):
    with organization_context(place.schema_name):
        return question(place.schema_name, *args, **kwargs)


def delivered(place, version: int) -> queries.Delivery:
    with organization_context(place.schema_name):
        change = queries.last_change(stream=None, version=version)
        assert change is not None
        return queries.delivery(place.schema_name, change)


async def eventually(place, question, right):
    """Ask until the processes have reported; they do four times a second."""
    async with asyncio.timeout(5):
        while not right(found := await in_thread(question, place)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


@pytest.fixture
async def crowd(process, place):
    """Three web SDKs and one iOS SDK, connected."""
    sockets = []
    for client in ("web", "web", "web", "ios"):
        sdk = Sdk(process.port, place.keys[client])
        await sdk.open()
        socket = await sdk.connect(hello=sdk.snapshot["version"])
        await receive(socket)
        sockets.append(socket)
    return sockets


async def test_connected_sdks_are_counted_by_client_and_platform(place, crowd):
    def question(place):
        return asked(place, queries.connected, stream="derby")

    found = await eventually(place, question, lambda answer: answer.total == 4)

    assert [(line.client, line.platform, line.connected) for line in found.clients] == [
        ("web", "web", 3),
        ("ios", "ios", 1),
    ]
    assert found.platforms == [("web", "Web", 3), ("ios", "iOS", 1)]
    assert found.streams == 1


async def test_reach_follows_the_scope(place, crowd):
    await eventually(place, lambda place: asked(place, queries.reach), lambda count: count == 4)

    assert await in_thread(asked, place, queries.reach, client="web") == 3
    assert await in_thread(asked, place, queries.reach, stream="derby", client="ios") == 1
    assert await in_thread(asked, place, queries.reach, stream="another") == 0


async def test_delivery_fills_up_as_sdks_acknowledge(place, crowd):
    version = await in_thread(place.publish, TOOLTIPS, False)
    for socket in crowd:
        await receive(socket)

    def question(place):
        return delivered(place, version)

    before = await eventually(place, question, lambda answer: answer.connected == 4)
    for socket in crowd[:3]:
        await acknowledge(socket, version)
    partly = await eventually(place, question, lambda answer: answer.applied == 3)
    await acknowledge(crowd[3], version)
    after = await eventually(place, question, lambda answer: answer.applied == 4)

    assert (before.applied, before.is_complete) == (0, False)
    assert [(line.client, line.lagging) for line in partly.clients] == [("web", 0), ("ios", 1)]
    assert after.is_complete
    assert 0 <= after.p50_ms <= after.p95_ms <= after.p99_ms < 5000


async def test_delivery_counts_only_whom_the_change_reaches(place, crowd):
    version = await in_thread(place.publish, TOOLTIPS, False, client="ios")

    found = await eventually(
        place, lambda place: delivered(place, version), lambda answer: answer.connected == 1
    )

    assert [line.client for line in found.clients] == ["ios"]


async def test_acknowledgement_of_what_was_never_sent_counts_nothing(place, crowd):
    version = await in_thread(place.publish, TOOLTIPS, False)
    for socket in crowd:
        await receive(socket)

    await acknowledge(crowd[0], version + 1000)
    await acknowledge(crowd[1], version)
    await acknowledge(crowd[1], version)

    found = await eventually(
        place, lambda place: delivered(place, version), lambda answer: answer.applied >= 1
    )
    assert found.applied == 1


async def test_socket_that_left_is_counted_no_more(place, crowd):
    await eventually(place, lambda place: asked(place, queries.reach), lambda count: count == 4)

    await crowd[0].close()

    await eventually(place, lambda place: asked(place, queries.reach), lambda count: count == 3)


def test_version_that_never_was_is_unknown(place):
    with pytest.raises(queries.UnknownChange):
        committed(delivered, place, 10_000)


@pytest.mark.parametrize(
    ("counts", "percent", "expected"),
    [
        ({}, 95, None),
        ({7: 1}, 50, 7),
        ({1: 50, 9: 50}, 50, 1),
        ({1: 94, 9: 6}, 95, 9),
        ({1: 95, 9: 5}, 95, 1),
        ({1: 99, 9: 1}, 99, 1),
    ],
)
def test_percentile(counts, percent, expected):
    assert queries.percentile(Counter(counts), percent) == expected


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(-1, 0), (0.4, 0), (38.2, 38), (99, 99), (123, 120), (12_345, 12_000)],
)
def test_milliseconds_keep_two_digits(milliseconds, expected):
    assert two_digits(milliseconds) == expected


# ── the fragments ─────────────────────────────────────────────────────────────────────────────

PARTS = [
    ("live:home_connected", {}, ""),
    ("live:connected", {}, ""),
    ("live:connected", {"stream": "derby"}, ""),
    ("live:delivery", {}, ""),
    ("live:delivery", {"stream": "derby"}, ""),
    ("live:delivery", {}, "?version=2"),
    ("live:reach", {}, "?stream=derby&client=web"),
]


@pytest.fixture
def member(place):
    return committed(make_member, place.organization, "viewer", f"viewer@{place.slug}.example")


@pytest.mark.parametrize(("name", "names", "query"), PARTS)
@pytest.mark.parametrize("htmx", [True, False])
def test_part_is_shown_to_members(place, member, browse, name, names, query, htmx):
    committed(place.publish, TOOLTIPS, False)
    url = reverse(name, kwargs={"organization": place.slug, **names}) + query

    answer = browse(member, htmx=htmx).get(url)

    assert answer.status_code == 200
    assert (b"<html" in answer.content) is not htmx


@pytest.mark.parametrize(("name", "names", "query"), PARTS)
def test_part_is_hidden_from_strangers(place, stranger, browse, name, names, query):
    url = reverse(name, kwargs={"organization": place.slug, **names}) + query

    assert browse(stranger, htmx=True).get(url).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "?version=",
        "?version=x",
        "?version=-1",
        "?version=99999999",
        "?version=" + "9" * 40,
        "?stream=nowhere",
    ],
)
def test_delivery_of_what_does_not_exist_is_not_found(place, member, browse, query):
    url = reverse("live:delivery", kwargs={"organization": place.slug}) + query

    assert browse(member, htmx=True).get(url).status_code == 404


def test_panel_says_that_nobody_is_connected(place, member, browse):
    committed(place.publish, TOOLTIPS, False)
    url = reverse("live:delivery", kwargs={"organization": place.slug, "stream": "derby"})

    answer = browse(member, htmx=True).get(url).content.decode()

    assert "No SDK is connected" in answer
    assert TOOLTIPS in answer

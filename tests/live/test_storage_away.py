"""What SDKs get while PostgreSQL or Redis cannot be reached. The outage is at the one seam."""

from __future__ import annotations

import asyncio

import pytest

from live import admission
from live.process import current_hub
from tests.live.conftest import Sdk, in_thread, receive, until

pytestmark = pytest.mark.django_db

TOOLTIPS = "ui.tooltips_enabled"


@pytest.fixture
async def postgresql_away(process, monkeypatch):
    """Every question to the database is refused, as it is by a server that is gone."""

    async def refused(*args, **kwargs):
        raise admission.StorageAway("gone", certain=True)

    def begin():
        monkeypatch.setattr(admission, "ask", refused)
        monkeypatch.setattr(admission, "ask_patiently", refused)

    yield begin
    monkeypatch.undo()
    await until(lambda: not current_hub().freshness.storage_away, within_s=8)


async def test_readers_are_served_from_memory_and_told_so(sdk, postgresql_away):
    await sdk.open()
    fresh = await sdk.config()
    postgresql_away()

    await until(lambda: current_hub().freshness.storage_away, within_s=6)
    stale = await sdk.config()

    assert stale.status_code == 200
    assert stale.headers["config-stale"] == "1"
    assert stale.content == fresh.content
    assert stale.headers["etag"] == fresh.headers["etag"]
    again = await sdk.config(**{"If-None-Match": fresh.headers["etag"]})
    assert (again.status_code, again.headers["config-stale"]) == (304, "1")


async def test_new_sessions_are_refused_at_once(sdk, postgresql_away):
    await sdk.open()
    postgresql_away()
    await until(lambda: current_hub().freshness.storage_away, within_s=6)

    answer = await sdk.open()

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_open_sockets_stay_and_new_ones_are_greeted(sdk, postgresql_away):
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)
    postgresql_away()
    await until(lambda: current_hub().freshness.storage_away, within_s=6)

    late = await sdk.connect(hello=sdk.snapshot["version"])

    assert (await receive(late))["type"] == "current"
    assert socket.state.name == "OPEN"


async def test_everything_is_as_before_when_it_is_back(sdk, place, postgresql_away, monkeypatch):
    await sdk.open()
    postgresql_away()
    await until(lambda: current_hub().freshness.storage_away, within_s=6)

    monkeypatch.undo()
    await until(lambda: not current_hub().freshness.storage_away, within_s=6)

    assert "config-stale" not in (await sdk.config()).headers
    assert (await sdk.open()).status_code == 201


async def test_busy_process_does_not_take_its_database_for_absent(sdk, monkeypatch):
    await sdk.open()

    async def late(*args, **kwargs):
        raise admission.StorageAway("no answer in time", certain=False)

    monkeypatch.setattr(admission, "ask", late)
    answer = await sdk.open()
    monkeypatch.undo()

    assert answer.status_code == 503
    assert not current_hub().freshness.storage_away


async def test_slow_question_is_given_up_within_a_second():
    def slow() -> None:
        asyncio.run(asyncio.sleep(1.5))

    with pytest.raises(admission.StorageAway) as refusal:
        await admission.ask(slow)

    assert not refusal.value.certain


async def test_sdks_converge_without_redis(process, place, monkeypatch):
    sdk = Sdk(process.port, place.keys["web"])
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)
    redis = current_hub().redis

    async def gone(*args, **kwargs):
        raise ConnectionError("Redis is gone")

    monkeypatch.setattr(redis, "execute_command", gone)
    monkeypatch.setattr("core.push.publish", lambda frames: None)
    await until(lambda: current_hub().freshness.redis_away, within_s=4)
    version = await in_thread(place.publish, TOOLTIPS, False)

    frame = await receive(socket, within_s=10)

    assert frame["version"] == version
    monkeypatch.undo()
    await until(lambda: not current_hub().freshness.redis_away, within_s=4)

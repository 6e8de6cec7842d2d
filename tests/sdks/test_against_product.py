"""Both SDKs against the product itself: its sessions, keys, pushes, revocations and restarts."""

import asyncio
import json
import random

import httpx
import pytest
from django.utils import timezone

from core.audit import Actor
from core.tenancy import org_key, organization_context
from sdk_keys.models import SdkKey
from sdk_keys.operations import revoke_key
from tests.live.conftest import in_thread
from tests.sdks.drivers import HOSTS, NODE

TOOLTIPS = "ui.tooltips_enabled"
GAMES = "overlays.games.enabled"
LANGUAGE = "ui.language"
SYSTEM = Actor.system("tests")
SWITCHES = (TOOLTIPS, GAMES, "overlays.statistics.enabled", "ui.menu.always_open")

pytestmark = pytest.mark.django_db


@pytest.fixture(params=HOSTS)
async def client(request):
    """The `client(…)` of one SDK."""
    if request.param == "js" and not NODE:
        pytest.skip("node is not installed: the JavaScript SDK is NOT TESTED")
    async with HOSTS[request.param]() as made:
        yield made


@pytest.fixture
def watching(client, process, place, tmp_path):
    """Open a client of the place's web application; keywords are those of the driver."""

    def opened(key=None, **settings):
        base_url = f"http://127.0.0.1:{process.port}"
        key = key or place.keys["web"]
        return client(base_url, key, stream="derby", cache=tmp_path, settings=settings)

    return opened


async def state_where(driver, condition, within_s=10):
    async with asyncio.timeout(within_s):
        while not condition(state := await driver.state()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return state


async def live(driver):
    return await state_where(driver, lambda state: state["status"] == "live")


async def at_version(driver, version):
    return await state_where(driver, lambda state: state["version"] >= version)


async def true_settings(process, key):
    """Return what the product answers to anybody who asks now."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}") as http:
        body = {"stream": "derby", "sdk": {"name": "tests", "version": "1"}}
        answer = await http.post("/sdk/v1/sessions", json=body, headers={"X-SDK-Key": key})
    return answer.json()["snapshot"]


def applied(valkey, place, client="web"):
    """Return how many sockets of the client run which version, as the product counts them."""
    counts: dict[int, int] = {}
    for name in valkey.zrange(org_key(place.schema_name, "processes"), 0, -1):
        key = org_key(place.schema_name, "delivery", name.decode())
        report = valkey.hget(key, f"derby/{client}")
        for version, sockets in json.loads(report or "{}").get("versions", {}).items():
            counts[int(version)] = counts.get(int(version), 0) + sockets
    return counts


async def test_publish_is_applied_and_counted(watching, place, valkey):
    async with watching() as driver:
        before = await live(driver)

        version = await in_thread(place.publish, TOOLTIPS, False)

        state = await at_version(driver, version)
        assert before["settings"][TOOLTIPS] is True
        assert state["settings"] == {**before["settings"], TOOLTIPS: False}
        assert not state["counters"]
        async with asyncio.timeout(5):
            while applied(valkey, place) != {version: 1}:  # noqa: ASYNC110 - flushed by a timer
                await asyncio.sleep(0.05)


async def test_many_edits_at_every_level_end_at_the_truth(watching, process, place):
    async with watching() as driver:
        await live(driver)
        for _ in range(15):
            stream, client = random.choice(((None, None), ("derby", None), ("derby", "web")))
            key = random.choice(SWITCHES)
            await in_thread(place.publish, key, random.random() < 0.5, stream=stream, client=client)
        last = await in_thread(place.publish, LANGUAGE, "de", stream=None)

        state = await at_version(driver, last)

        truth = await true_settings(process, place.keys["web"])
        assert (state["version"], state["settings"]) == (truth["version"], truth["settings"])
        assert not state["counters"]


async def test_other_organization_changes_nothing(watching, place, other_place):
    async with watching() as driver:
        before = await live(driver)

        await in_thread(other_place.publish, TOOLTIPS, False)
        version = await in_thread(place.publish, GAMES, False)

        state = await at_version(driver, version)
        assert state["settings"] == {**before["settings"], GAMES: False}


async def test_cache_is_resumed_after_what_was_missed(watching, place):
    async with watching() as driver:
        await live(driver)
        held = await in_thread(place.publish, TOOLTIPS, False)
        await at_version(driver, held)
    missed = await in_thread(place.publish, GAMES, False)

    async with watching() as driver:
        first = await driver.state()
        assert first["version"] >= held
        assert first["settings"][TOOLTIPS] is False
        state = await at_version(driver, missed)
        assert state["settings"][GAMES] is False


async def test_restarted_process_is_found_again_with_the_change_missed(watching, place, process):
    async with watching() as driver:
        await live(driver)
        await asyncio.to_thread(process.stop)
        missed = await in_thread(place.publish, TOOLTIPS, False)
        await state_where(driver, lambda state: state["status"] == "connecting")
        await asyncio.to_thread(process.start)

        state = await state_where(
            driver, lambda s: s["status"] == "live" and s["version"] >= missed, within_s=40
        )

        assert state["settings"][TOOLTIPS] is False


async def test_revoked_key_ends_the_session_and_keeps_the_screen(watching, place):
    key = await in_thread(place.add_key, "web")
    async with watching(key=key) as driver:
        before = await live(driver)

        await in_thread(revoke, place, key)

        state = await state_where(driver, lambda state: state["status"] == "refused")
        assert state["settings"] == before["settings"]


def revoke(place, key):
    row = SdkKey.objects.get(public_id=key.split("_")[2])
    with organization_context(place.schema_name):
        revoke_key(key=row, actor=SYSTEM, at=timezone.now())


async def test_unknown_key_is_refused(watching):
    async with watching(key="gk_publishable_000000000000_" + "0" * 32) as driver:
        state = await state_where(driver, lambda state: state["status"] == "refused")

        assert state["version"] == 0


async def test_events_are_stored(watching, valkey):
    async with watching(automatic_events=True) as driver:
        await live(driver)
        before = valkey.xlen("gantry:_:events")
        await driver.track("reaction", {"emoji": "goal", "count": 2}, 150)

        async with asyncio.timeout(10):
            while valkey.xlen("gantry:_:events") == before:  # noqa: ASYNC110 - another thread
                await asyncio.sleep(0.05)

        assert not {"event-rejected", "events-refused"} & (await driver.state())["counters"].keys()

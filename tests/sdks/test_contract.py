"""Both SDKs play every case of sdks/contract/cases.json against the scripted server."""

import asyncio
import json
import time
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sdks.drivers import HOSTS, NODE
from tests.sdks.scripted_server import ScriptedServer, Signer, serving

CONTRACT = Path(__file__).parents[2] / "sdks" / "contract" / "cases.json"
DOCUMENT = json.loads(CONTRACT.read_text())
CASES = {case["name"]: case for case in DOCUMENT["cases"]}
SDK_KEY = "gk_publishable_a1b2c3d4e5f6_notarealsecretnotarealsecret"
PATIENCE_S = 10
AT_ONCE = 6
SETTINGS = {"local", "defaults", "automatic_events", "time_scale", "random"}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=HOSTS)
async def outcomes(request, tmp_path_factory):
    """Play the selected cases, some at a time: they mostly wait. Returns their faults by name."""
    sdk = request.param
    if sdk == "js" and not NODE:
        pytest.skip("node is not installed: the JavaScript SDK is NOT TESTED")
    selected = {item.callspec.params.get("name") for item in request.session.items if in_here(item)}
    names = [name for name in CASES if name in selected]
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(client, name):
        async with turn:
            return await play_case(client, CASES[name], tmp_path_factory.mktemp(sdk))

    async with HOSTS[sdk]() as client:
        plays = [one(client, name) for name in names]
        faults = await asyncio.gather(*plays, return_exceptions=True)
    return dict(zip(names, faults, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_sdk_keeps_the_contract(outcomes, name):
    if outcomes[name] is not None:
        raise outcomes[name]


def in_here(item):
    return item.path == Path(__file__) and hasattr(item, "callspec")


async def play_case(client, case, cache):
    signer, stage = Signer(), Stage()
    async with serving(stage) as base_url:
        for phase in case.get("phases", [case]):
            if "tamper" in phase:
                tamper(cache, phase["tamper"], signer)
            settled = {**DOCUMENT["defaults"], **phase}
            stage.server = ScriptedServer(signer, settled, time_scale=settled["time_scale"])
            await play(client, settled, base_url, stage.server.seen, cache)


class Stage:
    """Keeps one address while the phases of a case change what is behind it."""

    server: ScriptedServer

    async def __call__(self, scope, receive, send):
        await self.server(scope, receive, send)


async def play(client, phase, base_url, seen, cache):
    settings = {name: phase[name] for name in phase.keys() & SETTINGS}
    async with client(base_url, SDK_KEY, stream="final", cache=cache, settings=settings) as driver:
        for event in phase.get("track", []):
            await driver.track(event["type"], event.get("properties"), event.get("times", 1))
        await wait_for(driver, seen, phase)
        await asyncio.sleep(phase.get("settle_s", 0.15))
        check(await driver.state(), seen, phase)


async def wait_for(driver, seen, phase):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        missing = differences(await driver.state(), seen, phase)
        if not missing:
            return
        assert time.monotonic() < deadline, (
            missing,
            seen.requests,
            seen.frames,
            await driver.state(),
        )
        await asyncio.sleep(0.01)


def check(state, seen, phase):
    assert not seen.faults
    assert not differences(state, seen, phase), "it did not stay so"
    if "requests" in phase:
        assert seen.requests == phase["requests"]
    for wait in phase.get("waits", []):
        first, second = (nth(seen, wait[end]) for end in ("from", "to"))
        passed_s = (seen.moments[second] - seen.moments[first]) / phase["time_scale"]
        assert wait.get("at_least_s", 0) <= passed_s <= wait.get("at_most_s", 1e9), wait


def nth(seen, name):
    """Return the index of a request such as `POST sessions #2`."""
    request, _, number = name.partition(" #")
    return [i for i, one in enumerate(seen.requests) if one == request][int(number or 1) - 1]


def differences(state, seen, phase):
    """Return what of the expected outcome is not there (yet)."""
    wanted = phase["then"]
    found = {
        **{name: state[name] for name in ("version", "status", "stale", "settings")},
        "acks": [frame["version"] for frame in seen.of("ack")],
        "overridden": [frame["overridden"] for frame in seen.of("ack")][-1:],
        "hellos": [frame["version"] for frame in seen.of("hello")],
        "pongs": len(seen.of("pong")),
        "counters": {k: state["counters"].get(k, 0) for k in wanted.get("counters", {})},
        "event_batches": [len(batch) for batch in seen.event_batches()],
        "distinct_events": len({event["id"] for batch in seen.event_batches() for event in batch}),
        "first_properties": next((batch[0]["properties"] for batch in seen.event_batches()), None),
        "request_count": {
            name: seen.requests.count(name) for name in wanted.get("request_count", {})
        },
    }
    return {k: (found[k], v) for k, v in wanted.items() if found[k] != v}


def tamper(folder, how, signer):
    (path,) = folder.glob("*.json")
    document = json.loads(path.read_text())
    if how == "not-json":
        path.write_text(path.read_text()[:-20])
        return
    if how == "forged":
        document["jws"], document["deltas"] = signer.jws({"break": "other-payload"}), []
    elif how == "other-stream":
        document["jws"], document["deltas"] = signer.jws({"stream": "rival", "version": 9}), []
    path.write_text(json.dumps(document))

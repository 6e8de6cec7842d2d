from __future__ import annotations

import base64
import json

import pytest

from tests.live.conftest import Sdk, ending, in_thread, receive, silent

TOOLTIPS = "ui.tooltips_enabled"

pytestmark = pytest.mark.django_db


def payload_of(jws: str) -> dict:
    part = jws.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_change_reaches_an_open_socket_as_signed_delta(sdk, place):
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    assert await receive(socket) == {"type": "current", "version": sdk.snapshot["version"]}

    version = await in_thread(place.publish, TOOLTIPS, False)

    frame = await receive(socket)
    assert (frame["type"], frame["base"], frame["version"]) == (
        "config",
        sdk.snapshot["version"],
        version,
    )
    delta = payload_of(frame["jws"])
    assert delta["changes"] == {TOOLTIPS: False}
    assert delta["removed"] == []
    assert (delta["organization"], delta["stream"], delta["client"]) == (place.slug, "derby", "web")
    answer = await sdk.config()
    assert answer.json()["version"] == version
    assert answer.json()["settings"][TOOLTIPS] is False


async def test_change_of_one_client_reaches_only_that_client(process, sdk, place):
    ios = Sdk(process.port, place.keys["ios"])
    await sdk.open()
    await ios.open()
    web_socket = await sdk.connect(hello=sdk.snapshot["version"])
    ios_socket = await ios.connect(hello=ios.snapshot["version"])
    await receive(web_socket)
    await receive(ios_socket)

    await in_thread(place.publish, TOOLTIPS, False, client="ios")

    assert (await receive(ios_socket))["type"] == "config"
    assert await silent(web_socket)
    assert (await sdk.config()).json()["version"] == sdk.snapshot["version"]


async def test_two_organizations_never_see_each_others_frames(process, sdk, place, other_place):
    stranger = Sdk(process.port, other_place.keys["web"])
    await sdk.open()
    await stranger.open()
    mine = await sdk.connect(hello=sdk.snapshot["version"])
    theirs = await stranger.connect(hello=stranger.snapshot["version"])
    await receive(mine)
    await receive(theirs)

    await in_thread(place.publish, TOOLTIPS, False)

    assert payload_of((await receive(mine))["jws"])["organization"] == place.slug
    assert await silent(theirs)
    assert (await stranger.config()).json()["organization"] == other_place.slug


async def test_client_that_holds_nothing_gets_the_whole(sdk, place):
    await sdk.open()

    socket = await sdk.connect(hello=0)

    frame = await receive(socket)
    whole = payload_of(frame["jws"])
    assert (frame["base"], whole["base"]) == (0, 0)
    assert whole["changes"] == sdk.snapshot["settings"]
    assert whole["removed"] == []


async def test_client_one_version_behind_gets_the_delta_again(sdk, place):
    await sdk.open()
    held = sdk.snapshot["version"]
    first = await sdk.connect(hello=held)
    await receive(first)
    await in_thread(place.publish, TOOLTIPS, False)
    await receive(first)

    second = await sdk.connect(hello=held)

    assert (await receive(second))["base"] == held


async def test_client_ahead_is_told_the_version_in_force(sdk):
    await sdk.open()

    socket = await sdk.connect(hello=sdk.snapshot["version"] + 7)

    assert await receive(socket) == {"type": "current", "version": sdk.snapshot["version"]}


async def test_changes_arrive_in_order_and_chain(sdk, place):
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)
    held, settings = sdk.snapshot["version"], dict(sdk.snapshot["settings"])

    for number in range(6):
        await in_thread(place.publish, TOOLTIPS, bool(number % 2))
        frame = await receive(socket)
        delta = payload_of(frame["jws"])
        assert delta["base"] == held
        held, settings = delta["version"], settings | delta["changes"]

    assert (await sdk.config()).json()["settings"] == settings


async def test_lost_redis_is_noticed_and_everybody_converges(sdk, place, valkey):
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)

    for key in valkey.scan_iter(f"gantry:{place.schema_name}:*"):
        valkey.delete(key)
    version = await in_thread(place.publish, TOOLTIPS, False)

    frame = await receive(socket, within_s=8)
    assert frame["version"] == version
    assert (await sdk.config()).json()["version"] == version


async def test_frame_that_was_never_sent_is_found_by_its_version(sdk, place, monkeypatch):
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)
    monkeypatch.setattr("core.push.publish", lambda frames: None)  # the message is lost on its way

    version = await in_thread(place.publish, TOOLTIPS, False)

    assert (await receive(socket, within_s=6))["version"] == version


async def test_pair_without_sockets_is_resolved_when_asked_for(sdk, place):
    await sdk.open()

    version = await in_thread(place.publish, TOOLTIPS, False)

    for _ in range(40):
        answer = await sdk.config()
        if answer.json()["version"] == version:
            break
    assert answer.json()["settings"][TOOLTIPS] is False


@pytest.mark.parametrize("level", ["organization", "stream", "client"])
async def test_change_at_every_level_reaches_the_socket(sdk, place, level):
    scopes: dict[str, dict[str, str | None]] = {
        "organization": {"stream": None},
        "stream": {},
        "client": {"stream": None, "client": "web"},
    }
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)

    await in_thread(place.publish, TOOLTIPS, False, **scopes[level])

    assert payload_of((await receive(socket))["jws"])["changes"] == {TOOLTIPS: False}


async def test_frame_of_another_app_is_passed_on_as_it_is(sdk, place):
    from core import push  # noqa: PLC0415

    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)
    text = '{"type":"retract","items":["m1"]}'
    frame = push.Frame(
        schema_name=place.schema_name, topic="", kind="retract", version=0, text=text
    )

    await in_thread(push.publish, [frame])

    assert await receive(socket) == json.loads(text)


async def test_session_end_is_not_reached_by_silence(sdk):
    await sdk.open()
    socket = await sdk.connect()

    await socket.send("[]")

    assert await ending(socket) == (
        {"type": "bye", "code": "bad-frame", "retry_after_ms": 1000},
        4400,
    )

from __future__ import annotations

import asyncio
import json
import socket as sockets
import time
from datetime import timedelta

import pytest
import websockets
from django.db import transaction
from django.utils import timezone
from websockets.typing import Subprotocol

from core import push
from core.tenancy import organization_context
from live import protocol
from live.process import current_hub
from sdk_keys import signing
from sdk_keys.models import SdkKey
from streams.models import Client, Stream
from tenants.models import Organization
from tests.live.conftest import Sdk, ending, in_thread, receive, silent

pytestmark = pytest.mark.django_db

TOOLTIPS = "ui.tooltips_enabled"


async def test_socket_is_greeted_with_version_and_heartbeat(sdk):
    await sdk.open()
    socket = await sdk.connect()

    await socket.send(json.dumps({"type": "hello", "version": sdk.snapshot["version"]}))

    hello = json.loads(await socket.recv())
    assert hello == {
        "type": "hello",
        "version": sdk.snapshot["version"],
        "heartbeat_s": 25,
        "reconnect_spread_ms": 1000,
    }
    assert socket.subprotocol == "gantry.v1"


async def test_native_client_may_send_the_authorization_header(sdk):
    await sdk.open()

    socket = await sdk.connect(
        hello=sdk.snapshot["version"],
        subprotocols=["gantry.v1"],
        additional_headers={"Authorization": f"Bearer {sdk.token}"},
    )

    assert (await receive(socket))["type"] == "current"


async def test_token_in_the_url_is_not_read(sdk, process):
    await sdk.open()

    socket = await websockets.connect(
        f"ws://127.0.0.1:{process.port}/sdk/v1/live?token={sdk.token}",
        subprotocols=[Subprotocol("gantry.v1")],
    )

    assert await ending(socket) == ({"type": "bye", "code": "invalid-token"}, 4401)


@pytest.mark.parametrize("token", ["x", "a.b.c", "a" * 3000])
async def test_socket_without_our_token_ends(sdk, token):
    socket = await sdk.connect(subprotocols=["gantry.v1", f"bearer.{token}"])

    assert await ending(socket) == ({"type": "bye", "code": "invalid-token"}, 4401)


async def test_socket_on_another_path_is_refused(process):
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(f"ws://127.0.0.1:{process.port}/sdk/v2/live")


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "nonsense",
        "[]",
        "5",
        "{}",
        '{"type": 5}',
        '{"type": "hello"}',
        '{"type": "hello", "version": "1"}',
        '{"type": "hello", "version": -1}',
        '{"type": "hello", "version": 1e300}',
        '{"type": "hello", "version": 99999999999999999999}',
        '{"type": "hello", "version": 1, "sdk": {"name": 5, "version": ""}}',
        '{"type": "ack", "version": 1}',
        '{"type": "ack", "version": 1, "applied_in_ms": -1, "overridden": []}',
        '{"type": "ack", "version": 1, "applied_in_ms": NaN, "overridden": []}',
        '{"type": "ack", "version": 1, "applied_in_ms": 1, "overridden": "x"}',
        "[" * 20_000,
        b"binary",
    ],
)
async def test_frame_of_no_known_shape_ends_the_socket(sdk, frame):
    await sdk.open()
    socket = await sdk.connect()

    await socket.send(frame)

    bye, code = await ending(socket)
    assert (bye["code"], code) == ("bad-frame", 4400)


async def test_frame_of_the_future_is_ignored(sdk):
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)

    await socket.send('{"type": "shout", "volume": 11}')
    await socket.send('{"type": "pong", "extra": true}')

    assert await silent(socket)


async def test_second_hello_ends_the_socket(sdk):
    await sdk.open()
    socket = await sdk.connect(hello=1)

    await socket.send('{"type": "hello", "version": 1}')

    assert (await ending(socket))[1] == 4400


async def test_too_large_frame_ends_the_socket(sdk):
    await sdk.open()
    socket = await sdk.connect(hello=1)

    await socket.send('{"type":"pong","x":"' + "é" * 33_000 + '"}')

    bye, code = await ending(socket)
    assert (bye["code"], code) == ("too-large", 4413)


async def test_too_many_frames_end_the_socket(sdk):
    await sdk.open()
    socket = await sdk.connect(hello=1)

    for _ in range(protocol.MAX_INBOUND_A_MINUTE + 1):
        await socket.send('{"type":"pong"}')

    bye, code = await ending(socket)
    assert (bye["code"], code) == ("too-many-messages", 4429)
    assert bye["retry_after_ms"] > 0


async def test_socket_that_never_says_hello_ends(sdk, monkeypatch):
    monkeypatch.setattr(protocol, "HELLO_TIMEOUT_S", 0.1)
    await sdk.open()
    socket = await sdk.connect()

    bye, code = await ending(socket)

    assert (bye["code"], code) == ("hello-timeout", 4408)


async def test_session_that_is_over_ends_the_socket(process, place):
    ends = timezone.now() + timedelta(seconds=3)
    sdk = Sdk(process.port, await in_thread(place.add_key, expires_at=ends))
    await sdk.open()
    socket = await sdk.connect(hello=1)

    frame = await receive(socket, skip=("ping", "current", "config"), within_s=12)

    assert frame["type"] == "bye"
    assert frame["code"] in {"expired", "revoked"}


async def test_wrong_origin_ends_the_socket(process, place):
    key = await in_thread(place.add_key, origins=["https://www.acme.example"])
    sdk = Sdk(process.port, key)
    await sdk.open(Origin="https://www.acme.example")

    right = await sdk.connect(hello=1, origin="https://www.acme.example")
    wrong = await sdk.connect(origin="https://evil.example")

    assert (await receive(right))["type"] == "current"
    assert await ending(wrong) == ({"type": "bye", "code": "wrong-origin"}, 4403)


# ── who may stay ──────────────────────────────────────────────────────────────────────────────


def enqueue(place, kind: str, payload: dict, write=None) -> None:
    with organization_context(place.schema_name), transaction.atomic():
        if write is not None:
            write()
        push.enqueue(kind, payload)


async def test_revocation_closes_open_sockets_within_a_second(process, sdk, place):
    other = Sdk(process.port, place.keys["ios"])
    await sdk.open()
    await other.open()
    socket = await sdk.connect(hello=1)
    bystander = await other.connect(hello=1)
    await receive(bystander)
    public_id = place.keys["web"].split("_")[2]

    def revoke():
        SdkKey.objects.filter(public_id=public_id).update(revoked_at=timezone.now())

    started = time.monotonic()
    await in_thread(enqueue, place, "revoke", {"key": public_id}, revoke)
    bye, code = await ending(socket)

    assert time.monotonic() - started < 1
    assert (bye["code"], code) == ("revoked", 4403)
    assert await silent(bystander)
    assert (await sdk.config()).status_code == 401
    assert (await sdk.config()).json()["type"] == "/problems/key-revoked"
    late = await sdk.connect()
    assert (await ending(late))[0]["code"] == "revoked"


async def test_revocation_is_noticed_even_when_its_frame_is_lost(sdk, place):
    await sdk.open()
    socket = await sdk.connect(hello=1)
    public_id = place.keys["web"].split("_")[2]

    keys = SdkKey.objects.filter(public_id=public_id)
    await in_thread(keys.update, revoked_at=timezone.now())

    frame = await receive(socket, skip=("ping", "current", "config"), within_s=8)
    assert (frame["type"], frame["code"]) == ("bye", "revoked")


@pytest.mark.parametrize(
    ("kind", "model", "slug", "fields", "code"),
    [
        ("stream", Stream, "derby", {"state": "archived"}, "stream-not-open"),
        ("client", Client, "web", {"disabled_at": timezone.now()}, "client-disabled"),
    ],
)
async def test_closed_stream_or_client_ends_its_sockets(
    sdk, place, kind, model, slug, fields, code
):
    await sdk.open()
    socket = await sdk.connect(hello=1)

    def close():
        model.objects.filter(slug=slug).update(**fields)

    await in_thread(enqueue, place, kind, {kind: slug}, close)

    assert (await ending(socket))[0] == {"type": "bye", "code": code}
    assert (await sdk.config()).json()["type"] == f"/problems/{code}"


async def test_suspended_organization_loses_its_sockets_and_gets_them_back(sdk, place):
    await sdk.open()
    socket = await sdk.connect(hello=1)
    mine = Organization.objects.filter(slug=place.slug)

    await in_thread(enqueue, place, "suspend", {}, lambda: mine.update(status="suspended"))

    assert await ending(socket) == ({"type": "bye", "code": "suspended"}, 4403)
    assert (await sdk.config()).json()["type"] == "/problems/organization-suspended"
    await in_thread(enqueue, place, "suspend", {}, lambda: mine.update(status="active"))
    async with asyncio.timeout(3):
        while (await sdk.config()).status_code != 200:  # noqa: ASYNC110  seen from outside
            await asyncio.sleep(0.05)
    again = await sdk.connect(hello=1)
    assert (await receive(again))["type"] == "current"


async def test_withdrawn_signing_key_ends_what_it_signed(sdk, place):
    await sdk.open()
    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)
    old_jws = sdk.answer["jws"]

    await in_thread(signing.rotate, at=timezone.now(), compromised=True)
    current_hub().freshness._keys_read_at = -1000.0  # the next look is due

    bye, code = await ending(socket)
    assert (bye["code"], code) == ("invalid-token", 4401)
    assert (await sdk.config()).json()["type"] == "/problems/invalid-token"
    assert (await sdk.open()).status_code == 201
    assert sdk.answer["jws"].split(".")[0] != old_jws.split(".")[0]
    assert sdk.answer["jws"].split(".")[1] == old_jws.split(".")[1]


# ── backpressure ──────────────────────────────────────────────────────────────────────────────


async def test_stalled_sockets_delay_nobody(sdk, process, place):
    await sdk.open()
    version = sdk.snapshot["version"]
    stalled = [await _stalled_socket(process.port, sdk.token) for _ in range(2)]
    healthy = [await sdk.connect(hello=version) for _ in range(5)]
    for socket in healthy:
        await receive(socket)
    await _flood(place, stalled_frames=300)

    changed = await in_thread(place.publish, TOOLTIPS, False)

    for socket in healthy:
        while (frame := await receive(socket))["type"] != "config":
            assert frame["type"] == "retract"
        assert frame["version"] == changed
    for raw in stalled:
        raw.close()


async def _stalled_socket(port: int, token: str) -> sockets.socket:
    """Shake hands, say hello, then never read again."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", port))
    raw.sendall(
        b"GET /sdk/v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: gantry.v1, bearer." + token.encode() + b"\r\n\r\n"
    )
    hello = b'{"type":"hello","version":0}'
    mask = b"\x00\x00\x00\x00"
    raw.sendall(bytes((0x81, 0x80 | len(hello))) + mask + hello)
    await asyncio.sleep(0.3)
    return raw


async def _flood(place, stalled_frames: int) -> None:
    """Send what fills the buffers of whoever does not read."""
    text = json.dumps({"type": "retract", "items": ["x" * 10_000]})
    frame = push.Frame(
        schema_name=place.schema_name, topic="", kind="retract", version=0, text=text
    )
    for _ in range(stalled_frames // 20):
        await in_thread(push.publish, [frame] * 20)


async def test_socket_with_too_much_waiting_is_told_and_cut(sdk, process, place):
    await sdk.open()
    raw = await _stalled_socket(process.port, sdk.token)
    await _flood(place, stalled_frames=1200)

    await in_thread(place.publish, TOOLTIPS, False)

    raw.settimeout(15)
    received = b""
    while chunk := await in_thread(raw.recv, 1_000_000):
        received += chunk
    assert b'"code":"slow"' in received or len(received) < 1200 * 10_000
    raw.close()

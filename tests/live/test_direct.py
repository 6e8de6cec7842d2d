"""Where uvicorn's transport may not be used, everything still works, only slower."""

from __future__ import annotations

import asyncio
import json
import signal

import httpx
import pytest
from asgiref.testing import ApplicationCommunicator

from config.asgi import application
from live import direct
from live.process import current_hub, start_process, stop_process
from live.protocol import Wire
from live.sockets import QueuedTransport
from tests.live.conftest import Sdk, in_thread

pytestmark = pytest.mark.django_db

TOOLTIPS = "ui.tooltips_enabled"


@pytest.fixture
async def here(place, django_db_blocker):
    """The whole application in this loop, without uvicorn: nothing can be written directly."""
    with django_db_blocker.unblock():
        await start_process()
        transport = httpx.ASGITransport(app=application)
        sdk = Sdk(0, place.keys["web"])
        sdk.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
        await sdk.open()
        yield sdk
        await sdk.http.aclose()
        await stop_process()


def socket_scope(sdk: Sdk) -> dict:
    return {
        "type": "websocket",
        "path": "/sdk/v1/live",
        "headers": [],
        "subprotocols": ["gantry.v1", f"bearer.{sdk.token}"],
    }


async def spoken_to(sdk: Sdk) -> ApplicationCommunicator:
    socket = ApplicationCommunicator(application, socket_scope(sdk))
    await socket.send_input({"type": "websocket.connect"})
    accepted = await socket.receive_output(timeout=5)
    assert (accepted["type"], accepted["subprotocol"]) == ("websocket.accept", "gantry.v1")
    await say(socket, '{"type": "hello", "version": 0}')
    assert (await next_frame(socket))["type"] == "hello"
    return socket


async def say(socket: ApplicationCommunicator, text: str) -> None:
    await socket.send_input({"type": "websocket.receive", "text": text})


async def next_frame(socket: ApplicationCommunicator) -> dict:
    return json.loads((await socket.receive_output(timeout=5))["text"])


@pytest.mark.parametrize("accept", ["application/json", "application/jose"])
async def test_answers_are_the_same_through_asgi(here, accept):
    answers = [await here.config(Accept=accept) for _ in range(2)]

    assert answers[0].status_code == 200
    assert answers[0].content == answers[1].content
    again = await here.config(Accept=accept, **{"If-None-Match": answers[0].headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_socket_gets_its_frames_through_asgi(here, place):
    socket = await spoken_to(here)
    assert (await next_frame(socket))["base"] == 0

    version = await in_thread(place.publish, TOOLTIPS, False)

    frame = await next_frame(socket)
    assert (frame["type"], frame["version"]) == ("config", version)
    await say(socket, "nonsense")
    assert (await next_frame(socket))["code"] == "bad-frame"
    closed = await socket.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4400)


async def test_restart_says_when_to_come_back_and_lets_nobody_in(here):
    socket = await spoken_to(here)
    await next_frame(socket)

    current_hub().say_goodbye()

    bye = await next_frame(socket)
    assert bye["code"] == "restart"
    assert 0 <= bye.get("retry_after_ms", 0) <= 1000
    closed = await socket.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", 1012)
    late = ApplicationCommunicator(application, socket_scope(here))
    await late.send_input({"type": "websocket.connect"})
    assert (await late.receive_output(timeout=5))["type"] == "websocket.close"


async def test_overloaded_process_says_when_to_try_again(here):
    current_hub().stopping = True
    scope = socket_scope(here) | {"extensions": {"websocket.http.response": {}}}
    late = ApplicationCommunicator(application, scope)

    await late.send_input({"type": "websocket.connect"})

    refused = await late.receive_output(timeout=5)
    assert refused["status"] == 503
    assert (b"retry-after", b"2") in refused["headers"]


async def test_process_gives_signals_back(django_db_blocker):
    before = signal.getsignal(signal.SIGINT)

    with django_db_blocker.unblock():
        await start_process()
        during = signal.getsignal(signal.SIGINT)
        await stop_process()

    assert during is not before
    assert signal.getsignal(signal.SIGINT) is before


async def test_nothing_but_uvicorn_is_written_to_directly():
    async def send(message: object) -> None: ...

    assert direct.websocket_transport(send) is None
    assert not direct.answer(send, 200, b"\r\n")


class Reader:
    """An ASGI `send` whose reader can be stalled."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.received: list[str] = []
        self.is_gone = False

    async def __call__(self, message: dict) -> None:
        await self.reads.wait()
        if self.is_gone:
            raise ConnectionError
        self.received.append(message["text"])


async def test_queue_keeps_order_and_counts_what_waits():
    reader = Reader()
    transport = QueuedTransport(reader)

    transport.write(Wire("one"))
    transport.write(Wire("two"))
    await asyncio.sleep(0)
    waiting = transport.get_write_buffer_size()
    reader.reads.set()
    await transport.drained()

    assert waiting == 6
    assert reader.received == ["one", "two"]
    assert transport.get_write_buffer_size() == 0


async def test_queue_of_a_reader_that_went_is_closed():
    reader = Reader()
    reader.reads.set()
    reader.is_gone = True
    transport = QueuedTransport(reader)

    transport.write(Wire("one"))
    await transport.drained()

    assert transport.is_closing()


async def test_aborted_queue_sends_nothing_more():
    reader = Reader()
    transport = QueuedTransport(reader)

    transport.write(Wire("one"))
    await asyncio.sleep(0)
    transport.abort()
    reader.reads.set()
    await transport.drained()

    assert reader.received == []
    assert transport.is_closing()

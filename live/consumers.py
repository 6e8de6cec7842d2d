"""What does one SDK socket do, from the handshake to its end?"""

from __future__ import annotations

import time
from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from core.errors import DomainError
from live import protocol
from live.hub import ENDINGS, Hub
from live.process import current_hub
from live.protocol import Ending
from live.registry import Entry
from live.sockets import Socket

MINUTE_S = 60
RETRY_AFTER_S = b"2"

Message = dict[str, Any]


class SdkConsumer(AsyncWebsocketConsumer):
    """One socket. Frames to it are written by the hub; here is only what the client says."""

    hub: Hub
    socket: Socket | None = None
    ended = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # The base class gives every socket a channel and two tasks; ours needs neither, since
        # the hub holds the process's one subscription.
        self.scope, self.base_send, self.hub = scope, send, current_hub()
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            if self.socket is not None:
                self.hub.closed(self.socket)

    async def dispatch(self, message: Message) -> None:
        # The base class hops to a thread to close database connections, for every message.
        kind = message["type"]
        if kind == "websocket.receive":
            await self._heard(message)
        elif kind == "websocket.connect":
            await self._open()
        else:
            raise StopConsumer

    async def _open(self) -> None:
        if self.hub.is_overloaded:
            await self._shed()
            return
        offered = self.scope.get("subprotocols", [])
        chosen = protocol.SUBPROTOCOL if protocol.SUBPROTOCOL in offered else None
        try:
            entry = await self.hub.entry(_authorization(self.scope))
            _check_origin(self.scope, entry)
        except DomainError as error:
            await self.accept(chosen)
            await self._end(ENDINGS.get(error.slug, protocol.UNAVAILABLE))
            return
        await self.accept(chosen)
        self.socket = Socket(entry, self.base_send, time.time())
        self.hub.opened(self.socket)

    async def _heard(self, message: Message) -> None:
        socket = self.socket
        if socket is None or socket.ending is not None:
            return
        refusal = _refusal(socket, message, time.time())
        if refusal is not None:
            socket.end(refusal)
            return
        try:
            frame = protocol.read_frame(message["text"])
        except protocol.BadFrame:
            socket.end(protocol.BAD_FRAME)
            return
        if isinstance(frame, protocol.Hello):
            await self._greet(socket, frame)
        elif isinstance(frame, protocol.Ack):
            self.hub.acknowledged(socket, frame)

    async def _greet(self, socket: Socket, hello: protocol.Hello) -> None:
        if socket.version >= 0:
            socket.end(protocol.BAD_FRAME)
            return
        try:
            await self.hub.greet(socket, hello)
        except DomainError as error:
            socket.end(ENDINGS.get(error.slug, protocol.UNAVAILABLE))

    async def _end(self, ending: Ending) -> None:
        """Refuse where a browser can read it: it sees close codes, never handshake statuses."""
        await self.send(text_data=protocol.bye_wire(ending).text)
        await self.close(ending.close_code)

    async def _shed(self) -> None:
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self.close()
            return
        send: Any = self.base_send  # the stubs do not know this extension
        headers = [(b"retry-after", RETRY_AFTER_S), (b"content-length", b"0")]
        await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b""})


def _authorization(scope: Any) -> bytes:
    """Return the Authorization value; browsers can only send it as a subprotocol."""
    for offered in scope.get("subprotocols", []):
        if offered.startswith(protocol.TOKEN_SUBPROTOCOL):
            token: str = offered.removeprefix(protocol.TOKEN_SUBPROTOCOL)
            return b"Bearer " + token.encode("latin-1", "replace")
    return _header(scope, b"authorization")


def _check_origin(scope: Any, entry: Entry) -> None:
    bound_to = entry.session.origin
    given = _header(scope, b"origin").decode("latin-1")
    if bound_to and given and given.lower() != bound_to.lower():
        raise WrongOrigin("This origin did not open the session.")


class WrongOrigin(DomainError):
    slug = "wrong-origin"
    status = 403
    title = "Origin not allowed"


def _header(scope: Any, wanted: bytes) -> bytes:
    for name, value in scope["headers"]:
        if name == wanted:
            found: bytes = value
            return found
    return b""


def _refusal(socket: Socket, message: Message, now: float) -> Ending | None:
    """Count a frame and return why it may not be read, if so."""
    socket.heard_at = now
    if now - socket.window_started_at >= MINUTE_S:
        socket.window_started_at, socket.frames_in_window = now, 0
    socket.frames_in_window += 1
    if socket.frames_in_window > protocol.MAX_INBOUND_A_MINUTE:
        return protocol.TOO_MANY
    text = message.get("text")
    if text is None:
        return protocol.BAD_FRAME
    too_long = len(text) > protocol.MAX_INBOUND_BYTES
    if too_long or len(text.encode("utf-8", "replace")) > protocol.MAX_INBOUND_BYTES:
        return protocol.TOO_LARGE
    if now >= socket.entry.expires:
        return protocol.EXPIRED
    return None

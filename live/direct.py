"""May prepared bytes go straight to uvicorn's transport? The one file that knows its insides.

Every use is checked when it happens: under another server, another version or any unusual state
the answer is no, and the caller goes through ASGI's `send` instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

Send = Callable[[Any], Awaitable[None]]

_heads: dict[int, tuple[object, bytes]] = {}  # status → the default headers it was made of, bytes


def websocket_transport(send: Send) -> Any:
    """Return the transport of a socket that a prepared frame may be written to, else None."""
    protocol = getattr(send, "__self__", None)
    if type(protocol) is not WebSocketsSansIOProtocol:
        return None
    if protocol.conn.extensions or not hasattr(protocol.transport, "get_write_buffer_size"):
        return None  # a compressed connection needs a frame of its own
    return protocol.transport


def answer(send: Send, status: int, rest: bytes) -> bool:
    """Write a whole answer at once; False when it has to go through `send`.

    `rest` is what follows the status line and the server's own headers: headers, blank line, body.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not cycle.keep_alive:
        return False
    if cycle.response_started or cycle.disconnected or cycle.access_log or cycle.flow.write_paused:
        return False
    made_of, head = _heads.get(status, (None, b""))
    if made_of is not cycle.default_headers:  # a new list every second, for the Date header
        lines = [name + b": " + value + b"\r\n" for name, value in cycle.default_headers]
        head = STATUS_LINE[status] + b"".join(lines)
        _heads[status] = (cycle.default_headers, head)
    cycle.transport.write(head + rest)
    cycle.response_started = cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
    return True

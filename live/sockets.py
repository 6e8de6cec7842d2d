"""How do the same bytes get to ten thousand sockets, and a stalled one delay nobody?

Under uvicorn a prepared WebSocket frame is written straight to each transport. Under any other
server every socket has a queue and a task of its own. Neither ever waits for a reader.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

from live.direct import Send, websocket_transport
from live.protocol import Ending, Wire, bye_wire

if TYPE_CHECKING:
    from live.registry import Entry, Pair

CLOSE_PATIENCE_S = 2

_closing: set[asyncio.Task[None]] = set()


class QueuedTransport:
    """Looks like a transport; hands frames to an ASGI `send` one after another."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: deque[bytes] = deque()
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def write(self, wire: Wire) -> None:
        self._queue.append(wire.text.encode())
        self._waiting += len(wire.text)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._drain())

    def get_write_buffer_size(self) -> int:
        return self._waiting

    def is_closing(self) -> bool:
        return self._closed

    def abort(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    async def drained(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _drain(self) -> None:
        while self._queue:
            text = self._queue.popleft()
            try:
                await self._send({"type": "websocket.send", "text": text.decode()})
            except Exception:  # the peer is gone, however this server says so
                self._closed = True
                return
            self._waiting -= len(text)


class Socket:
    """One open SDK socket: what it holds, and the way to write to it."""

    __slots__ = (
        "applied",
        "direct",
        "ending",
        "entry",
        "frames_in_window",
        "heard_at",
        "lagging_since",
        "next_ping_at",
        "opened_at",
        "queued",
        "sdk",
        "send",
        "version",
        "window_started_at",
    )

    def __init__(self, entry: Entry, send: Send, now: float) -> None:
        self.entry = entry
        self.send = send
        self.version = -1  # what it was sent or said it holds; -1 before its hello
        self.applied = 0
        self.sdk = ""
        self.opened_at = self.heard_at = self.window_started_at = now
        self.next_ping_at = now
        self.lagging_since = 0.0
        self.frames_in_window = 0
        self.ending: Ending | None = None
        self.direct: Any = websocket_transport(send)  # uvloop's transports have no common base
        self.queued = None if self.direct is not None else QueuedTransport(send)

    @property
    def pair(self) -> Pair:
        return self.entry.pair

    @property
    def _pipe(self) -> Any:
        return self.queued if self.direct is None else self.direct

    def waiting_bytes(self) -> int:
        return int(self._pipe.get_write_buffer_size())

    def put(self, wire: Wire) -> None:
        """Write without waiting."""
        if self.direct is not None:
            if not self.direct.is_closing():
                self.direct.write(wire.data)
        elif self.queued is not None:
            self.queued.write(wire)

    def end(self, ending: Ending) -> None:
        """Say goodbye and close; nothing is written after it."""
        if self.ending is not None:
            return
        self.ending = ending
        self.pair.sockets.discard(self)
        self.put(bye_wire(ending))
        task = asyncio.ensure_future(self._close(ending))
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    async def _close(self, ending: Ending) -> None:
        # A reader that stalls never lets `send` return: after a moment the connection is cut.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_PATIENCE_S):
                if self.queued is not None:
                    await self.queued.drained()
                await self.send({"type": "websocket.close", "code": ending.close_code})
                return
        self._pipe.abort()

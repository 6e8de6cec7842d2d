"""The floor: the least a server in this language can do, on bare uvloop without any framework.

`python benchmarks/_bare.py http PORT` answers every request with the bytes read from standard
input (the first line says how many bytes belong to the 200, the rest is the 304).
`python benchmarks/_bare.py push PORT CONTROL` shakes hands with WebSockets and, when a marker and a
length come on the control port, writes one prepared frame of so many bytes to each of them.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import sys
from typing import Any

import uvloop

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Http(asyncio.Protocol):
    """Reads up to the blank line and writes ready bytes."""

    full = not_modified = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            changed = b"f-None-Match" not in data
            self.transport.write(self.full if changed else self.not_modified)


class Socket(asyncio.Protocol):
    """Accepts every WebSocket and never listens."""

    everybody: set[Any] = set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        _, found, rest = data.partition(b"Sec-WebSocket-Key: ")
        if not found:
            return
        key = rest.partition(b"\r\n")[0]
        # The protocol asks for SHA-1 here; nothing is kept safe by it.
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: gantry.v1\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.everybody.add(self.transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.everybody.discard(self.transport)


class Control(asyncio.Protocol):
    """Each line "<marker> <length>" is one change."""

    def data_received(self, data: bytes) -> None:
        marker, length = data.split()
        body = marker.ljust(int(length), b"x")
        head = (
            bytes((0x81, len(body)))
            if len(body) < 126
            else b"\x81\x7e" + len(body).to_bytes(2, "big")
        )
        frame = head + body
        for transport in Socket.everybody:
            transport.write(frame)


async def main(kind: str, port: int, control: int = 0) -> None:
    loop = asyncio.get_running_loop()
    if kind == "http":
        size = int(sys.stdin.buffer.readline())
        Http.full = sys.stdin.buffer.read(size)
        Http.not_modified = sys.stdin.buffer.read()
        await loop.create_server(Http, "127.0.0.1", port)
    else:
        await loop.create_server(Socket, "127.0.0.1", port, backlog=4096)
        await loop.create_server(Control, "127.0.0.1", control)
    gc.freeze()
    gc.disable()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], *map(int, sys.argv[2:])))

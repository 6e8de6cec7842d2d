"""Is this process alive, may it get traffic, and what has it counted? Works without a database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def alive(scope: Any, receive: Any, send: Send) -> None:
    await _answer(send, 200, b'{"status":"ok"}')


async def _answer(
    send: Send, status: int, body: bytes, content_type: bytes = b"application/json"
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


ROUTES: dict[str, Callable[[Any, Any, Send], Awaitable[None]]] = {"/livez": alive}

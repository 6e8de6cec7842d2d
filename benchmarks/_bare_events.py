"""The least an endpoint for events can do: read a batch with its types, append it durably, answer.

Served by uvicorn beside the product by benchmarks/events.py and appending to the same Redis, one
stream entry a batch. No token, no rejections, no duplicates, no counting, no limits.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

import msgspec
from redis import asyncio as redis

TYPES = Literal["session_start", "heartbeat", "reaction", "overlay_shown", "card_answered"]


class Event(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
    type: TYPES
    at: str
    properties: dict[str, str | int | float | bool] = {}


decode = msgspec.json.Decoder(list[Event]).decode
server = redis.Redis.from_url(os.environ["REDIS_URL"])


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    answer = b'{"accepted":%d}' % len(decode(body))
    await server.xadd("gantry:_:bare", {"batch": body})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

"""Which application answers on this port? The SDK plane first, then whatever stands behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from live import edge, health
from live.consumers import SdkConsumer
from live.process import start_process, stop_process

Application = Callable[[Any, Any, Any], Awaitable[None]]

LIVE_PATH = "/sdk/v1/live"
EDGE_PREFIXES = ("/sdk/", "/.well-known/jwks.json")
REFUSED_UPGRADE = 4404


def serve(fallback: Application) -> Application:
    """Return the whole ASGI application, with `fallback` for what is not the SDK plane's."""
    kinds: dict[str, Application] = {
        "http": partial(_http, fallback),
        "websocket": partial(_websocket, SdkConsumer.as_asgi()),
        "lifespan": _live_and_die,
    }

    async def application(scope: Any, receive: Any, send: Any) -> None:
        is_fetch = scope["type"] == "http" and scope["path"] == edge.CONFIG_PATH
        if is_fetch and scope["method"] == "GET" and edge.config_at_once(scope, send):
            return
        await kinds[scope["type"]](scope, receive, send)

    return application


async def _http(fallback: Application, scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    if path.startswith(EDGE_PREFIXES):
        await edge.application(scope, receive, send)
    elif path in health.ROUTES:
        await health.ROUTES[path](scope, receive, send)
    else:
        await fallback(scope, receive, send)


async def _websocket(consumer: Application, scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == LIVE_PATH:
        await consumer(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": REFUSED_UPGRADE})


async def _live_and_die(scope: Any, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await start_process()
            await send({"type": "lifespan.startup.complete"})
        else:
            await stop_process()
            await send({"type": "lifespan.shutdown.complete"})
            return

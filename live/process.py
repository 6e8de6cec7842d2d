"""How does a process that speaks to SDKs start and stop?"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import threading
from typing import Any

from live.hub import Hub

GC_THRESHOLDS = (50_000, 50, 100)  # a full collection walks every socket's objects

_hub: Hub | None = None
_handlers: dict[int, Any] = {}  # what stood before ours


def current_hub() -> Hub:
    """Return the hub of this process; it exists between start-up and shutdown."""
    assert _hub is not None, "the lifespan has not started the hub"
    return _hub


async def start_process() -> Hub:
    """Make the hub, listen, and prepare the process for many small objects that live long."""
    global _hub
    _hub = Hub()
    await _hub.start()
    _raise_file_limit()
    if threading.current_thread() is threading.main_thread():
        _say_goodbye_on_signals(_hub)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return _hub


async def stop_process() -> None:
    global _hub
    _give_signals_back()
    if _hub is not None:
        await _hub.stop()
        _hub = None


def _raise_file_limit() -> None:
    """Every socket is a file: take as many as this user may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _say_goodbye_on_signals(hub: Hub) -> None:
    """Before the server closes everything with a bare 1012, say `bye` with a spread."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if not callable(before):
            continue  # nobody would stop the process after the goodbye

        def handler(received: int, frame: Any, before: Any = before) -> None:
            loop.call_soon_threadsafe(hub.say_goodbye)
            before(received, frame)

        signal.signal(number, handler)
        _handlers[number] = before


def _give_signals_back() -> None:
    while _handlers:
        signal.signal(*_handlers.popitem())

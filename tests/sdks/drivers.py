"""How does a test start either SDK and look inside it? One face for Python and JavaScript."""

import asyncio
import json
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sdks.python.gantry_sdk import GantryClient, Options

NODE = shutil.which("node") or ""
JS_DRIVER = Path(__file__).with_name("js_driver.mjs")


class PythonDriver:
    def __init__(self, client):
        self._client = client

    async def state(self):
        client = self._client
        settings = dict(client.snapshot.settings) if client.snapshot else {}
        state = {"version": client.version, "status": client.status, "stale": client.stale}
        return {**state, "settings": settings, "counters": dict(client.counters)}

    async def track(self, kind, properties, times):
        for _ in range(times):
            self._client.track(kind, properties)


class JsDriver:
    def __init__(self, process):
        self._process = process

    async def state(self):
        return await self._ask({"op": "state"})

    async def track(self, kind, properties, times):
        request = {"op": "track", "kind": kind, "properties": properties, "times": times}
        await self._ask(request)

    async def stop(self):
        await self._ask({"op": "stop"})

    async def _ask(self, request):
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        await self._process.stdin.drain()
        line = await asyncio.wait_for(self._process.stdout.readline(), 10)
        assert line, "the JavaScript driver ended"
        return json.loads(line)


@asynccontextmanager
async def python_client(
    base_url, sdk_key, *, stream, cache, settings
) -> AsyncIterator[PythonDriver]:
    options = Options(
        local=settings.get("local", {}),
        automatic_events=settings.get("automatic_events", False),
        time_scale=settings.get("time_scale", 1),
        random=(lambda: settings["random"]) if "random" in settings else random.random,
    )
    defaults = settings.get("defaults")
    async with GantryClient(
        base_url, sdk_key, stream=stream, cache=cache, defaults=defaults, options=options
    ) as client:
        yield PythonDriver(client)


@asynccontextmanager
async def js_client(base_url, sdk_key, *, stream, cache, settings) -> AsyncIterator[JsDriver]:
    process = await asyncio.create_subprocess_exec(
        NODE, "--experimental-websocket", "--no-warnings", str(JS_DRIVER),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**22,
    )  # fmt: skip
    start = {"baseUrl": base_url, "sdkKey": sdk_key, "stream": stream, "cache": str(cache)}
    driver = JsDriver(process)
    try:
        await driver._ask({"op": "start", **start, "settings": settings})
        yield driver
        await driver.stop()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


CLIENTS = {"python": python_client, "js": js_client}

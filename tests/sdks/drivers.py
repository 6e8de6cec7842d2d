"""How does a test start either SDK and look inside it? One face for Python and JavaScript."""

import asyncio
import itertools
import json
import random
import shutil
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sdks.python.gantry_sdk import GantryClient, Options

NODE = shutil.which("node") or ""
JS_DRIVER = Path(__file__).with_name("js_driver.mjs")
ANSWER_WITHIN_S = 20


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


@asynccontextmanager
async def python_client(base_url, sdk_key, *, stream, cache, settings):
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
async def python_host():
    yield python_client


class JsDriver:
    """One client inside the node process."""

    def __init__(self, host, client):
        self._host = host
        self._client = client

    async def state(self):
        return await self.ask("state")

    async def track(self, kind, properties, times):
        await self.ask("track", kind=kind, properties=properties, times=times)

    async def ask(self, operation, **fields):
        return await self._host.ask({"client": self._client, "op": operation, **fields})


class JsHost:
    """One node process that runs many clients; a JSON line each way for each request."""

    def __init__(self, process):
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting = {}
        self._reading = asyncio.create_task(self._read())

    async def ask(self, request):
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"number": number, **request}).encode() + b"\n")
        return await asyncio.wait_for(answer, ANSWER_WITHIN_S)

    async def _read(self):
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            self._waiting.pop(answer["number"]).set_result(answer)

    @asynccontextmanager
    async def client(self, base_url, sdk_key, *, stream, cache, settings):
        driver = JsDriver(self, next(self._numbers))
        where = {"baseUrl": base_url, "sdkKey": sdk_key, "stream": stream, "cache": str(cache)}
        await driver.ask("start", **where, settings=settings)
        try:
            yield driver
        finally:
            await driver.ask("stop")

    async def close(self):
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading


@asynccontextmanager
async def js_host():
    process = await asyncio.create_subprocess_exec(
        NODE, "--experimental-websocket", "--no-warnings", str(JS_DRIVER),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**22,
    )  # fmt: skip
    host = JsHost(process)
    try:
        yield host.client
    finally:
        await host.close()


HOSTS = {"python": python_host, "js": js_host}

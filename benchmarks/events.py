"""How many events a second does one process accept durably, and how fast does ClickHouse get them?

Usage: python benchmarks/events.py [--json] [--rounds N]. Starts its own servers and one web process
of the product (Redis forces every write to the disk), and asks both it and benchmarks/_bare_events.py over HTTP,
in turns: batches of 500 events, 8 connections, every id new. What was accepted in the last turn is
then carried by `manage.py ingest`, from the first stored row to the empty buffer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from psutil import Process
from redis import Redis

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.embedded import servers  # noqa: E402

BATCH = 500
CONNECTIONS = 8
SECONDS = 1.5
PATIENCE_S = 60
ACCEPT_GOAL = 500_000
RATIO_GOAL = 0.5
STORE_GOAL = 150_000
STREAM, TOTALS, BYTES = "gantry:_:events", "gantry:_:ingest:totals", "gantry:_:events:bytes"


def template() -> bytes:
    """A batch whose ids all start with 00000000, to be replaced by the number of the batch."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    properties = {"emoji": "goal", "count": 2, "position_s": 12.5}
    events = [
        {
            "id": "00000000" + str(uuid.uuid4())[8:],
            "type": "reaction" if number % 3 else "heartbeat",
            "at": at,
            "properties": properties,
        }
        for number in range(BATCH)
    ]
    return json.dumps(events, separators=(",", ":")).encode()


class Load:
    """Sends new batches to one address over several connections, one at a time on each."""

    def __init__(self, port: int, path: str, token: str = "") -> None:
        self.port = port
        self.body = template()
        self.number = 0
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        ).encode()

    def round(self) -> float:
        """Return events accepted a second."""
        return asyncio.run(self._round())

    async def _round(self) -> float:
        started = time.perf_counter()
        until = started + SECONDS
        done = await asyncio.gather(*(self._connection(until) for _ in range(CONNECTIONS)))
        return sum(done) * BATCH / (time.perf_counter() - started)

    async def _connection(self, until: float) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        batches = 0
        while time.perf_counter() < until:
            self.number += 1
            writer.write(self.head + self.body.replace(b'"00000000-', b'"%08x-' % self.number))
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await reader.readexactly(length_of(head))
            if not head.startswith(b"HTTP/1.1 202") or b'"accepted":500' not in answer:
                raise SystemExit(f"not accepted: {head!r} {answer!r}")
            batches += 1
        writer.close()
        return batches


def length_of(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    raise SystemExit(f"no length in {head!r}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(arguments: list[str], environment: dict[str, str]) -> Iterator[Process]:
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Process(child.pid)
    finally:
        child.terminate()
        child.wait(PATIENCE_S)


@contextlib.contextmanager
def serving(application: str, environment: dict[str, str]) -> Iterator[tuple[int, Process]]:
    """One uvicorn process, as the supervisor starts it: its port and itself."""
    port = free_port()
    arguments = ["-m", "uvicorn", application, "--port", str(port), "--loop", "uvloop"]
    arguments += ["--http", "httptools", "--no-access-log", "--log-level", "warning"]
    with running(arguments, environment | {"GANTRY_PORT": str(port)}) as process:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"{application} did not start")
            time.sleep(0.1)
        yield port, process


def open_session(port: int, environment: dict[str, str]) -> str:
    """Return a session token for the demo's live stream."""
    command = [sys.executable, "manage.py", "demo_credentials", "--json"]
    printed = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    organization = json.loads(printed.stdout)["organizations"][0]
    client = next(one for one in organization["clients"] if one["platform"] != "web")
    answer = httpx.post(
        f"http://127.0.0.1:{port}/sdk/v1/sessions",
        headers={"X-SDK-Key": client["sdk_key"]},
        json={
            "stream": organization["live_stream"],
            "sdk": {"name": "benchmark", "version": "1"},
        },
        timeout=10,
    )
    answer.raise_for_status()
    return str(answer.json()["token"])


class Turns:
    """The rounds of one server: events a second, and processor time of the server an event."""

    def __init__(self, load: Load, process: Process) -> None:
        self.load, self.process = load, process
        self.rates: list[float] = []
        self.cpu_us: list[float] = []

    def turn(self, *, counts: bool) -> None:
        before, batches = self._cpu_s(), self.load.number
        rate = self.load.round()
        if counts:
            events = (self.load.number - batches) * BATCH
            self.rates.append(rate)
            self.cpu_us.append((self._cpu_s() - before) / events * 1e6)

    def _cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def medians(self) -> tuple[float, float]:
        return statistics.median(self.rates), statistics.median(self.cpu_us)


def measure_accept(redis: Any, environment: dict[str, str], rounds: int) -> tuple[Turns, Turns]:
    """Return the turns of the product and of the bare endpoint."""
    with (
        serving("config.asgi:application", environment) as (port, product_process),
        serving("benchmarks._bare_events:application", environment) as (bare_port, bare_process),
    ):
        token = open_session(port, environment)
        product = Turns(Load(port, "/sdk/v1/events", token), product_process)
        bare = Turns(Load(bare_port, "/"), bare_process)
        for number in range(rounds + 1):
            redis.delete(STREAM, BYTES, "gantry:_:bare")
            for turns in (product, bare):
                turns.turn(counts=number > 0)  # the first turn warms up
        redis.delete("gantry:_:bare")
    return product, bare


def measure_store(redis: Any, environment: dict[str, str]) -> float:
    """Return rows a second from the buffer into ClickHouse, roll-up included."""
    redis.delete(TOTALS)
    with running(["manage.py", "ingest"], environment):
        first, first_at = 0, 0.0
        deadline = time.monotonic() + PATIENCE_S
        while redis.xlen(STREAM):
            rows = int(redis.hget(TOTALS, "rows") or 0)
            if rows and not first:
                first, first_at = rows, time.perf_counter()
            if time.monotonic() > deadline:
                raise SystemExit("the buffer did not drain")
            time.sleep(0.01)
        rows = int(redis.hget(TOTALS, "rows"))
        return (rows - first) / (time.perf_counter() - first_at)


def measure(rounds: int) -> list[dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="gantry-bench-"))
    with servers(folder) as endpoints:
        environment = {**os.environ, **endpoints.environment()}
        environment |= {"GANTRY_VAR": str(folder), "GANTRY_DEMO": "1"}
        prepare = [sys.executable, "manage.py", "prepare"]
        subprocess.run(prepare, cwd=ROOT, env=environment, check=True, capture_output=True)
        with Redis.from_url(str(endpoints.redis_url)) as redis:
            product, bare = measure_accept(redis, environment, rounds)
            stored = measure_store(redis, environment)
    shutil.rmtree(folder)
    return figures(product.medians(), bare.medians(), stored)


def figures(
    ours: tuple[float, float], bare: tuple[float, float], stored: float
) -> list[dict[str, Any]]:
    ratio = ours[0] / bare[0]
    return [
        {
            "job": "events",
            "figure": round(ours[0]),
            "unit": "events/s accepted",
            "floor": round(bare[0]),
            "ratio": round(ratio, 2),
            "cpu_us": round(ours[1], 2),
            "floor_cpu_us": round(bare[1], 2),
            "goal": f">= {ACCEPT_GOAL} and >= {RATIO_GOAL} of the floor",
            "ok": ours[0] >= ACCEPT_GOAL and ratio >= RATIO_GOAL,
        },
        {
            "job": "ingest",
            "figure": round(stored),
            "unit": "rows/s into ClickHouse",
            "goal": f">= {STORE_GOAL}",
            "ok": stored >= STORE_GOAL,
        },
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lines = measure(options.rounds)
    for line in lines:
        if options.json:
            print(json.dumps(line))
        else:
            print(f"{line['figure']:>12,} {line['unit']}  goal {line['goal']}  ok {line['ok']}")
    return 0 if all(line["ok"] for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())

"""How many configuration fetches does one process answer, beside a bare uvloop server?

32 connections, each asks again as soon as it is answered; about 10 KB and 100 settings. The server
and this client run on a core of their own. Ours and the floor take turns in one run, the floor
answers with exactly our bytes; the figures are medians of the turns.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import uvloop
from psutil import Process

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import _instance, _report

CONNECTIONS = 32
SECONDS = 2.0
GOAL_200, GOAL_304, GOAL_CPU, GOAL_P99_MS = 0.35, 0.45, 3.0, 5.0
TARGET_BYTES = 10_000


class Fetcher(asyncio.Protocol):
    """One connection that asks again at once, for as long as the turn lasts."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.missing = turn.length

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.asked_at = time.perf_counter()
        transport.write(self.turn.request)

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing > 0:
            return
        turn, now = self.turn, time.perf_counter()
        turn.latencies.append(now - self.asked_at)
        self.missing, self.asked_at = turn.length, now
        if now < turn.until:
            self.transport.write(turn.request)
        else:
            self.transport.close()


class Turn:
    """One closed-loop load on one server."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request = port, request
        self.length = len(answer_to(port, request))
        self.latencies: list[float] = []
        self.until = 0.0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self.until = time.perf_counter() + SECONDS
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: Fetcher(self), "127.0.0.1", self.port)
        await asyncio.sleep(SECONDS + 0.2)


def answer_to(port: int, request: bytes) -> bytes:
    """Return one whole answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65_536)
        head, _, body = received.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if head.startswith(b"HTTP/1.1 304"):
            return received
        while len(body) < length:
            body += connection.recv(65_536)
        return head + b"\r\n\r\n" + body


class Series:
    """The turns of one server with one request."""

    def __init__(self, process: Process, port: int, request: bytes) -> None:
        self.process, self.port, self.request = process, port, request
        self.rates: list[float] = []
        self.cpu_us: list[float] = []
        self.p99_ms: list[float] = []

    def turn(self, *, counts: bool) -> None:
        turn, before = Turn(self.port, self.request), _instance.cpu_s(self.process)
        uvloop.run(turn.run())
        done = len(turn.latencies)
        if counts:
            self.rates.append(done / SECONDS)
            self.cpu_us.append((_instance.cpu_s(self.process) - before) / done * 1e6)
            self.p99_ms.append(statistics.quantiles(turn.latencies, n=100)[98] * 1000)

    def medians(self) -> tuple[float, float, float]:
        return tuple(map(statistics.median, (self.rates, self.cpu_us, self.p99_ms)))  # type: ignore[return-value]  # three in, three out


def pad(instance: _instance.Instance) -> None:
    """Bring the snapshot to about 10 KB with long addresses, as a customer's would be."""
    with httpx.Client(timeout=10) as http:
        headers = {"Authorization": f"Bearer {instance.api_token}"}
        base = f"http://127.0.0.1:{instance.web_port}/api/v1/organizations/{instance.organization}"
        rows = http.get(f"{base}/catalogue", headers=headers).json()
        for row in rows.get("settings", rows.get("results", [])):
            if len(fetch(instance)[1]) >= TARGET_BYTES:
                return
            if row["type"] == "url" and "stream" in row["levels"] and row["visibility"] == "client":
                instance.put_override(http, row["key"], "https://cdn.example/" + "a" * 1500)


def fetch(instance: _instance.Instance) -> tuple[httpx.Headers, bytes]:
    token = instance.open_session()["token"]
    answer = httpx.get(
        f"http://127.0.0.1:{instance.live_port}/sdk/v1/config",
        headers={"Authorization": f"Bearer {token}"},
    )
    answer.raise_for_status()
    return answer.headers, answer.content


def requests(instance: _instance.Instance) -> tuple[bytes, bytes]:
    token = instance.open_session()["token"]
    head = (
        "GET /sdk/v1/config HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Authorization: Bearer {token}\r\n"
    )
    etag = fetch(instance)[0]["etag"]
    return f"{head}\r\n".encode(), f"{head}If-None-Match: {etag}\r\n\r\n".encode()


def measure(options: argparse.Namespace) -> list[_report.Line]:
    with _instance.instance() as instance:
        if not options.keep:
            pad(instance)
        full, conditional = requests(instance)
        ready = [answer_to(instance.live_port, each) for each in (full, conditional)]
        port = _instance.free_port()
        script = [sys.executable, "benchmarks/_bare.py", "http", str(port)]
        bare = subprocess.Popen(script, stdin=subprocess.PIPE, cwd=_instance.ROOT)
        assert bare.stdin is not None
        bare.stdin.write(b"%d\n" % len(ready[0]) + ready[0] + ready[1])
        bare.stdin.close()
        try:
            time.sleep(1)
            floor = Process(bare.pid)
            floor.cpu_affinity([_instance.SERVER_CORE])
            series = [
                Series(process, where, request)
                for request in (full, conditional)
                for process, where in ((instance.process, instance.live_port), (floor, port))
            ]
            for number in range(options.rounds + 1):
                for each in series:
                    each.turn(counts=number > 0)
        finally:
            bare.terminate()
            bare.wait()
        return lines(series, len(ready[0]))


def lines(series: list[Series], size: int) -> list[_report.Line]:
    (rate, cpu, p99), (floor, floor_cpu, floor_p99), (rate3, cpu3, _), (floor3, floor3_cpu, _) = (
        each.medians() for each in series
    )
    return [
        _report.figure(
            f"config fetch, 200, {size} bytes",
            rate,
            "requests/s",
            floor=floor,
            goal=f">= {GOAL_200} of the floor",
            ok=rate >= GOAL_200 * floor,
        ),
        _report.figure(
            "config fetch, 200, server CPU",
            cpu,
            "µs a request",
            floor=floor_cpu,
            goal=f"<= {GOAL_CPU} x the floor",
            ok=cpu <= GOAL_CPU * floor_cpu,
        ),
        _report.figure(
            "config fetch, 200, p99",
            p99,
            "ms",
            floor=floor_p99,
            goal=f"<= {GOAL_P99_MS} ms",
            ok=p99 <= GOAL_P99_MS,
        ),
        _report.figure(
            "config fetch, 304",
            rate3,
            "requests/s",
            floor=floor3,
            goal=f">= {GOAL_304} of the floor",
            ok=rate3 >= GOAL_304 * floor3,
        ),
        _report.figure(
            "config fetch, 304, server CPU",
            cpu3,
            "µs a request",
            floor=floor3_cpu,
            goal=f"<= {GOAL_CPU} x the floor",
            ok=cpu3 <= GOAL_CPU * floor3_cpu,
        ),
    ]


if __name__ == "__main__":
    sys.exit(_report.run(__doc__.splitlines()[0], measure, rounds=5, keep=0))

"""How long until the last of N open sockets has a change, beside a bare uvloop server?

The sockets are real ones of one process, the change is published as the product does it: one
channel-layer message, one prepared frame. t0 is just before the publish, or just before the
operator's request for the figure from there. Medians over several changes; ours and the floor take
turns. Sockets, client and server are on this machine: the figure includes the receivers' half of TCP.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import httpx
import uvloop
from psutil import Process

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import _instance, _report

GOALS_MS = {1_000: 15, 5_000: 70, 10_000: 130}
GOAL_RATIO, GOAL_CPU_US, GOAL_KIB, GOAL_OPERATOR = 1.5, 12, 25, 1.3
CHANGES = 7
AT_ONCE = 200  # handshakes in flight
FRAME_BYTES = 560  # about what a config frame with one change has
PATIENCE_S = 15
SETTLE_S = 0.4
KEY = base64.b64encode(b"0123456789abcdef")
STALLED = 2
ADDRESSES = ("127.0.0.1", "127.0.0.2")  # more ports than one address has to spare


class Crowd:
    """N open sockets that count the frames carrying a marker."""

    def __init__(self, port: int, token: str, version: int) -> None:
        self.port = port
        self.open = 0
        self.arrived = 0
        self.last = 0.0
        self.marker = b"\0"
        self.wanted = 0
        self.done = asyncio.Event()
        self.sockets: list[Any] = []
        self.handshake = (
            f"GET /sdk/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY.decode()}\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: gantry.v1, bearer.{token}\r\n\r\n"
        ).encode()
        self.hello = masked(b'{"type":"hello","version":%d}' % version)

    async def grow_to(self, size: int) -> None:
        loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                address = (ADDRESSES[number % len(ADDRESSES)], 0)
                _, member = await loop.create_connection(
                    lambda: Member(self), "127.0.0.1", self.port, local_addr=address
                )
                await asyncio.wait_for(member.ready.wait(), PATIENCE_S)

        await asyncio.gather(*(one(number) for number in range(self.open, size)))

    def close(self) -> None:
        for transport in self.sockets:
            transport.abort()

    def expect(self, marker: bytes) -> None:
        self.marker, self.arrived, self.wanted = marker, 0, self.open
        self.done.clear()

    async def wait(self) -> float:
        """Return when the last frame came; what did not come in time is seen in `arrived`."""
        try:
            await asyncio.wait_for(self.done.wait(), PATIENCE_S)
        except TimeoutError:
            print(f"{self.wanted - self.arrived} of {self.wanted} missed", file=sys.stderr)
        return self.last


class Member(asyncio.Protocol):
    """One socket of the crowd."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.greeted = False
        self.ready = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.crowd.handshake)

    def data_received(self, data: bytes) -> None:
        crowd = self.crowd
        if not self.greeted:
            if b" 101 " not in data:
                raise SystemExit(f"no socket: {data[:200]!r}")
            self.greeted = True
            self.transport.write(crowd.hello)
            crowd.open += 1
            crowd.sockets.append(self.transport)
            self.ready.set()
        elif crowd.marker in data:
            crowd.arrived += 1
            if crowd.arrived == crowd.wanted:
                crowd.last = time.perf_counter()
                crowd.done.set()
        elif b'"ping"' in data:
            self.transport.write(PONG)


def masked(text: bytes) -> bytes:
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text


PONG = masked(b'{"type":"pong"}')


class Ours:
    """Publishes as the product does, from this process."""

    def __init__(self, instance: _instance.Instance) -> None:
        os.environ.update(instance.environment)
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        django.setup(set_prefix=False)
        from core import push, tenancy  # noqa: PLC0415  after the environment is set

        self.frame = push.Frame
        self.publish_frames = push.publish
        self.schema_name = tenancy.schema_name_for(instance.organization)

    async def publish(self, marker: bytes) -> None:
        text = '{"type":"retract","items":["' + marker.decode().ljust(FRAME_BYTES - 31, "x") + '"]}'
        frame = self.frame(
            schema_name=self.schema_name, topic="", kind="retract", version=0, text=text
        )
        await asyncio.get_running_loop().run_in_executor(None, self.publish_frames, [frame])


class Bare:
    """Tells the floor to write a frame of the same size to everybody."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.writer: Any = None

    async def publish(self, marker: bytes) -> None:
        if self.writer is None:
            _, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(marker + b" %d\n" % FRAME_BYTES)


class Round:
    """What one size cost one server."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.times: list[float] = []
        self.cpu: list[float] = []
        self.missed = 0

    async def change(self, crowd: Crowd, publisher: Ours | Bare, marker: bytes) -> None:
        crowd.expect(marker)
        gc.collect()
        await asyncio.sleep(SETTLE_S)
        cpu, started = _instance.cpu_s(self.process), time.perf_counter()
        await publisher.publish(marker)
        last = await crowd.wait()
        self.times.append((last - started) * 1000)
        await asyncio.sleep(0.05)
        self.cpu.append((_instance.cpu_s(self.process) - cpu) / crowd.open * 1e6)
        self.missed += crowd.wanted - crowd.arrived

    def median_ms(self) -> float:
        return statistics.median(self.times[1:])

    def cpu_us(self) -> float:
        return statistics.fmean(self.cpu[1:])  # the clock ticks in hundredths of a second


async def sizes(
    instance: _instance.Instance, bare: Process, ports: tuple[int, int], counts: list[int]
) -> list[_report.Line]:
    opened = instance.open_session()
    ours = Crowd(instance.live_port, opened["token"], opened["snapshot"]["version"])
    publisher, control = Ours(instance), Bare(ports[1])
    markers = (b"m%06d" % number for number in itertools.count(1))
    lines: list[_report.Line] = []
    before = _instance.memory_kib(instance.process)
    for count in counts:
        floor = Crowd(ports[0], "x", 0)  # closed again at once: one process has 20,000 files
        beside = await changes(Round(bare), floor, control, markers, count)
        floor.close()
        await asyncio.sleep(1)
        measured = await changes(Round(instance.process), ours, publisher, markers, count)
        lines += size_lines(count, measured, beside)
    held = (_instance.memory_kib(instance.process) - before) / counts[-1]
    lines.append(
        _report.figure(
            f"memory of a socket at {counts[-1]}",
            held,
            "KiB",
            goal=f"<= {GOAL_KIB} KiB",
            ok=held <= GOAL_KIB,
        )
    )
    lines.append(await from_operator(instance, ours, lines[-3]["figure"]))
    lines.append(await with_stalled(ours, publisher, markers))
    ours.close()
    return lines


async def changes(
    measured: Round, crowd: Crowd, publisher: Ours | Bare, markers: Iterator[bytes], count: int
) -> Round:
    """Send several changes to so many sockets."""
    await crowd.grow_to(count)
    await asyncio.sleep(1)
    for _ in range(CHANGES + 1):
        await measured.change(crowd, publisher, next(markers))
    return measured


def size_lines(count: int, ours: Round, floor: Round) -> list[_report.Line]:
    median, beside = ours.median_ms(), floor.median_ms()
    goal = GOALS_MS.get(count, count * 0.013)
    return [
        _report.figure(
            f"push to {count} sockets, last receipt",
            median,
            "ms",
            floor=beside,
            goal=f"<= {goal} ms and <= {GOAL_RATIO} x the floor",
            ok=median <= goal and median <= GOAL_RATIO * beside and not ours.missed,
        ),
        _report.figure(
            f"push to {count} sockets, server CPU",
            ours.cpu_us(),
            "µs a message",
            floor=floor.cpu_us(),
            goal=f"<= {GOAL_CPU_US} µs",
            ok=ours.cpu_us() <= GOAL_CPU_US,
        ),
    ]


async def from_operator(
    instance: _instance.Instance, crowd: Crowd, publish_only_ms: float
) -> _report.Line:
    """Change a setting over the management API and wait for the last socket."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    with httpx.Client(timeout=10) as http:
        for number in range(CHANGES + 1):
            crowd.expect(b'{"type":"config"')
            await asyncio.sleep(SETTLE_S)
            started = time.perf_counter()
            put = loop.run_in_executor(
                None, instance.put_override, http, "ui.tooltips_enabled", bool(number % 2)
            )
            last = await crowd.wait()
            await put
            times.append((last - started) * 1000)
    median = statistics.median(times[1:])
    return _report.figure(
        f"push to {crowd.open} sockets, from the operator's request",
        median,
        "ms",
        floor=publish_only_ms,
        goal=f"<= {GOAL_OPERATOR} x publish only",
        ok=median <= GOAL_OPERATOR * publish_only_ms,
    )


async def with_stalled(crowd: Crowd, publisher: Ours, markers: Iterator[bytes]) -> _report.Line:
    """Two sockets stop reading; nobody else may miss a change."""
    for transport in crowd.sockets[:STALLED]:
        transport.pause_reading()
    missed = 0
    for _ in range(40):
        crowd.expect(next(markers))
        crowd.wanted -= STALLED
        await publisher.publish(crowd.marker)
        await crowd.wait()
        missed += max(0, crowd.wanted - crowd.arrived)
    for transport in crowd.sockets[:STALLED]:
        transport.resume_reading()
    return _report.figure(
        "changes missed by others while 2 sockets stall", missed, "changes", goal="0", ok=not missed
    )


def measure(options: argparse.Namespace) -> list[_report.Line]:
    counts = [int(count) for count in options.sockets.split(",")]
    with _instance.instance() as instance:
        ports = _instance.free_port(), _instance.free_port()
        script = [sys.executable, "benchmarks/_bare.py", "push", *map(str, ports)]
        bare = subprocess.Popen(script, cwd=_instance.ROOT)
        try:
            time.sleep(1)
            floor = Process(bare.pid)
            floor.cpu_affinity([_instance.SERVER_CORE])
            gc.disable()
            return uvloop.run(sizes(instance, floor, ports, counts))
        finally:
            bare.terminate()
            bare.wait()


if __name__ == "__main__":
    sys.exit(_report.run(__doc__.splitlines()[0], measure, sockets="1000,5000,10000"))

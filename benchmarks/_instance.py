"""A Gantry to measure: the running one (GANTRY_PORT), or servers and processes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from psutil import Process

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.embedded import servers  # noqa: E402

PATIENCE_S = 60
STOP_PATIENCE_S = 15
SERVER_CORE, CLIENT_CORE = 0, 1


@dataclass(frozen=True, kw_only=True)
class Instance:
    """Where to measure and as whom."""

    live_port: int  # speaks to SDKs
    web_port: int  # takes the operator's changes
    process: Process  # the one behind live_port
    environment: dict[str, str]
    organization: str
    stream: str
    client: str
    sdk_key: str
    api_token: str

    def open_session(self) -> dict[str, Any]:
        answer = httpx.post(
            f"http://127.0.0.1:{self.live_port}/sdk/v1/sessions",
            headers={"X-SDK-Key": self.sdk_key},
            json={"stream": self.stream, "sdk": {"name": "benchmark", "version": "1"}},
            timeout=10,
        )
        answer.raise_for_status()
        opened: dict[str, Any] = answer.json()
        return opened

    def put_override(self, http: httpx.Client, key: str, value: object) -> int:
        """Change one setting of the stream as an operator's program does; return the version."""
        answer = http.put(
            f"http://127.0.0.1:{self.web_port}/api/v1/organizations/{self.organization}/overrides",
            headers={"Authorization": f"Bearer {self.api_token}", "If-Match": "*"},
            json={"level": "stream", "stream": self.stream, "key": key, "value": value},
        )
        answer.raise_for_status()
        return int(answer.json()["version"])


@contextlib.contextmanager
def instance() -> Iterator[Instance]:
    """The instance that GANTRY_PORT names, or a fresh one with a live process on a core of its own."""
    raise_file_limit()
    if os.environ.get("GANTRY_PORT"):
        yield _running(int(os.environ["GANTRY_PORT"]))
        return
    folder = Path(tempfile.mkdtemp(prefix="gantry-bench-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        endpoints = stack.enter_context(servers(folder))
        environment = {**os.environ, **endpoints.environment()}
        environment |= {"GANTRY_VAR": str(folder), "GANTRY_DEMO": "1"}
        prepare = [sys.executable, "manage.py", "prepare"]
        subprocess.run(prepare, cwd=ROOT, env=environment, check=True, capture_output=True)
        web_port, _ = stack.enter_context(serving("config.asgi:application", environment))
        live_port, process = stack.enter_context(
            serving("config.asgi_live:application", environment, core=SERVER_CORE)
        )
        os.sched_setaffinity(0, {CLIENT_CORE % (os.cpu_count() or 1)})
        yield _instance(live_port, web_port, process, environment)


def raise_file_limit() -> None:
    """Ten thousand sockets need ten thousand files, here and in the processes started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _running(port: int) -> Instance:
    for process in Process(1).children(recursive=True) or []:
        with contextlib.suppress(Exception):
            for connection in process.net_connections("tcp"):
                if connection.status == "LISTEN" and connection.laddr.port == port:
                    return _instance(port, port, process, dict(os.environ))
    raise SystemExit(f"nothing listens on port {port}")


def _instance(
    live_port: int, web_port: int, process: Process, environment: dict[str, str]
) -> Instance:
    command = [sys.executable, "manage.py", "demo_credentials", "--json"]
    printed = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    organization = json.loads(printed.stdout)["organizations"][0]
    client = next(one for one in organization["clients"] if one["platform"] != "web")
    return Instance(
        live_port=live_port,
        web_port=web_port,
        process=process,
        environment=environment,
        organization=organization["slug"],
        stream=organization["live_stream"],
        client=client["slug"],
        sdk_key=client["sdk_key"],
        api_token=organization["api_token"],
    )


@contextlib.contextmanager
def serving(
    application: str, environment: dict[str, str], *, core: int | None = None
) -> Iterator[tuple[int, Process]]:
    """One uvicorn process, as the supervisor starts it: its port and itself."""
    port = free_port()
    arguments = ["-m", "uvicorn", application, "--port", str(port), "--loop", "uvloop"]
    arguments += ["--http", "httptools", "--ws", "websockets-sansio", "--log-level", "warning"]
    arguments += ["--ws-per-message-deflate", "false", "--ws-max-size", "1048576"]
    arguments += ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "2"]
    arguments += ["--ws-ping-interval", "0"]  # our own heartbeat does it
    environment = environment | {"GANTRY_PORT": str(port)}
    with child([sys.executable, *arguments], environment, port, core=core) as process:
        yield port, process


@contextlib.contextmanager
def child(
    command: list[str], environment: dict[str, str], port: int, *, core: int | None = None
) -> Iterator[Process]:
    """A process that answers on a port before the block begins and is gone when it ends."""
    running = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        if core is not None:
            os.sched_setaffinity(running.pid, {core % (os.cpu_count() or 1)})
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(port):
            if time.monotonic() > deadline or running.poll() is not None:
                raise SystemExit(f"{command[1:4]} did not start")
            time.sleep(0.1)
        yield Process(running.pid)
    finally:
        running.terminate()
        try:
            running.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            print(f"{command[1:4]} did not stop and was killed", file=sys.stderr)
            running.send_signal(signal.SIGABRT)  # with PYTHONFAULTHANDLER=1 it says where it was
            running.wait(STOP_PATIENCE_S)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(process: Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def memory_kib(process: Process) -> float:
    """Return what the process alone occupies (PSS)."""
    return float(process.memory_full_info().pss) / 1024

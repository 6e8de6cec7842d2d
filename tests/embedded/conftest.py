"""A running set of embedded servers for this folder's tests, apart from the suite's own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.embedded import Endpoints, servers
from core.embedded.local_servers import free_port
from core.embedded.wheels import ROOT

PATIENCE_S = 40.0


@pytest.fixture(scope="package")
def servers_var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers") / "var"


@pytest.fixture(scope="package")
def running(servers_var) -> Iterator[Endpoints]:
    with servers(servers_var, durable=False) as endpoints:
        yield endpoints


class Console:
    """A started `python -m …` with what it has said so far."""

    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self.process = process
        self._said = said

    @property
    def text(self) -> str:
        return self._said.read_text()

    def wait_for(self, words: str, *, times: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.text.count(words) < times:
            assert time.monotonic() < deadline, f"{words!r} is not in:\n{self.text}"
            assert self.process.poll() is None, f"it ended without {words!r}:\n{self.text}"
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """A var/ folder and a port of its own; nothing given from the surrounding test run."""
    measured = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
    return {
        **measured,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GANTRY_VAR": str(tmp_path / "var"),
        "GANTRY_PORT": str(free_port()),
    }


@pytest.fixture
def start(tmp_path, environment) -> Iterator[Callable[..., Console]]:
    """Start a Python module as a person would; what is left of it is ended after the test."""
    started: list[Console] = []

    def run(module: str, *arguments: str) -> Console:
        said = tmp_path / f"said-{len(started)}"
        with said.open("w") as output:
            process = subprocess.Popen(
                (sys.executable, "-m", module, *arguments),
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        console = Console(process, said)
        started.append(console)
        return console

    yield run
    for console in started:
        if console.process.poll() is None:
            console.stop()

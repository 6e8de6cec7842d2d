"""How do the three servers start together, and when are they ready?"""

import dataclasses
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from core.embedded import credentials, endpoints, folder
from core.embedded import postgres as postgres_server
from core.embedded.children import Child, Children, Program, last_line, status_words
from core.embedded.clickhouse import Clickhouse
from core.embedded.endpoints import Endpoints
from core.embedded.postgres import Postgres
from core.embedded.problem import StartProblem
from core.embedded.valkey import Valkey

READY_TIMEOUT_S = 60.0
POLL_S = 0.01


class Server(Protocol):
    """What the three servers have in common."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def url(self) -> str: ...
    def prepare(self) -> None: ...
    def program(self) -> Program: ...
    def answers(self) -> bool: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which servers to embed; the others are given by URL or not wanted."""

    postgres: bool = True
    valkey: bool = True
    clickhouse: bool = True


@contextmanager
def servers(
    var: Path,
    *,
    postgres: bool = True,
    valkey: bool = True,
    clickhouse: bool = True,
    durable: bool = True,
) -> Iterator[Endpoints]:
    """Run the chosen servers under `var` on free loopback ports until the block ends.

    `durable=False` gives up safety against a power cut for speed, as tests do. Raises StartProblem.
    """
    chosen = Chosen(postgres=postgres, valkey=valkey, clickhouse=clickhouse)
    with folder.claimed(var) as home:
        children = Children(home)
        children.stop_leftovers()
        try:
            found = start_servers(children, home, chosen, durable=durable)
            endpoints.write(home, found)
            yield found
        finally:
            endpoints.remove(home)
            children.stop()


def start_servers(
    children: Children, var: Path, chosen: Chosen, *, durable: bool = True
) -> Endpoints:
    """Start the chosen servers side by side and wait until each of them answers."""
    secrets = credentials.load_or_create(var)
    urls: dict[str, str] = {}
    started: list[Server] = []
    if chosen.clickhouse:
        clickhouse = Clickhouse(
            var=var,
            port=free_port(),
            http_port=free_port(),
            password=secrets["clickhouse"],
            reader_password=secrets["clickhouse_reader"],
        )
        urls |= {"clickhouse_url": clickhouse.url, "clickhouse_reader_url": clickhouse.reader_url}
        started.append(clickhouse)
    if chosen.valkey:
        valkey = Valkey(var=var, port=free_port(), password=secrets["valkey"], durable=durable)
        urls["redis_url"] = valkey.url
        started.append(valkey)
    if chosen.postgres:
        postgres = Postgres(
            var=var,
            port=free_port(),
            password=secrets["postgres"],
            durable=durable,
            identity=postgres_server.identity_for(var),
        )
        urls["database_url"] = postgres.url
        started.append(postgres)
    _start_all(children, started)
    return Endpoints(**urls)


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _start_all(children: Children, chosen: Sequence[Server]) -> None:
    running = []
    for server in chosen:
        server.prepare()
        running.append((server, children.start(server.program())))
    for server, child in running:
        _await_answer(server, child)


def _await_answer(server: Server, child: Child) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not server.answers():
        status = child.process.poll()
        if status is not None:
            raise StartProblem(
                f"{server.title} ended while starting ({status_words(status)}): "
                f"{last_line(child.log)} (see {child.log})."
            )
        if time.monotonic() > deadline:
            raise StartProblem(
                f"{server.title} did not answer within {READY_TIMEOUT_S:.0f} s: "
                f"{last_line(child.log)} (see {child.log})."
            )
        time.sleep(POLL_S)

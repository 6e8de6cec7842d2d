"""How do the three servers start together, and when are they ready?"""

import contextlib
import dataclasses
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Protocol

from core.embedded import credentials, endpoints, folder
from core.embedded.children import Child, Children, Program, last_line, status_words
from core.embedded.clickhouse import Clickhouse
from core.embedded.endpoints import Endpoints
from core.embedded.postgres import Identity, Postgres, identity_for
from core.embedded.problem import StartProblem
from core.embedded.valkey import Valkey

READY_TIMEOUT_S = 60.0
POLL_S = 0.01
SERVER_PORTS = range(20_000, 32_000)


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
    clickhouse = Clickhouse(
        var=var,
        port=free_port(),
        http_port=free_port(),
        password=secrets["clickhouse"],
        reader_password=secrets["clickhouse_reader"],
    )
    valkey = Valkey(var=var, port=free_port(), password=secrets["valkey"], durable=durable)
    postgres = Postgres(
        var=var,
        port=free_port(),
        password=secrets["postgres"],
        durable=durable,
        identity=identity_for(var) if chosen.postgres else Identity(),
    )
    # The slowest first: ClickHouse loads its engine while initdb still works.
    wanted: list[tuple[bool, Server]] = [
        (chosen.clickhouse, clickhouse),
        (chosen.valkey, valkey),
        (chosen.postgres, postgres),
    ]
    _start_all(children, [server for is_wanted, server in wanted if is_wanted])
    return Endpoints(
        database_url=postgres.url if chosen.postgres else "",
        redis_url=valkey.url if chosen.valkey else "",
        clickhouse_url=clickhouse.url if chosen.clickhouse else "",
        clickhouse_reader_url=clickhouse.reader_url if chosen.clickhouse else "",
    )


def free_port() -> int:
    """A loopback port that nothing uses now, from below those lent to outgoing connections.

    A lent port could be taken again by any connection of this machine before the server binds it.
    """
    for port in SystemRandom().sample(SERVER_PORTS, len(SERVER_PORTS)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise StartProblem("No loopback port between 20000 and 31999 is free.")


def _start_all(children: Children, chosen: Sequence[Server]) -> None:
    running = []
    for server in chosen:
        server.prepare()
        running.append((server, children.start(server.program())))
    for server, child in running:
        _await_answer(children, server, child)


def _await_answer(children: Children, server: Server, child: Child) -> None:
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
        children.pause(POLL_S)

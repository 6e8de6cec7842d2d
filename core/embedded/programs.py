"""Which processes is Gantry made of, and with which commands do they run?"""

import dataclasses
import sys
from collections.abc import Callable, Mapping

from core.embedded.children import Program
from core.embedded.options import Options
from core.embedded.wheels import ROOT

STAGE = 1
WORKER_PROCESSES = 2
WS_MAX_BYTES = 1_048_576  # over 64 KB the consumer says `bye too-large` itself
GRACEFUL_STOP_S = 4
DEMO_VIEWERS = 20
CELERY = ("-m", "celery", "-A", "config")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Product:
    """The processes of Gantry in the order in which they start."""

    prepare: Program
    web: Program
    background: tuple[Program, ...]
    audience: tuple[Program, ...]


ProductFor = Callable[[Options, Mapping[str, str]], Product]


def product(options: Options, urls: Mapping[str, str]) -> Product:
    """Gantry's processes, told where the servers answer."""
    environment = environment_of(options, urls)
    return Product(
        prepare=_prepare(environment),
        web=_web(options, environment),
        background=(
            _worker(environment),
            _beat(options, environment),
            _program("ingest", ("manage.py", "ingest"), environment),
        ),
        audience=(_audience(environment),) if options.demo else (),
    )


def environment_of(options: Options, urls: Mapping[str, str]) -> dict[str, str]:
    """What every process of Gantry is told, besides our own environment."""
    return {
        **urls,
        "GANTRY_VAR": str(options.var),
        "GANTRY_HOST": options.host,
        "GANTRY_PORT": str(options.port),
        "GANTRY_DEMO": "1" if options.demo else "0",
        "PYTHONUNBUFFERED": "1",
    }


def _prepare(environment: Mapping[str, str]) -> Program:
    """Migrations, the ClickHouse tables and the demo's rows: ends by itself."""
    program = _program("prepare", ("manage.py", "prepare"), environment)
    return dataclasses.replace(program, ends=True)


def _web(options: Options, environment: Mapping[str, str]) -> Program:
    arguments = (
        "-m", "uvicorn", "config.asgi:application",
        "--host", options.host, "--port", str(options.port),
        "--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio",
        "--ws-max-size", str(WS_MAX_BYTES), "--ws-per-message-deflate", "false",
        "--ws-ping-interval", "0",  # the SDK protocol has a heartbeat of its own
        "--no-access-log", "--log-level", "warning", "--no-server-header",
        "--timeout-graceful-shutdown", str(GRACEFUL_STOP_S),
    )  # fmt: skip
    return _program("web", arguments, environment)


def _worker(environment: Mapping[str, str]) -> Program:
    arguments = (
        *CELERY, "worker", "--loglevel", "INFO", "--concurrency", str(WORKER_PROCESSES),
        "--prefetch-multiplier", "1", "--without-gossip", "--without-mingle",
        "--hostname", "gantry@%h",
    )  # fmt: skip
    return _program("worker", arguments, environment)


def _beat(options: Options, environment: Mapping[str, str]) -> Program:
    schedule = str(options.var / "beat-schedule")
    arguments = (*CELERY, "beat", "--loglevel", "INFO", "--schedule", schedule, "--pidfile", "")
    return _program("beat", arguments, environment)


def _audience(environment: Mapping[str, str]) -> Program:
    """The demo's simulated viewers, which keep its pages alive."""
    command = ("manage.py", "simulate", "--viewers", str(DEMO_VIEWERS))
    return _program("simulate", command, environment)


def _program(name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Program:
    return Program(
        name=name,
        argv=(sys.executable, *arguments),
        folder=ROOT,
        environment=environment,
        stage=STAGE,
    )

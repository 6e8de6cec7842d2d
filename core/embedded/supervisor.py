"""How does all of Gantry start, stay up and stop on one machine?"""

import dataclasses
import http.client
import sys
import time

from core.embedded import banner, endpoints, given, logs, preparation
from core.embedded.children import Child, Children, Program, last_line, status_words
from core.embedded.local_servers import Chosen, start_servers
from core.embedded.options import Options
from core.embedded.problem import StartProblem
from core.embedded.programs import Product, ProductFor
from core.embedded.stopping import Stopped, StopRequests

TICK_S = 0.2
ROTATE_EVERY_S = 5.0
READY_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 5.0
PROBE_EVERY_S = 0.1
ANSWER_MAX = 300
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_AFTER_S = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restart:
    program: Program
    due_at: float


class Backoff:
    """How long to wait before a program that died is started again."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}

    def delay_s(self, name: str, *, lived_s: float) -> float:
        """Twice the delay before, up to half a minute; a steady minute forgets the past."""
        failures = 0 if lived_s >= STEADY_AFTER_S else self._failures.get(name, 0)
        self._failures[name] = failures + 1
        return float(min(FIRST_DELAY_S * 2**failures, LONGEST_DELAY_S))


class Supervisor:
    """Everything that runs under one var/ folder, from the first check to the last stop."""

    def __init__(self, options: Options, stops: StopRequests, product_for: ProductFor) -> None:
        self._options = options
        self._product_for = product_for
        self._stops = stops
        self._children = Children(options.var, pause=stops.pause)
        self._backoff = Backoff()
        self._restarts: list[Restart] = []
        self._rotated_at = time.monotonic()

    def run(self) -> None:
        """Start everything, keep it up until a stop is asked for, and stop it again."""
        try:
            self._start()
            while True:
                self._tick()
        except Stopped:
            say("Stopping; Ctrl-C once more ends it at once.")
        finally:
            self._stop()
        say("Gantry has stopped.")

    def _start(self) -> None:
        began = time.monotonic()
        for name in self._children.stop_leftovers():
            say(f"Stopped {name}, left over from a run that was killed.")
        given.check(self._options)
        urls = self._start_servers()
        self._start_product(self._product_for(self._options, urls))
        say(banner.text(self._options, seconds=time.monotonic() - began))

    def _start_servers(self) -> dict[str, str]:
        """Start what is not given by URL; the URLs of all by variable."""
        options = self._options
        chosen = Chosen(
            postgres="database_url" not in options.given,
            valkey="redis_url" not in options.given,
            clickhouse="clickhouse_url" not in options.given,
        )
        started = start_servers(self._children, options.var, chosen)
        known = dataclasses.replace(
            started, base_url=options.base_url, demo=options.demo, **options.given
        )
        endpoints.write(options.var, known)
        return known.environment()

    def _start_product(self, product: Product) -> None:
        """Prepare the databases, then start web and the rest.

        A warm start, with nothing new to prepare, starts web beside the preparation.
        """
        plan = preparation.fingerprint(self._options)
        preparing = self._children.start(product.prepare)
        warm = preparation.was_done(self._options.var, plan)
        if not warm:
            self._await_prepared(preparing)
        self._children.start(product.web)
        if warm:
            self._await_prepared(preparing)
        preparation.note_done(self._options.var, plan)
        self._await_web("/readyz")
        for program in (*product.background, *product.audience):
            self._children.start(program)

    def _await_prepared(self, preparing: Child) -> None:
        """Show what the preparation says until it ends; raises StartProblem when it failed."""
        with preparing.log.open(errors="replace") as log:
            log.seek(preparing.log_offset)
            while preparing.process.poll() is None:
                _show(log.read())
                self._tick()
            _show(log.read())
        if preparing.process.returncode != 0:
            raise StartProblem(
                f"manage.py prepare failed ({status_words(preparing.process.returncode)}): "
                f"{last_line(preparing.log)} (see {preparing.log})."
            )

    def _await_web(self, path: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while (answer := _probe(self._options, path)) is not None:
            if time.monotonic() > deadline:
                raise StartProblem(
                    f"Gantry was not ready after {READY_TIMEOUT_S:.0f} s: {path} says {answer} "
                    f"(see the logs in {self._children.log_folder})."
                )
            self._tick(PROBE_EVERY_S)

    def _tick(self, seconds: float = TICK_S) -> None:
        """Wait a moment, then look after the children and their logs."""
        self._stops.pause(seconds)
        for child, status in self._children.reap():
            if not child.program.ends:
                self._plan_restart(child, status)
        for restart in [each for each in self._restarts if each.due_at <= time.monotonic()]:
            self._restarts.remove(restart)
            self._children.start(restart.program)
        if time.monotonic() - self._rotated_at > ROTATE_EVERY_S:
            self._rotated_at = time.monotonic()
            logs.rotate(self._children.log_folder)

    def _plan_restart(self, child: Child, status: int) -> None:
        now = time.monotonic()
        name = child.program.name
        delay_s = self._backoff.delay_s(name, lived_s=now - child.started_at)
        self._restarts.append(Restart(program=child.program, due_at=now + delay_s))
        say(
            f"{name} ended ({status_words(status)}); starting it again in {delay_s:g} s. "
            f"Its log: {child.log}"
        )

    def _stop(self) -> None:
        self._stops.heed()
        endpoints.remove(self._options.var)
        try:
            self._children.stop()
        except Stopped:
            self._children.kill()


def say(text: str) -> None:
    print(text, flush=True)


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _probe(options: Options, path: str) -> str | None:
    """None when `path` answers 200, else what it said."""
    connection = http.client.HTTPConnection(
        options.local_host, options.port, timeout=PROBE_TIMEOUT_S
    )
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(ANSWER_MAX).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"nothing ({error})"
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"{answer.status} {body}"

"""The supervisor with real servers and small real programs, watched from its console."""

import json
import os
import signal
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest

PRODUCT = "tests.embedded.small_product"
READY = "Gantry is ready"
STOP_WITHIN_S = 10.0
ORPHANS_GONE_WITHIN_S = 10.0
EVERYONE = {"clickhouse", "valkey", "postgres", "web", "worker", "stubborn"}


@pytest.fixture
def var(environment) -> Path:
    return Path(environment["GANTRY_VAR"])


def pids(var: Path) -> dict[str, int]:
    entries = json.loads((var / "children.json").read_text())
    return {entry["name"]: entry["pid"] for entry in entries}


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def wait_until(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def status_of(environment, path: str):
    url = f"http://127.0.0.1:{environment['GANTRY_PORT']}{path}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status


def test_starts_everything_and_stops_cleanly(start, environment, var):
    console = start(PRODUCT)
    console.wait_for(READY)
    started = pids(var)

    assert set(started) == EVERYONE
    assert status_of(environment, "/readyz") == 200
    assert "preparing postgres://gantry:" in console.text
    assert f"http://127.0.0.1:{environment['GANTRY_PORT']}" in console.text

    began = time.monotonic()
    assert console.stop() == 0
    assert time.monotonic() - began < STOP_WITHIN_S
    assert [name for name, pid in started.items() if is_alive(pid)] == []
    assert "Gantry has stopped." in console.text
    assert not (var / "endpoints.json").exists()


def test_restarts_a_dead_child_with_growing_delay_and_names_it(start, environment, var):
    console = start(PRODUCT)
    console.wait_for(READY)

    os.kill(pids(var)["worker"], signal.SIGKILL)
    console.wait_for("worker ended (killed by SIGKILL); starting it again in 0.5 s.")
    wait_until(lambda: "worker" in pids(var), 5)
    os.kill(pids(var)["worker"], signal.SIGKILL)
    console.wait_for("worker ended (killed by SIGKILL); starting it again in 1 s.")
    wait_until(lambda: "worker" in pids(var), 5)

    os.kill(pids(var)["web"], signal.SIGTERM)
    console.wait_for("web ended (killed by SIGTERM); starting it again in 0.5 s.")
    wait_until(lambda: "web" in pids(var), 5)
    assert console.stop() == 0


def test_restarts_a_dead_server_at_the_same_address(start, var):
    console = start(PRODUCT)
    console.wait_for(READY)
    url = json.loads((var / "endpoints.json").read_text())["database_url"]
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")

    for name in ("postgres", "valkey", "clickhouse"):
        os.kill(pids(var)[name], signal.SIGKILL)
        console.wait_for(f"{name} ended (killed by SIGKILL)")

    def kept() -> bool:
        try:
            with psycopg.connect(url, connect_timeout=2) as connection:
                return connection.execute("SELECT n FROM kept").fetchone() == (42,)
        except psycopg.OperationalError:
            return False

    wait_until(kept, 20)
    wait_until(lambda: set(pids(var)) == EVERYONE, 20)
    assert console.stop() == 0


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_works(start, var):
    console = start(PRODUCT)
    console.wait_for(READY)
    started = pids(var)

    console.stop(signal.SIGKILL)

    wait_until(lambda: not any(map(is_alive, started.values())), ORPHANS_GONE_WITHIN_S)
    again = start(PRODUCT)
    again.wait_for(READY)
    assert again.stop() == 0


def test_a_leftover_that_ignored_our_death_is_stopped_by_the_next_start(start, var):
    console = start(PRODUCT, "stubborn")
    console.wait_for(READY)
    wait_until(lambda: "deaf" in (var / "log/stubborn.log").read_text(), 20)
    stubborn = pids(var)["stubborn"]

    console.stop(signal.SIGKILL)
    again = start(PRODUCT)

    again.wait_for("Stopped stubborn, left over from a run that was killed.")
    assert not is_alive(stubborn)
    again.wait_for(READY)
    assert again.stop() == 0


def test_a_second_request_ends_everything_at_once(start, var):
    console = start(PRODUCT, "stubborn")
    console.wait_for(READY)
    wait_until(lambda: "deaf" in (var / "log/stubborn.log").read_text(), 20)
    started = pids(var)

    console.process.send_signal(signal.SIGINT)
    console.wait_for("Ctrl-C once more")
    began = time.monotonic()
    console.process.send_signal(signal.SIGINT)

    assert console.process.wait(5) == 0
    assert time.monotonic() - began < 3
    assert not any(map(is_alive, started.values()))


def test_a_failed_preparation_stops_the_start(start, var):
    console = start(PRODUCT, "failing")

    assert console.process.wait(30) == 1
    assert "manage.py prepare failed (exit status 1): the schema is broken" in console.text
    assert "Traceback" not in console.text
    assert pids(var) == {}


def test_servers_alone_run_until_they_are_stopped(start, var):
    console = start("core.embedded", "servers")
    console.wait_for("Ctrl-C stops them.")

    assert set(pids(var)) == {"clickhouse", "valkey", "postgres"}
    assert console.stop(signal.SIGINT) == 0
    assert pids(var) == {}


def test_given_servers_are_used_and_none_is_embedded(start, environment, var, running):
    environment |= running.environment()

    console = start(PRODUCT)
    console.wait_for(READY)

    assert set(pids(var)) == EVERYONE - {"postgres", "valkey", "clickhouse"}
    written = json.loads((var / "endpoints.json").read_text())
    assert written["database_url"] == running.database_url
    assert written["clickhouse_reader_url"] == running.clickhouse_reader_url
    assert sorted(path.name for path in var.glob("*-[0-9]*")) == []
    assert console.stop() == 0

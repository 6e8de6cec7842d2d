"""The small parts of the supervisor: delays, logs, words, the pid file."""

import json

import pytest

from core.embedded import banner, logs
from core.embedded.children import status_words
from core.embedded.options import Options
from core.embedded.postgres import Identity, Postgres
from core.embedded.programs import product
from core.embedded.stopping import Stopped, StopRequests
from core.embedded.supervisor import LONGEST_DELAY_S, STEADY_AFTER_S, Backoff


def test_delay_doubles_up_to_its_limit_and_forgets_after_a_steady_minute():
    backoff = Backoff()

    delays = [backoff.delay_s("web", lived_s=0.1) for _ in range(8)]

    assert delays == [0.5, 1, 2, 4, 8, 16, LONGEST_DELAY_S, LONGEST_DELAY_S]
    assert backoff.delay_s("web", lived_s=STEADY_AFTER_S) == 0.5
    assert backoff.delay_s("worker", lived_s=0.1) == 0.5


def test_a_large_log_is_set_aside_and_three_are_kept(tmp_path):
    log = tmp_path / "web.log"
    with log.open("a") as writer:
        for number in range(5):
            writer.write(f"{number}" * 100)
            writer.flush()
            logs.rotate(tmp_path, max_bytes=50)
        writer.write("after")

    kept = {path.name: path.read_text()[:1] for path in tmp_path.iterdir()}

    assert kept == {"web.log": "a", "web.log.1": "4", "web.log.2": "3", "web.log.3": "2"}


def test_a_small_log_stays(tmp_path):
    (tmp_path / "web.log").write_text("few words")

    logs.rotate(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["web.log"]


def test_status_words():
    assert status_words(3) == "exit status 3"
    assert status_words(-9) == "killed by SIGKILL"


def test_options_have_defaults_for_one_machine():
    options = Options.from_environment({})

    assert (options.host, options.port, options.demo) == ("127.0.0.1", 8000, True)
    assert options.base_url == "http://127.0.0.1:8000"
    assert options.given == {}
    assert options.var.name == "var"


def test_options_take_urls_and_the_public_address():
    options = Options.from_environment(
        {
            "GANTRY_HOST": "0.0.0.0",
            "GANTRY_PORT": "9000",
            "GANTRY_BASE_URL": "https://gantry.example/",
            "REDIS_URL": "redis://cache/0",
            "DATABASE_URL": "  ",
        }
    )

    assert options.local_host == "127.0.0.1"
    assert options.base_url == "https://gantry.example"
    assert options.given == {"redis_url": "redis://cache/0"}


def test_a_pause_breaks_off_for_each_new_request():
    stops = StopRequests()
    stops.pause(0)
    stops._note(2, None)

    with pytest.raises(Stopped):
        stops.pause(60)

    stops.heed()
    stops.pause(0)


def test_a_pid_file_that_names_another_program_is_cleared(tmp_path):
    data = tmp_path / "postgres-18" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    (data / "postmaster.pid").write_text("1\n/elsewhere\n")

    Postgres(var=tmp_path, port=1, password="x", identity=Identity()).prepare()

    assert not (data / "postmaster.pid").exists()


def test_banner_shows_the_demo_logins_only_in_the_demo(tmp_path):
    demo = {
        "base_url": "http://127.0.0.1:8000",
        "organizations": [
            {
                "slug": "northwind-sports",
                "name": "Northwind Sports",
                "live_stream": "final",
                "people": [{"email": "owner@north.test", "password": "amber-9", "role": "owner"}],
            }
        ],
    }
    (tmp_path / "demo.json").write_text(json.dumps(demo))

    shown = banner.text(Options.from_environment({"GANTRY_VAR": str(tmp_path)}), seconds=1.26)
    hidden = banner.text(
        Options.from_environment({"GANTRY_VAR": str(tmp_path), "GANTRY_DEMO": "0"}), seconds=1
    )

    assert "Gantry is ready: http://127.0.0.1:8000    (1.3 s)" in shown
    assert "http://127.0.0.1:8000/demo/northwind-sports/final/" in shown
    assert "owner@north.test" in shown
    assert "owner@north.test" not in hidden


def test_product_is_five_processes_and_the_audience_only_in_the_demo():
    urls = {"DATABASE_URL": "postgres://x/y"}

    demo = product(Options.from_environment({}), urls)
    plain = product(Options.from_environment({"GANTRY_DEMO": "0"}), urls)

    assert [program.name for program in demo.background] == ["worker", "beat", "ingest"]
    assert [program.name for program in demo.audience] == ["simulate"]
    assert plain.audience == ()
    assert demo.prepare.ends
    assert demo.web.environment["DATABASE_URL"] == "postgres://x/y"
    assert plain.web.environment["GANTRY_DEMO"] == "0"


@pytest.mark.parametrize(
    ("host", "local"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")]
)
def test_local_host(host, local):
    assert Options.from_environment({"GANTRY_HOST": host}).local_host == local

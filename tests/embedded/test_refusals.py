"""What cannot work is refused with one clear sentence and exit status 1."""

import os
import shutil
import socket
import subprocess
import sys

import pytest

from core.embedded import StartProblem, folder, servers
from core.embedded.local_servers import free_port
from core.embedded.wheels import ROOT

TIMEOUT_S = 30
AS_OTHER_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
AS_OWN_ROOT = ("unshare", "--user", "--map-root-user", "--mount")


def works(*command: str) -> bool:
    return bool(shutil.which(command[0])) and subprocess.run(command, check=False).returncode == 0


def sentence(environment, *wrapper: str, command: str | None = None) -> str:
    """The one line that a refused start leaves on standard error."""
    gantry = command or f"{sys.executable} -m core.embedded"
    refused = subprocess.run(
        (*wrapper, "sh", "-c", gantry),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert refused.returncode == 1, refused.stderr
    assert refused.stdout == "" or "Gantry has stopped." in refused.stdout
    lines = refused.stderr.splitlines()
    assert len(lines) == 1, refused.stderr
    return lines[0]


def test_port_in_use(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment["GANTRY_PORT"] = str(taken.getsockname()[1])

        said = sentence(environment)

    assert said.startswith(f"Port {environment['GANTRY_PORT']} on 127.0.0.1 is in use")


def test_foreign_address(environment):
    environment["GANTRY_HOST"] = "192.0.2.1"

    assert "'192.0.2.1' is not an address of this machine" in sentence(environment)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("GANTRY_PORT", "80a", "GANTRY_PORT must be a number from 1 to 65535, not '80a'."),
        ("GANTRY_PORT", "70000", "GANTRY_PORT must be a number from 1 to 65535, not '70000'."),
        ("GANTRY_DEMO", "maybe", "GANTRY_DEMO must be 1 or 0, not 'maybe'."),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL must start with postgres://"),
        ("REDIS_URL", "redis://127.0.0.1:port/0", "REDIS_URL has no legal port number."),
        ("CLICKHOUSE_URL", "clickhouse:///gantry", "CLICKHOUSE_URL names no host."),
    ],
)
def test_illegal_environment(environment, name, value, expected):
    environment[name] = value

    assert sentence(environment).startswith(expected)


def test_given_server_that_does_not_answer(environment):
    port = free_port()
    environment["DATABASE_URL"] = f"postgres://gantry:hidden@127.0.0.1:{port}/gantry"

    said = sentence(environment)

    assert said == f"DATABASE_URL: nothing answers at 127.0.0.1:{port} (Connection refused)."


@pytest.mark.parametrize("name", ["postgres-17", "valkey-8", "clickhouse-25"])
def test_data_of_another_version(environment, tmp_path, name):
    (tmp_path / "var" / name).mkdir(parents=True)

    said = sentence(environment)

    assert said.startswith(f"{tmp_path}/var/{name} holds data of another version")


def test_cluster_of_another_version_in_our_folder(tmp_path):
    data = tmp_path / "var" / "postgres-18" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")

    with (
        pytest.raises(StartProblem, match="holds data of PostgreSQL 17"),
        servers(tmp_path / "var", valkey=False, clickhouse=False),
    ):
        pass


def test_var_that_is_a_file(environment, tmp_path):
    (tmp_path / "var").write_text("")

    assert sentence(environment) == f"{tmp_path}/var is not a folder: GANTRY_VAR must name one."


@pytest.mark.skipif(
    os.geteuid() == 0 and not works(*AS_OTHER_USER, "true"), reason="user namespaces are blocked"
)
def test_unreadable_var(environment, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    environment["GANTRY_VAR"] = str(locked / "var")
    wrapper = AS_OTHER_USER if os.geteuid() == 0 else ()

    said = sentence(environment, *wrapper)

    assert said.startswith(f"{locked}/var cannot be used (Permission denied)")


@pytest.mark.skipif(not works(*AS_OWN_ROOT, "true"), reason="user namespaces are blocked")
def test_full_disk(environment, tmp_path):
    var = tmp_path / "var"
    var.mkdir()
    gantry = f"mount -t tmpfs -o size=20m none {var} && exec {sys.executable} -m core.embedded"

    said = sentence(environment, *AS_OWN_ROOT, command=gantry)

    assert said.startswith(f"The disk of {var} is full: 20 MB are free")


def test_damaged_secrets(environment, tmp_path):
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / "var" / "secrets.json").write_text("{")

    assert "secrets.json is damaged" in sentence(environment)


def test_folder_open_to_others_is_closed(tmp_path):
    var = tmp_path / "var"
    var.mkdir(mode=0o755)

    with folder.claimed(var):
        assert var.stat().st_mode & 0o777 == 0o700


def test_unknown_command(environment):
    refused = subprocess.run(
        (sys.executable, "-m", "core.embedded", "serve"),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (refused.returncode, refused.stderr.startswith("usage:")) == (2, True)

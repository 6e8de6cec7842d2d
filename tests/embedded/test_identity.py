"""Root does not run PostgreSQL as root: a user namespace, else `nobody`, else one sentence."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core.embedded import StartProblem, servers
from core.embedded.postgres import NAMESPACE, Identity, identity_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another identity")


@pytest.fixture
def blocked(tmp_path, monkeypatch) -> None:
    """A machine on which `unshare` exists and is refused, as in many containers."""
    refused = tmp_path / "bin" / "unshare"
    refused.parent.mkdir()
    refused.write_text("#!/bin/sh\nexit 1\n")
    refused.chmod(0o755)
    monkeypatch.setenv("PATH", str(refused.parent), prepend=os.pathsep)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gantry-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_root_steps_into_a_user_namespace(tmp_path):
    found = identity_for(tmp_path)

    assert found in (Identity(wrapper=NAMESPACE), Identity(account="nobody"))
    assert tmp_path.stat().st_mode & 0o007 in {0, 1}


def test_nobody_runs_it_where_namespaces_are_blocked(blocked, open_folder):
    var = open_folder / "var"
    try:
        with servers(var, valkey=False, clickhouse=False, durable=False) as endpoints:
            with psycopg.connect(endpoints.database_url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert (var / "postgres-18").owner() == "nobody"
            assert var.stat().st_mode & 0o777 == 0o711
    except StartProblem as problem:
        pytest.skip(f"this installation is closed to nobody: {problem}")


def test_a_folder_closed_to_nobody_is_named(blocked, tmp_path):
    tmp_path.chmod(0o700)

    with (
        pytest.raises(StartProblem, match="blocks user namespaces"),
        servers(tmp_path / "var", valkey=False, clickhouse=False),
    ):
        pass

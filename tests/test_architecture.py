"""Does the code keep the shape ARCHITECTURE.md promises? Each ban is fed a violation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core import lint

PACKAGES = [
    "config",
    "core",
    "tenants",
    "streams",
    "settings_hierarchy",
    "sdk_keys",
    "analytics",
    "live",
]


def test_no_file_breaks_a_house_rule():
    violations = [
        violation
        for path in lint.python_files()
        for violation in lint.check_source(path.relative_to(lint.ROOT).as_posix(), path.read_text())
    ]

    assert violations == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        ("GT001", "connection.set_schema('org_acme')"),
        ("GT001", "connection.set_tenant(acme)"),
        ("GT001", "with schema_context('org_acme'):\n    pass"),
        ("GT002", "sync_to_async(read, thread_sensitive=False)"),
        ("GT003", "threading.Thread(target=read).start()"),
        ("GT003", "async def f():\n    await asyncio.to_thread(read)"),
        ("GT004", "async def f():\n    with organization_context(s):\n        await g()"),
        ("GT005", "def f():\n" + "    x = 1\n" * 60),
    ],
)
def test_a_house_rule_catches_its_violation(rule, source):
    rules = [violation.rule for violation in lint.check_source("streams/views.py", source)]

    assert rules == [rule]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/tenancy.py", "connection.set_schema('org_acme')"),
        ("core/embedded/supervisor.py", "threading.Thread(target=read).start()"),
        ("live/relay.py", "with organization_context(s):\n    read()"),
        ("live/relay.py", "sync_to_async(read, thread_sensitive=True)"),
    ],
)
def test_a_house_rule_lets_the_right_place_through(path, source):
    assert lint.check_source(path, source) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("streams/views.py", "from django.db.models.signals import post_save\n"),
        ("streams/views.py", "from django.dispatch import receiver\n"),
        ("streams/views.py", "from channels.layers import get_channel_layer\n"),
        ("streams/views.py", "from django_tenants.utils import schema_context\n"),
        ("streams/views.py", "import clickhouse_driver\n"),
        ("live/edge.py", "import jwt\n"),
    ],
)
def test_ruff_bans_the_import_outside_its_one_file(path, source):
    answer = _ruff(path, source)

    assert "TID251" in answer.stdout


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/push.py", "from channels.layers import get_channel_layer\n"),
        ("analytics/clickhouse.py", "import clickhouse_driver\n"),
        ("sdk_keys/tokens.py", "import jwt\n"),
    ],
)
def test_ruff_lets_the_one_file_import_it(path, source):
    answer = _ruff(path, source)

    assert "TID251" not in answer.stdout


@pytest.mark.parametrize(
    ("module", "source", "verdict"),
    [
        ("streams/views.py", "import live\n", 1),
        ("core/tenancy.py", "import tenants\n", 1),
        ("tenants/models.py", "import tenants.views\n", 1),
        ("core/embedded/supervisor.py", "import config\n", 1),
        ("live/edge.py", "import streams\n", 0),
    ],
)
def test_the_layer_contract_refuses_upward_imports(tmp_path, module, source, verdict):
    for package in [*PACKAGES, "core/embedded"]:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "tenants" / "views.py").touch()
    (tmp_path / "tenants" / "models.py").touch()
    (tmp_path / module).write_text(source)
    (tmp_path / ".importlinter").write_text((lint.ROOT / ".importlinter").read_text())

    answer = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == verdict, answer.stdout + answer.stderr


def _ruff(path: str, source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--stdin-filename", path, "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
        cwd=lint.ROOT,
    )

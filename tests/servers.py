"""Starts PostgreSQL, Valkey and ClickHouse once for a test run, before Django reads its settings.

Loaded with `-p tests.servers`. A server given by URL in the environment is used instead.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from core.embedded import servers

URLS = ("DATABASE_URL", "REDIS_URL", "CLICKHOUSE_URL")


def _start() -> None:
    missing = [name for name in URLS if not os.environ.get(name)]
    var = Path(tempfile.mkdtemp(prefix="gantry-test-"))
    os.environ["GANTRY_VAR"] = str(var)
    os.environ["GANTRY_DEBUG"] = "1"
    os.environ["GANTRY_SECRET_KEY"] = "only-for-this-test-run-" + var.name
    stack = contextlib.ExitStack()
    atexit.register(_stop, stack, var, os.getpid())
    if not missing:
        return
    endpoints = stack.enter_context(
        servers(
            var,
            postgres="DATABASE_URL" in missing,
            valkey="REDIS_URL" in missing,
            clickhouse="CLICKHOUSE_URL" in missing,
            durable=False,
        )
    )
    for name in missing:
        os.environ[name] = getattr(endpoints, name.lower())
    if "CLICKHOUSE_URL" in missing:
        os.environ["CLICKHOUSE_READER_URL"] = endpoints.clickhouse_reader_url


def _stop(stack: contextlib.ExitStack, var: Path, pid: int) -> None:
    if os.getpid() == pid:
        stack.close()
        shutil.rmtree(var, ignore_errors=True)


_start()

"""PostgreSQL, Valkey and ClickHouse given by URL: Gantry uses them and starts none of its own."""

from __future__ import annotations

import time

import httpx
import psutil
import pytest
from clickhouse_driver import Client

from core.embedded import servers
from tests.e2e.conftest import credentials, free_port, started

pytestmark = pytest.mark.product

PATIENCE_S = 60
SERVER_FOLDERS = ("postgres-18", "valkey-9", "clickhouse-26")


@pytest.fixture
def given(tmp_path):
    """Three servers that are none of Gantry's business, as somebody else would run them."""
    with servers(tmp_path / "elsewhere", durable=False) as endpoints:
        yield endpoints


def wait_for_rows(clickhouse_url: str) -> int:
    deadline = time.monotonic() + PATIENCE_S
    with Client.from_url(clickhouse_url) as client:
        while time.monotonic() < deadline:
            ((rows,),) = client.execute("SELECT count() FROM events")
            if rows:
                return int(rows)
            time.sleep(0.2)
    return 0


def test_servers_given_by_url_are_used_and_none_is_embedded(tmp_path, given):
    var, port = tmp_path / "var", free_port()
    base_url = f"http://127.0.0.1:{port}"
    urls = {
        "DATABASE_URL": given.database_url,
        "REDIS_URL": given.redis_url,
        "CLICKHOUSE_URL": given.clickhouse_url,
    }

    with started(var, port, **urls) as environment:
        started_here = _children_named(var)
        organization = credentials(environment)["organizations"][0]
        session = httpx.post(
            f"{base_url}/sdk/v1/sessions",
            headers={"X-SDK-Key": _native_key(organization)},
            json={
                "stream": organization["live_stream"],
                "sdk": {"name": "test", "version": "1"},
            },
            timeout=10,
        )
        ready = httpx.get(f"{base_url}/readyz", timeout=10).json()
        rows = wait_for_rows(given.clickhouse_url)

    assert session.status_code == 201, session.text
    assert ready["status"] == "ok"
    assert rows > 0
    assert started_here == []
    assert [name for name in SERVER_FOLDERS if (var / name).exists()] == []


def _native_key(organization) -> str:
    """The key of a client that no web page's origin is asked for."""
    return str(next(one for one in organization["clients"] if one["platform"] != "web")["sdk_key"])


def _children_named(var) -> list[str]:
    """Server processes whose command line names the folder of this Gantry."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(var) in line and any(name in line for name in ("postgres", "valkey", "clickhouse")):
            found.append(line)
    return found

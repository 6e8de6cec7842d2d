"""The SDK plane alone, as a larger installation runs it: a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import httpx
import pytest
from django.conf import settings
from django.db import connection

PATIENCE_S = 30


@pytest.fixture
def live_process(db):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = settings.DATABASE_URL.rpartition("/")[0]
    child = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "config.asgi_live:application", "--port", str(port)],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": f"{base}/{connection.settings_dict['NAME']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        _await_start(child, http)
        yield http
    child.terminate()
    child.wait(PATIENCE_S)


def _await_start(child: subprocess.Popen, http: httpx.Client) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert child.poll() is None, f"it ended with {child.returncode}"
        try:
            http.get("/livez")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("it did not start")


def test_serves_the_sdk_plane_and_nothing_else(live_process):
    assert live_process.get("/livez").json() == {"status": "ok"}
    assert live_process.get("/sdk/v1/config").status_code == 401
    for page in ("/", "/accounts/login/", "/api/v1/organizations/acme/streams"):
        answer = live_process.get(page)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"

from __future__ import annotations

import httpx
import pytest

from live import admission
from live.process import current_hub
from tests.live.conftest import Sdk

pytestmark = pytest.mark.django_db


@pytest.fixture
async def http(process):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}") as client:
        yield client


async def test_process_is_alive(http):
    answer = await http.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_every_part_is_named(http):
    answer = await http.get("/readyz")

    parts = answer.json()["parts"]
    assert set(parts) == {"postgresql", "migrations", "live hub", "redis", "clickhouse"}
    assert parts["postgresql"]["status"] == "ok"
    assert parts["redis"]["status"] == "ok"
    assert parts["live hub"]["status"] == "ok"
    assert parts["postgresql"]["ms"] >= 0


async def test_process_without_its_database_is_not_ready(http, monkeypatch):
    async def away(*args, **kwargs):
        raise admission.StorageAway("gone")

    monkeypatch.setattr(admission, "ask", away)

    answer = await http.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["parts"]["postgresql"]["status"] == "away"
    assert (await http.get("/livez")).status_code == 200


async def test_metrics_count_and_name_no_tenant(process, http, place):
    sdk = Sdk(process.port, place.keys["web"])
    await sdk.open()
    await sdk.connect(hello=1)
    await sdk.config()

    text = (await http.get("/metrics")).text

    assert "gantry_sockets 1.0" in text or "gantry_sockets " in text
    assert 'gantry_sdk_answers_total{call="config",status="200"}' in text
    assert "gantry_outbox_waiting 0.0" in text or "gantry_outbox_waiting" in text
    assert place.slug not in text
    assert place.schema_name not in text
    assert sdk.key not in text
    assert current_hub().subscribed

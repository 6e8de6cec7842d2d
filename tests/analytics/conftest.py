"""A fresh event buffer, a prepared ClickHouse and ways to look into both."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from clickhouse_driver import Client
from redis import Redis

from analytics import buffer, clickhouse
from analytics.ingest import Ingest
from analytics.intake import Intake, Source

BUFFER_DATABASE = 5


@pytest.fixture(scope="session", autouse=True)
def _prepared_clickhouse():
    clickhouse.migrate()


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def schema_name() -> str:
    """An organization no other test knows."""
    return f"org_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def buffer_url(settings) -> str:
    """An empty database of the running Valkey, one for each test process."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    parts = urlsplit(settings.REDIS_URL)
    url = str(parts._replace(path=f"/{BUFFER_DATABASE + int(worker)}").geturl())
    settings.REDIS_URL = url
    with Redis.from_url(url) as redis:
        redis.flushdb()
    return url


@pytest.fixture
def redis(buffer_url) -> Iterator[Any]:
    with Redis.from_url(buffer_url) as client:
        yield client


@pytest.fixture
async def intake(buffer_url):
    opened = Intake(buffer_url)
    yield opened
    await opened.close()


@pytest.fixture
def source(schema_name) -> Source:
    return make_source(schema_name)


def make_source(schema_name: str, **fields) -> Source:
    known = {
        "organization": schema_name.removeprefix("org_").replace("_", "-"),
        "stream": "derby",
        "client": "web",
        "key": "abcdefghijkl",
        "viewer": "viewer-1",
        "session": "session-1",
    }
    return Source(schema_name=schema_name, **(known | fields))


def make_event(now: datetime, /, **fields) -> dict[str, Any]:
    known = {"id": str(uuid.uuid4()), "type": "reaction", "at": now.isoformat()}
    return known | fields


def as_body(events: list[Any]) -> bytes:
    return msgspec.json.encode(events)


@pytest.fixture
def ingest(buffer_url, monkeypatch) -> Iterator[Ingest]:
    """A consumer that a test drives step by step and that does not wait for more."""
    monkeypatch.setattr("analytics.ingest.LONGEST_WAIT_S", 0.1)
    consumer = Ingest(buffer_url, threading.Event())
    consumer._prepare()
    yield consumer
    consumer._redis.close()


@pytest.fixture
def sql(settings) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Run a statement as the owner of the tables."""
    with Client.from_url(settings.CLICKHOUSE_URL) as client:
        yield client.execute


def waiting(redis: Any) -> int:
    """How many entries wait in the buffer."""
    return int(redis.xlen(buffer.STREAM))

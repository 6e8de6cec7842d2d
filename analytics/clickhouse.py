"""How do we speak to ClickHouse? The only file that knows its driver."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import queue
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from clickhouse_driver import Client, errors
from clickhouse_driver.util.helpers import parse_url
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from core.errors import DomainError

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
QUESTIONS = HERE / "sql"
SCHEMA = HERE / "schema"

POOL_SIZE = 8
POOL_WAIT_S = 2
CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 10
WRITE_TIMEOUT_S = 60
# Caps of one question, for a reader whose own profile has none.
QUESTION_CAPS: Mapping[str, int | str] = {
    "readonly": 2,
    "max_execution_time": 5,
    "max_memory_usage": 1_073_741_824,
    "max_result_rows": 100_000,
    "max_rows_to_read": 1_000_000_000,
    "result_overflow_mode": "throw",
}

COMMENT = re.compile(r"--[^\n]*")
BOUND = re.compile(r"\borganization\s*=\s*\{organization:String\}")
LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations
(name String, digest String, applied_at DateTime('UTC') DEFAULT now())
ENGINE = ReplacingMergeTree ORDER BY name
"""


class RowType(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Row = TypeVar("Row", bound=RowType)
Parameter = str | int | float | Sequence[str]


class AnalyticsUnavailable(DomainError):
    """ClickHouse is away, overloaded or not prepared; nothing is lost."""

    slug = "unavailable"
    status = 503
    title = "Analytics is not reachable"


class RowsRefused(Exception):
    """ClickHouse is there and does not take these rows."""


class _Pool:
    """At most `size` connections, opened when needed, closed after any error."""

    def __init__(self, url: str, *, read_timeout_s: int, **client_settings: bool) -> None:
        host, self._options = parse_url(url)
        self._options = {"compression": "lz4", **self._options, "host": host}
        self._options.setdefault("connect_timeout", CONNECT_TIMEOUT_S)
        self._options.setdefault("send_receive_timeout", read_timeout_s)
        self._options.setdefault("sync_request_timeout", CONNECT_TIMEOUT_S)
        self._options["settings"] = {**self._options.get("settings", {}), **client_settings}
        self._free: queue.LifoQueue[Client | None] = queue.LifoQueue()
        for _ in range(POOL_SIZE):
            self._free.put(None)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Lend a connection; raises AnalyticsUnavailable for whatever goes wrong on it."""
        try:
            client = self._free.get(timeout=POOL_WAIT_S)
        except queue.Empty:
            raise AnalyticsUnavailable("Too many analytics questions at once.") from None
        usable = False
        try:
            client = client or Client(**self._options)
            yield client
            usable = True
        except (errors.Error, OSError, EOFError) as error:
            logger.warning("analytics.clickhouse.failed error=%s", _first_line(error))
            raise AnalyticsUnavailable("Analytics is not reachable just now.") from error
        finally:
            if client is not None and not usable:
                client.disconnect()
            self._free.put(client if usable else None)


@cache
def _writer(url: str) -> _Pool:
    return _Pool(url, read_timeout_s=WRITE_TIMEOUT_S, strings_as_bytes=True)


@cache
def _reader(url: str) -> _Pool:
    return _Pool(url, read_timeout_s=READ_TIMEOUT_S, server_side_params=True)


@cache
def _caps(url: str) -> Mapping[str, int | str]:
    """Return what must be sent with a question: nothing when the user is read-only by itself."""
    with _reader(url).client() as client:
        ((readonly,),) = client.execute("SELECT toUInt8(getSetting('readonly'))")
    return {} if readonly == 1 else QUESTION_CAPS


def ping() -> None:
    """Raise AnalyticsUnavailable unless the reader gets an answer."""
    with _reader(settings.CLICKHOUSE_READER_URL).client() as client:
        client.execute("SELECT 1")


def ask(
    row: type[Row], question: str, /, *, organization: str, **parameters: Parameter
) -> tuple[Row, ...]:
    """Return the rows of sql/<question>.sql for one organization (its schema name).

    Columns are matched to the fields of the dataclass by name. Values are bound by the server.
    Raises AnalyticsUnavailable.
    """
    text = question_text(question)
    url = settings.CLICKHOUSE_READER_URL
    caps = _caps(url)
    with _reader(url).client() as client:
        values, columns = client.execute(
            text,
            {"organization": organization, **parameters},
            with_column_types=True,
            settings=dict(caps),
        )
    names = [name for name, _ in columns]
    expected = {field.name for field in dataclasses.fields(row)}
    assert set(names) == expected, f"{question}.sql answers {names}, {row} has {expected}"
    make: Callable[..., Row] = row
    return tuple(make(**dict(zip(names, each, strict=True))) for each in values)


@cache
def question_text(question: str) -> str:
    """Return a question's text; one that is not bound to an organization is refused."""
    text = (QUESTIONS / f"{question}.sql").read_text()
    if not BOUND.search(COMMENT.sub("", text)):
        raise ImproperlyConfigured(
            f"{question}.sql must filter by organization = {{organization:String}}."
        )
    return text


def insert(table: str, columns: Mapping[str, Sequence[object]], *, token: str) -> None:
    """Insert whole columns; texts are bytes. The same rows with the same token count once.

    Raises AnalyticsUnavailable (try again with the same token) or RowsRefused.
    """
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    options = {
        "async_insert": 0,
        "insert_deduplication_token": token,
        "deduplicate_blocks_in_dependent_materialized_views": 1,
    }
    try:
        with _writer(settings.CLICKHOUSE_URL).client() as client:
            client.execute(statement, list(columns.values()), columnar=True, settings=options)
    except AnalyticsUnavailable as error:
        if isinstance(error.__cause__, errors.TypeMismatchError | errors.TooLargeStringSize):
            raise RowsRefused(_first_line(error.__cause__)) from error
        raise


def migrate() -> list[str]:
    """Apply every schema/*.sql that was not applied yet, in order, and return their names.

    Safe to run twice and from two processes. Raises AnalyticsUnavailable, and
    ImproperlyConfigured when a file was edited after it had been applied.
    """
    with _writer(settings.CLICKHOUSE_URL).client() as client:
        client.execute(LEDGER)
        applied = dict(client.execute("SELECT name, digest FROM schema_migrations FINAL"))
        done = []
        for path in sorted(SCHEMA.glob("*.sql")):
            name, digest = path.stem.encode(), _digest(path)
            if name not in applied:
                _apply(client, path)
                client.execute(
                    "INSERT INTO schema_migrations (name, digest) VALUES", [(name, digest)]
                )
                done.append(path.stem)
            elif applied[name] != digest:
                raise ImproperlyConfigured(
                    f"schema/{path.name} was changed after it had been applied: add a new file."
                )
    return done


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).hexdigest().encode()


def _apply(client: Client, path: Path) -> None:
    for statement in path.read_text().split(";\n"):
        if COMMENT.sub("", statement).strip():
            client.execute(statement)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]

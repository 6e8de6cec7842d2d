"""Questions are bound to one organization and run by somebody who can only read."""

from dataclasses import dataclass

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException
from django.core.exceptions import ImproperlyConfigured

from analytics import clickhouse
from analytics.clickhouse import AnalyticsUnavailable

NOWHERE = "clickhouse://gantry@127.0.0.1:1/gantry"


@dataclass(frozen=True, kw_only=True)
class Answer:
    organization: str
    text: str


@pytest.fixture
def questions(tmp_path, monkeypatch):
    """A folder of questions of this test's own."""
    monkeypatch.setattr(clickhouse, "QUESTIONS", tmp_path)
    clickhouse.question_text.cache_clear()
    yield tmp_path
    clickhouse.question_text.cache_clear()


def test_migrating_twice_changes_nothing():
    assert clickhouse.migrate() == []


def test_edited_migration_is_refused(tmp_path, monkeypatch):
    for path in clickhouse.SCHEMA.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text() + "\n-- edited")
    monkeypatch.setattr(clickhouse, "SCHEMA", tmp_path)

    with pytest.raises(ImproperlyConfigured, match=r"0001_events\.sql was changed"):
        clickhouse.migrate()


def test_organization_is_the_first_sort_key_column_of_every_table(sql):
    rows = sql(
        "SELECT name, sorting_key FROM system.tables WHERE database = currentDatabase() "
        "AND engine LIKE '%MergeTree' AND name != 'schema_migrations'"
    )

    assert {name for name, _ in rows} >= {"events", "stream_minutes", "ingest_counters"}
    assert all(key.startswith("organization,") for _, key in rows)


@pytest.mark.parametrize("path", sorted(clickhouse.QUESTIONS.glob("*.sql")), ids=lambda p: p.stem)
def test_every_question_is_bound_to_an_organization(path):
    assert clickhouse.question_text(path.stem)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count() FROM events",
        "SELECT count() FROM events -- WHERE organization = {organization:String}",
        "SELECT count() FROM events WHERE stream = {organization:String}",
    ],
)
def test_question_that_is_not_bound_is_refused(questions, text):
    (questions / "loose.sql").write_text(text)

    with pytest.raises(ImproperlyConfigured):
        clickhouse.ask(Answer, "loose", organization="org_acme")


@pytest.mark.parametrize(
    "text", ["plain", "it's", 'a "b"', "back\\slash", "{organization:String}", "%s %(a)s", "'); --"]
)
def test_values_are_bound_and_never_pasted(questions, text):
    (questions / "echo.sql").write_text(
        "SELECT {organization:String} AS organization, {text:String} AS text "
        "FROM (SELECT 'org_acme' AS organization) WHERE organization = {organization:String}"
    )

    (row,) = clickhouse.ask(Answer, "echo", organization="org_acme", text=text)

    assert row == Answer(organization="org_acme", text=text)


def test_organization_cannot_be_widened_by_its_own_text(questions):
    (questions / "mine.sql").write_text(
        "SELECT organization, 'x' AS text FROM (SELECT 'org_acme' AS organization) "
        "WHERE organization = {organization:String}"
    )

    assert clickhouse.ask(Answer, "mine", organization="x' OR 1 = 1 --") == ()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO events (organization) VALUES ('org_acme')",
        "CREATE TABLE mine (a UInt8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE mine (a UInt8)",
        "DROP TABLE events",
        "TRUNCATE TABLE events",
        "ALTER TABLE events DELETE WHERE 1",
        "OPTIMIZE TABLE events",
        "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
        "SELECT * FROM file('/etc/passwd', LineAsString)",
        "SELECT * FROM remote('127.0.0.1', 'gantry.events')",
        "SELECT * FROM s3('http://127.0.0.1:1/a.csv')",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "SET readonly = 0",
        "SELECT sleepEachRow(1) FROM numbers(60) SETTINGS max_execution_time = 3600",
    ],
)
def test_reader_can_neither_write_nor_reach_out(settings, statement):
    with Client.from_url(settings.CLICKHOUSE_READER_URL) as reader, pytest.raises(ServerException):
        reader.execute(statement)


def test_writer_used_as_reader_is_capped_by_the_question(settings, questions, sql):
    settings.CLICKHOUSE_READER_URL = settings.CLICKHOUSE_URL
    (questions / "much.sql").write_text(
        "SELECT organization, toString(number) AS text FROM numbers(200000), "
        "(SELECT 'org_acme' AS organization) AS o WHERE organization = {organization:String}"
    )

    with pytest.raises(AnalyticsUnavailable):
        clickhouse.ask(Answer, "much", organization="org_acme")


def test_missing_server_is_one_clear_error(settings):
    settings.CLICKHOUSE_READER_URL = NOWHERE

    with pytest.raises(AnalyticsUnavailable) as refusal:
        clickhouse.ping()

    assert "not reachable" in refusal.value.message


def test_connection_works_again_after_an_error(questions):
    (questions / "broken.sql").write_text("SELECT x WHERE organization = {organization:String}")
    with pytest.raises(AnalyticsUnavailable):
        clickhouse.ask(Answer, "broken", organization="org_acme")

    clickhouse.ping()

"""The three servers, started from their wheels and used over their own protocols."""

import json

import clickhouse_driver
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.embedded import StartProblem, endpoints, servers

NOT_ALLOWED = 497
READ_ONLY = 164
TOO_MUCH_TIME = 452


@pytest.fixture
def owner(running):
    with clickhouse_driver.Client.from_url(running.clickhouse_url) as client:
        yield client


@pytest.fixture
def reader(running):
    with clickhouse_driver.Client.from_url(running.clickhouse_reader_url) as client:
        yield client


def refusal(client, statement, **arguments):
    with pytest.raises(clickhouse_driver.errors.ServerException) as refused:
        client.execute(statement, **arguments)
    return refused.value.code


def test_postgres_is_version_18_in_utf8(running):
    with psycopg.connect(running.database_url) as connection:
        found = connection.execute(
            "SELECT current_setting('server_version_num')::int / 10000,"
            " pg_encoding_to_char(encoding), datlocprovider"
            " FROM pg_database WHERE datname = 'gantry'"
        ).fetchone()

    assert found == (18, "UTF8", "b")


def test_postgres_refuses_a_wrong_password(running):
    wrong = psycopg.conninfo.make_conninfo(running.database_url, password="guess")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_valkey_keeps_an_append_only_file_and_a_password(running):
    with redis.Redis.from_url(running.redis_url) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        port = client.connection_pool.connection_kwargs["port"]

    with (
        redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        stranger.ping()


def test_clickhouse_serves_the_usual_client_with_compression(running):
    client = clickhouse_driver.Client.from_url(running.clickhouse_url + "?compression=lz4")

    client.execute("CREATE TABLE many (n UInt64) ENGINE = MergeTree ORDER BY n")
    client.execute("INSERT INTO many (n) VALUES", [(number,) for number in range(10_000)])

    assert client.execute("SELECT count(), sum(n) FROM many") == [(10_000, 49_995_000)]
    client.execute("DROP TABLE many")


def test_clickhouse_refuses_a_wrong_password(running):
    url = running.clickhouse_url.replace("gantry:", "gantry:wrong", 1)

    with pytest.raises(clickhouse_driver.errors.ServerException, match="Authentication failed"):
        clickhouse_driver.Client.from_url(url).execute("SELECT 1")


def test_clickhouse_default_user_reads_nothing_of_ours(owner, running):
    owner.execute("CREATE TABLE ours (n UInt8) ENGINE = MergeTree ORDER BY n")
    port = int(running.clickhouse_url.rpartition(":")[2].partition("/")[0])
    stranger = clickhouse_driver.Client("127.0.0.1", port)

    assert refusal(stranger, "SELECT * FROM gantry.ours") == NOT_ALLOWED
    assert refusal(stranger, "SELECT query FROM system.processes") == NOT_ALLOWED
    assert refusal(stranger, "CREATE DATABASE theirs") == NOT_ALLOWED
    owner.execute("DROP TABLE ours")


def test_reader_reads_with_parameters_and_a_shorter_time_limit(owner, reader):
    owner.execute("CREATE TABLE facts (n UInt8) ENGINE = MergeTree ORDER BY n")
    owner.execute("INSERT INTO facts (n) VALUES", [(1,), (2,)])

    rows = reader.execute(
        "SELECT count() FROM facts WHERE n > 1", settings={"max_execution_time": 3}
    )

    assert rows == [(1,)]
    owner.execute("DROP TABLE facts")


def test_reader_cannot_write_read_files_or_lift_its_limits(owner, reader):
    owner.execute("CREATE TABLE fixed (n UInt8) ENGINE = MergeTree ORDER BY n")

    assert refusal(reader, "INSERT INTO fixed (n) VALUES", params=[(1,)]) in {
        NOT_ALLOWED,
        READ_ONLY,
    }
    assert refusal(reader, "DROP TABLE fixed") in {NOT_ALLOWED, READ_ONLY}
    assert refusal(reader, "SELECT * FROM file('/etc/passwd', 'CSV', 'a String')") == NOT_ALLOWED
    assert refusal(reader, "SELECT * FROM url('http://127.0.0.1', 'CSV', 'a String')") == (
        NOT_ALLOWED
    )
    long = {"max_execution_time": 3600}
    assert refusal(reader, "SELECT 1", settings=long) == TOO_MUCH_TIME
    assert refusal(reader, "SELECT 1", settings={"readonly": 0}) == READ_ONLY
    owner.execute("DROP TABLE fixed")


def test_private_files_are_readable_by_their_owner_only(running, servers_var):
    private = [
        "secrets.json",
        "endpoints.json",
        "valkey-9/valkey.conf",
        "clickhouse-26/configuration/users.xml",
        "log/postgres.log",
    ]

    modes = {name: oct((servers_var / name).stat().st_mode & 0o777) for name in private}

    assert modes == dict.fromkeys(private, "0o600")
    assert servers_var.stat().st_mode & 0o777 == 0o700


def test_endpoints_are_read_back_as_written(running, servers_var):
    assert endpoints.read(servers_var) == running
    assert running.environment()["DATABASE_URL"].startswith("postgres://gantry:")


def test_a_second_gantry_on_the_same_folder_is_refused(running, servers_var):
    with pytest.raises(StartProblem, match="already runs"), servers(servers_var):
        pass


def test_a_restart_keeps_data_and_passwords(tmp_path):
    var = tmp_path / "var"
    with servers(var) as first:
        with psycopg.connect(first.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        redis.Redis.from_url(first.redis_url).set("kept", "42")
        client = clickhouse_driver.Client.from_url(first.clickhouse_url)
        client.execute("CREATE TABLE kept (n UInt8) ENGINE = MergeTree ORDER BY n")
        client.execute("INSERT INTO kept (n) VALUES", [(42,)])
        secrets = json.loads((var / "secrets.json").read_text())
        assert redis.Redis.from_url(first.redis_url).config_get("appendfsync") == {
            "appendfsync": "always"
        }

    assert endpoints.read(var) is None
    with servers(var) as second:
        with psycopg.connect(second.database_url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (42,)
        assert redis.Redis.from_url(second.redis_url).get("kept") == b"42"
        client = clickhouse_driver.Client.from_url(second.clickhouse_url)
        assert client.execute("SELECT n FROM kept") == [(42,)]
        assert json.loads((var / "secrets.json").read_text()) == secrets


def test_only_the_wanted_servers_start(tmp_path):
    with servers(tmp_path / "var", postgres=False, clickhouse=False) as endpoints_found:
        assert redis.Redis.from_url(endpoints_found.redis_url).ping()

    assert (endpoints_found.database_url, endpoints_found.clickhouse_url) == ("", "")
    assert list(endpoints_found.environment()) == ["REDIS_URL"]

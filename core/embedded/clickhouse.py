"""How does the embedded ClickHouse run? In one process of our own, from the chdb-core wheel."""

import dataclasses
import hashlib
import http.client
import sys
from pathlib import Path

from core.embedded import clickhouse_http, folder, wheels
from core.embedded.children import Program
from core.embedded.files import write_private
from core.embedded.problem import StartProblem

NAME = "clickhouse"
TITLE = "ClickHouse"
MAJOR = 26
DATABASE = "gantry"
READER = "gantry_reader"
SERVER_MEMORY_BYTES = 2 * 1024**3
READER_MEMORY_BYTES = 1024**3
READER_SECONDS = 20
READER_RESULT_ROWS = 1_000_000
READER_READ_ROWS = 1_000_000_000
STOP_PATIENCE_S = 25.0

SERVER_CONFIGURATION = """\
<clickhouse>
  <listen_host>127.0.0.1</listen_host>
  <tcp_port>{port}</tcp_port>
  <http_port>{http_port}</http_port>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <max_server_memory_usage>{server_memory}</max_server_memory_usage>
  <mark_cache_size>134217728</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <max_connections>256</max_connections>
</clickhouse>
"""

# `poll_interval`: seconds after which an idle connection notices a stop (10 unless said).
# `default` has no password, because the engine's own keep-alive statement runs under that name.
USERS = """\
<clickhouse>
  <profiles>
    <default>
      <network_compression_method>lz4</network_compression_method>
      <poll_interval>1</poll_interval>
    </default>
    <reader>
      <network_compression_method>lz4</network_compression_method>
      <poll_interval>1</poll_interval>
      <readonly>1</readonly>
      <allow_ddl>0</allow_ddl>
      <max_execution_time>{reader_seconds}</max_execution_time>
      <max_memory_usage>{reader_memory}</max_memory_usage>
      <max_result_rows>{reader_result_rows}</max_result_rows>
      <max_rows_to_read>{reader_read_rows}</max_rows_to_read>
      <result_overflow_mode>throw</result_overflow_mode>
      <constraints>
        <max_execution_time>
          <max>{reader_seconds}</max><changeable_in_readonly/>
        </max_execution_time>
        <max_result_rows>
          <max>{reader_result_rows}</max><changeable_in_readonly/>
        </max_result_rows>
        <log_comment><changeable_in_readonly/></log_comment>
      </constraints>
    </reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT SELECT ON system.numbers</query>
      </grants>
    </default>
    <gantry>
      <password_sha256_hex>{password}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT ALL ON gantry*.*</query>
        <query>GRANT SELECT ON system.*</query>
        <query>GRANT SELECT ON information_schema.*</query>
        <query>GRANT KILL QUERY, SYSTEM, TABLE ENGINE, CREATE TEMPORARY TABLE ON *.*</query>
      </grants>
    </gantry>
    <gantry_reader>
      <password_sha256_hex>{reader_password}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>reader</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SELECT ON gantry*.*</query>
      </grants>
    </gantry_reader>
  </users>
</clickhouse>
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clickhouse:
    """One ClickHouse on 127.0.0.1 with the database `gantry`, its owner and its reader."""

    var: Path
    port: int
    http_port: int
    password: str
    reader_password: str
    name: str = NAME
    title: str = TITLE

    @property
    def url(self) -> str:
        return f"clickhouse://gantry:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def reader_url(self) -> str:
        return f"clickhouse://{READER}:{self.reader_password}@127.0.0.1:{self.port}/{DATABASE}"

    def prepare(self) -> None:
        """Write the configuration; the data folder is made by the engine."""
        if wheels.package_major("chdb-core") != MAJOR:
            raise StartProblem(
                f"No ClickHouse {MAJOR} was found: install the chdb-core wheel (make setup) "
                f"or set CLICKHOUSE_URL."
            )
        self._configuration.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home.chmod(0o700)
        server = SERVER_CONFIGURATION.format(
            port=self.port, http_port=self.http_port, server_memory=SERVER_MEMORY_BYTES
        )
        write_private(self._configuration / "config.xml", server)
        write_private(self._configuration / "users.xml", self._users())

    def program(self) -> Program:
        return Program(
            name=NAME,
            argv=(
                sys.executable,
                "-m",
                "core.embedded.clickhouse_server",
                str(self._home / "data"),
                str(self._configuration),
                str(self.http_port),
            ),
            folder=wheels.ROOT,
            environment={"GANTRY_CLICKHOUSE_PASSWORD": self.password},
            patience_s=STOP_PATIENCE_S,
        )

    def answers(self) -> bool:
        """Whether the owner can log in and the database is there; makes it on the first login."""
        try:
            clickhouse_http.execute(
                self.http_port,
                password=self.password,
                statement=f"CREATE DATABASE IF NOT EXISTS {DATABASE}",
            )
        except (OSError, http.client.HTTPException):
            return False
        return True

    @property
    def _home(self) -> Path:
        return folder.data_folder(self.var, server=NAME, title=TITLE, major=MAJOR)

    @property
    def _configuration(self) -> Path:
        return self._home / "configuration"

    def _users(self) -> str:
        return USERS.format(
            password=_sha256(self.password),
            reader_password=_sha256(self.reader_password),
            reader_seconds=READER_SECONDS,
            reader_memory=READER_MEMORY_BYTES,
            reader_result_rows=READER_RESULT_ROWS,
            reader_read_rows=READER_READ_ROWS,
        )


def _sha256(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()

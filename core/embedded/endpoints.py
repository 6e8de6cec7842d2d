"""Where does the running Gantry answer? Written to var/endpoints.json while it runs."""

import dataclasses
import json
from pathlib import Path

from core.embedded.files import write_private

FILE_NAME = "endpoints.json"
VARIABLES = {
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "clickhouse_url": "CLICKHOUSE_URL",
    "clickhouse_reader_url": "CLICKHOUSE_READER_URL",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoints:
    """URLs of the servers in use (empty: neither started nor given), and of Gantry itself."""

    database_url: str = ""
    redis_url: str = ""
    clickhouse_url: str = ""
    clickhouse_reader_url: str = ""
    base_url: str = ""
    demo: bool = False

    def environment(self) -> dict[str, str]:
        """The servers' URLs under the names of the environment variables."""
        return {
            variable: url for name, variable in VARIABLES.items() if (url := getattr(self, name))
        }


def read(var: Path) -> Endpoints | None:
    """The endpoints of the servers running under `var`, or None when none run."""
    try:
        stored = json.loads((var / FILE_NAME).read_text())
    except FileNotFoundError:
        return None
    return Endpoints(**stored)


def write(var: Path, endpoints: Endpoints) -> None:
    known = {name: value for name, value in dataclasses.asdict(endpoints).items() if value}
    write_private(var / FILE_NAME, json.dumps(known, indent=2) + "\n")


def remove(var: Path) -> None:
    (var / FILE_NAME).unlink(missing_ok=True)

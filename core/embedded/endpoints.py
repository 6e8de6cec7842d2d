"""Where do the running servers answer? Written to var/endpoints.json while they run."""

import dataclasses
import json
from pathlib import Path
from typing import Self

from core.embedded.files import write_private

FILE_NAME = "endpoints.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoints:
    """URLs of the servers in use; None for one that was neither started nor given."""

    database_url: str | None = None
    redis_url: str | None = None
    clickhouse_url: str | None = None
    clickhouse_reader_url: str | None = None

    def environment(self) -> dict[str, str]:
        """The same URLs under the names of the environment variables."""
        return {name.upper(): url for name, url in dataclasses.asdict(self).items() if url}

    def replaced_by(self, environment: dict[str, str]) -> Self:
        """The same endpoints, with every URL that `environment` names taken from there."""
        given = {
            field.name: environment[field.name.upper()]
            for field in dataclasses.fields(self)
            if environment.get(field.name.upper())
        }
        return dataclasses.replace(self, **given)


def read(var: Path) -> Endpoints | None:
    """The endpoints of the servers running under `var`, or None when none run."""
    try:
        stored = json.loads((var / FILE_NAME).read_text())
    except FileNotFoundError:
        return None
    return Endpoints(**stored)


def write(var: Path, endpoints: Endpoints) -> None:
    write_private(var / FILE_NAME, json.dumps(dataclasses.asdict(endpoints), indent=2) + "\n")


def remove(var: Path) -> None:
    (var / FILE_NAME).unlink(missing_ok=True)

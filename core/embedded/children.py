"""How are child processes started, so that none outlives Gantry, and how are they stopped?"""

import contextlib
import ctypes
import dataclasses
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from core.embedded.files import write_private
from core.embedded.problem import StartProblem

RECORD_NAME = "children.json"
LOG_FOLDER = "log"
PR_SET_PDEATHSIG = 1
POLL_S = 0.01
LEFTOVER_PATIENCE_S = 10.0
SENTENCE_MAX = 300

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """What to run: a name for people, the command and how to end it politely.

    Programs of a higher stage lean on those of a lower one and are stopped before them. One that
    `ends` by itself is not started again.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    patience_s: float = 8.0
    stage: int = 0
    ends: bool = False
    account: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Child:
    program: Program
    process: subprocess.Popen[bytes]
    log: Path
    log_offset: int
    started_at: float


class Children:
    """The running children of one var/ folder, in the order in which they were started.

    All waiting is done with `pause`, which may raise to break off.
    """

    def __init__(self, var: Path, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.pause = pause
        self.log_folder = var / LOG_FOLDER
        self.log_folder.mkdir(mode=0o700, exist_ok=True)
        self._record = var / RECORD_NAME
        self._running: dict[str, Child] = {}

    def start(self, program: Program) -> Child:
        """Start `program` with its output appended to var/log/<name>.log."""
        log = self.log_folder / f"{program.name}.log"
        child = Child(
            program=program,
            log=log,
            log_offset=log.stat().st_size if log.exists() else 0,
            process=_spawn(program, log),
            started_at=time.monotonic(),
        )
        self._running[program.name] = child
        self._write_record()
        return child

    def reap(self) -> list[tuple[Child, int]]:
        """Take out the children that have died since, each with its exit status."""
        dead = []
        for name, child in list(self._running.items()):
            status = child.process.poll()
            if status is not None:
                del self._running[name]
                dead.append((child, status))
        if dead:
            self._write_record()
        return dead

    def stop(self) -> None:
        """Stop stage by stage: all of a stage are asked in the order of their start, then awaited."""
        for stage in sorted(
            {child.program.stage for child in self._running.values()}, reverse=True
        ):
            asked = [child for child in self._running.values() if child.program.stage == stage]
            for child in asked:
                child.process.send_signal(child.program.stop_signal)
            for child in asked:
                self._await_end(child)
                del self._running[child.program.name]
            self._write_record()

    def kill(self) -> None:
        """End all at once, without asking."""
        for child in self._running.values():
            _kill_group(child.process.pid)
        for child in self._running.values():
            child.process.wait()
        self._running.clear()
        self._write_record()

    def stop_leftovers(self) -> list[str]:
        """Stop what a killed supervisor of this folder left running; the names of those."""
        try:
            recorded = json.loads(self._record.read_text())
        except (FileNotFoundError, ValueError):
            return []
        alive = [entry for entry in recorded if _identity(entry["pid"]) == entry["identity"]]
        for entry in reversed(alive):
            _stop_leftover(entry)
        self._write_record()
        return [entry["name"] for entry in alive]

    def _await_end(self, child: Child) -> None:
        deadline = time.monotonic() + child.program.patience_s
        while child.process.poll() is None:
            if time.monotonic() > deadline:
                _kill_group(child.process.pid)
                child.process.wait()
            self.pause(POLL_S)

    def _write_record(self) -> None:
        entries = [
            {
                "name": name,
                "pid": child.process.pid,
                "identity": _identity(child.process.pid),
                "stop_signal": child.program.stop_signal.value,
            }
            for name, child in self._running.items()
        ]
        write_private(self._record, json.dumps(entries, indent=2) + "\n")


def status_words(status: int) -> str:
    """An exit status in words: "exit status 3" or "killed by SIGKILL"."""
    if status >= 0:
        return f"exit status {status}"
    return f"killed by {signal.Signals(-status).name}"


def last_line(log: Path) -> str:
    """The last line a child wrote, short enough for one sentence."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:SENTENCE_MAX] if lines else "it wrote nothing"


def group_of(account: str | None) -> int | None:
    """The primary group of another account; None for ourselves."""
    return None if account is None else pwd.getpwnam(account).pw_gid


def _spawn(program: Program, log: Path) -> subprocess.Popen[bytes]:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            program.argv,
            cwd=program.folder,
            env={**os.environ, **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=program.account,
            group=group_of(program.account),
            extra_groups=[] if program.account else None,
            preexec_fn=_die_with_parent(program.stop_signal, os.getpid()),
        )
    except OSError as error:
        raise StartProblem(f"{program.name} could not be started: {error}.") from None
    finally:
        os.close(descriptor)


def _die_with_parent(stop_signal: signal.Signals, parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program: ask to be stopped when we are gone.

    The request survives `unshare` and exec, and is tied to the starting thread: children are
    started from the main thread only. Signals that we
    block, or that a background shell ignores, would stay so in the child.
    """

    def ask() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, stop_signal.value)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _stop_leftover(entry: dict[str, int | str]) -> None:
    pid = int(entry["pid"])
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, int(entry["stop_signal"]))
    if not _gone_within(pid, entry["identity"], LEFTOVER_PATIENCE_S):
        _kill_group(pid)
    if not _gone_within(pid, entry["identity"], LEFTOVER_PATIENCE_S):
        raise StartProblem(
            f"{entry['name']} of an earlier run is still alive (process {pid}) and cannot be "
            f"stopped: end it by hand."
        )


def _gone_within(pid: int, identity: object, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _identity(pid) == identity:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _identity(pid: int) -> str | None:
    """What tells a live process from a later one with the same number; None when it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None if sys.platform == "linux" else _identity_by_ps(pid)
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started


def _identity_by_ps(pid: int) -> str | None:
    listed = subprocess.run(
        ("ps", "-o", "lstart=", "-p", str(pid)), capture_output=True, text=True, check=False
    )
    return listed.stdout.strip() or None

"""May this process use the var/ folder, and is anything of an earlier run still alive in it?"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from core.embedded.problem import StartProblem

LOCK_NAME = "supervisor.lock"
MIN_FREE_BYTES = 300 * 1024 * 1024


@contextmanager
def claimed(var: Path, *, min_free_bytes: int = MIN_FREE_BYTES) -> Iterator[Path]:
    """Create and check `var`, and hold it against a second Gantry until the block ends."""
    folder = var.absolute()
    _make_private(folder)
    _check_space(folder, min_free_bytes)
    lock = _lock(folder)
    try:
        yield folder
    finally:
        lock.close()


def data_folder(var: Path, *, server: str, title: str, major: int) -> Path:
    """The data folder of a server, named after its major version; another version is refused."""
    ours = var / f"{server}-{major}"
    others = sorted(path.name for path in var.glob(f"{server}-*") if path != ours and path.is_dir())
    if others and not ours.exists():
        raise StartProblem(
            f"{var / others[0]} holds data of another version and this Gantry runs {title} "
            f"{major}: move its data over as docs/operations.md tells, or move the folder away."
        )
    return ours


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        next(folder.iterdir(), None)
        probe = folder / f".probe.{os.getpid()}"
        probe.touch(mode=0o600)
        probe.unlink()
    except (FileExistsError, NotADirectoryError):
        raise StartProblem(f"{folder} is not a folder: GANTRY_VAR must name one.") from None
    except OSError as error:
        raise StartProblem(
            f"{folder} cannot be used ({error.strerror}): GANTRY_VAR must name a folder that "
            f"this account can read and write."
        ) from None


def _check_space(folder: Path, min_free_bytes: int) -> None:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < min_free_bytes:
        raise StartProblem(
            f"The disk of {folder} is full: {free // 1024**2} MB are free, "
            f"Gantry needs at least {min_free_bytes // 1024**2} MB to start."
        )


def _lock(folder: Path) -> TextIO:
    lock = (folder / LOCK_NAME).open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise StartProblem(
            f"Gantry already runs with {folder} (process {holder}): stop it first, "
            f"or set GANTRY_VAR to another folder."
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock

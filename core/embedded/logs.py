"""How large may the logs under var/log/ grow?"""

import os
import shutil
from pathlib import Path

MAX_BYTES = 5 * 1024 * 1024
KEPT = 3


def rotate(folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Set aside every log above `max_bytes`; of each, the last three are kept.

    Children hold their log open for appending, so it is copied and emptied, not renamed: nobody
    has to be told, and a log survives the supervisor.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > max_bytes:
            _set_aside(log)


def _set_aside(log: Path) -> None:
    for number in range(KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copy(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)

"""How are the private files under var/ written?"""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step with a file only its owner can read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

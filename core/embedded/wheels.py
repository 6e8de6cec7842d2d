"""Where is a server's program: in an installed wheel, or on the PATH?"""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def package_folder(package: str) -> Path | None:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def package_major(distribution: str) -> int | None:
    """The first number of an installed distribution's version."""
    try:
        return int(importlib.metadata.version(distribution).split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return None


def on_path(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found) if found else None

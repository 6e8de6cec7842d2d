"""Is there anything new to prepare, so that web must wait for `manage.py prepare`?

`prepare` runs at every start. What is remembered here only decides whether web may start beside it.
"""

import hashlib
from pathlib import Path

from core.embedded.files import write_private
from core.embedded.options import Options
from core.embedded.wheels import ROOT

FILE_NAME = "prepared"
SOURCES = ("*/migrations/*.py", "*/catalogue.toml", "*/sql/**/*.sql", "requirements.txt")
CLUSTER = "postgres-*/data/PG_VERSION"


def fingerprint(options: Options) -> str:
    """Changes with every migration, table, catalogue row, target database and demo switch."""
    digest = hashlib.sha256(repr((options.demo, sorted(options.given.items()))).encode())
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    for path in sorted(options.var.glob(CLUSTER)):
        digest.update(str(path.stat().st_mtime_ns).encode())
    return digest.hexdigest()


def was_done(var: Path, plan: str) -> bool:
    path = var / FILE_NAME
    return path.exists() and path.read_text() == plan


def note_done(var: Path, plan: str) -> None:
    write_private(var / FILE_NAME, plan)

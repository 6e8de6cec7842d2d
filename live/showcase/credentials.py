"""Where do the demo's logins and keys stand? In one file that only its owner may read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings

from core.errors import DomainError

FILE_NAME = "demo.json"
OWNER_ONLY = 0o600


class NoDemo(DomainError):
    slug = "no-demo"
    title = "No demo"


def write(organizations: list[dict[str, Any]]) -> None:
    """Store the demo's logins; the file appears whole or not at all."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"base_url": settings.BASE_URL, "organizations": organizations}, file, indent=1)
    half.replace(path)


def read() -> dict[str, Any]:
    """Return what demo_credentials prints, or raise NoDemo saying why there is nothing."""
    if not settings.DEMO:
        raise NoDemo("This is not a demo: demo_credentials answers only with GANTRY_DEMO=1.")
    try:
        document = json.loads(_path().read_text())
    except FileNotFoundError as error:
        raise NoDemo(f"{_path()} is not there: the demo was not seeded here.") from error
    return {"base_url": settings.BASE_URL, "organizations": document["organizations"]}


def exist() -> bool:
    return _path().exists()


def _path() -> Path:
    return Path(settings.VAR) / FILE_NAME

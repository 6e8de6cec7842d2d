"""Which generated passwords does this installation use? Kept 0600 in var/secrets.json."""

import json
import secrets
from pathlib import Path

from core.embedded.files import write_private
from core.embedded.problem import StartProblem

FILE_NAME = "secrets.json"
NAMES = ("postgres", "valkey", "clickhouse", "clickhouse_reader", "django_secret_key")
TOKEN_BYTES = 36


def load_or_create(var: Path) -> dict[str, str]:
    """The secrets of this folder by name; missing ones are generated and stored."""
    path = var / FILE_NAME
    stored = _stored(path)
    missing = {name: secrets.token_urlsafe(TOKEN_BYTES) for name in NAMES if name not in stored}
    if missing:
        stored |= missing
        write_private(path, json.dumps(stored, indent=2) + "\n")
    return stored


def _stored(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise StartProblem(
            f"{path} is damaged: restore it from a backup, it holds the databases' passwords."
        ) from None
    path.chmod(0o600)
    return {str(name): str(value) for name, value in stored.items()}

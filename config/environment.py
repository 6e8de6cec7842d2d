"""Which values does the environment give, and are they legal?"""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """Read a switch; anything but 1/0, true/false or yes/no stops the start-up."""
    raw = text(name).lower()
    if not raw:
        return default
    if raw not in BOOLEANS:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}.")
    return BOOLEANS[raw]


def number(name: str, *, default: int, low: int, high: int) -> int:
    raw = text(name)
    if not raw:
        return default
    if not raw.isdecimal() or not low <= int(raw) <= high:
        raise ImproperlyConfigured(f"{name} must be a number from {low} to {high}, not {raw!r}.")
    return int(raw)


def items(name: str, default: list[str]) -> list[str]:
    raw = text(name)
    return [item.strip() for item in raw.split(",") if item.strip()] if raw else default


def database(url: str) -> dict[str, object]:
    """Turn postgres://user:password@host:port/name into Django's connection fields."""
    parts = urlsplit(url)
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in {"postgres", "postgresql"} or not parts.hostname or not name:
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgres://user:password@host:5432/name."
        )
    return {
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": parts.port or 5432,
    }


def checked_url(name: str, value: str, schemes: set[str]) -> str:
    if urlsplit(value).scheme not in schemes:
        expected = " or ".join(f"{scheme}://" for scheme in sorted(schemes))
        raise ImproperlyConfigured(f"{name} must start with {expected}.")
    return value

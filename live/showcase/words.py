"""Passwords that a person can read from a console and type."""

from __future__ import annotations

import secrets
from pathlib import Path

WORDS = Path(__file__).with_name("words.txt").read_text().split()
WORDS_IN_PASSWORD = 5


def passphrase() -> str:
    """Return words joined by hyphens; about 36 bits, for a demo on loopback."""
    return "-".join(secrets.choice(WORDS) for _ in range(WORDS_IN_PASSWORD))

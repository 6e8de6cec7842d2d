"""The Gantry SDK: signed configuration of a live stream, kept current, for asyncio programs."""

from .client import Change, GantryClient, Options, Shared
from .configuration import JsonValue, Refused, Snapshot

__all__ = ["Change", "GantryClient", "JsonValue", "Options", "Refused", "Shared", "Snapshot"]
__version__ = "0.1.0"

"""What may an app report, and what does one event look like?"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from uuid import UUID

import msgspec
from django.core.exceptions import ImproperlyConfigured
from msgspec import UNSET, Meta, UnsetType

VOCABULARY = Path(__file__).parent / "events.toml"
MAX_PROPERTIES = 20
MAX_NAME = 64
MAX_TEXT = 500
MAX_INTEGER = 10**18
UUID_LENGTH = 36

# Families in the order in which charts stack and colour them.
FAMILIES = MappingProxyType(
    {
        "session": "Sessions",
        "overlay": "Overlays",
        "interaction": "Interactions",
        "promotion": "Promotions",
        "delivery": "Delivery",
        "error": "Errors",
    }
)


@dataclass(frozen=True, kw_only=True)
class EventType:
    name: str
    family: str
    label: str
    help: str


def load_vocabulary(path: Path = VOCABULARY) -> Mapping[str, EventType]:
    """Read the event types; an unknown family or a misspelt field stops the start-up."""
    rows = tomllib.loads(path.read_text())
    try:
        types = {name: EventType(name=name, **row) for name, row in rows.items()}
    except TypeError as error:
        raise ImproperlyConfigured(f"{path.name}: {error}") from error
    strange = [row.name for row in types.values() if row.family not in FAMILIES]
    if strange:
        raise ImproperlyConfigured(f"{path.name}: unknown family in {', '.join(strange)}")
    return MappingProxyType(types)


TYPES = load_vocabulary()

Moment = Annotated[datetime, Meta(tz=True)]
Number = Annotated[int, Meta(gt=-MAX_INTEGER, lt=MAX_INTEGER)]
PropertyValue = Annotated[str, Meta(max_length=MAX_TEXT)] | Number | float | bool
PropertyName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Properties = Annotated[dict[PropertyName, PropertyValue], Meta(max_length=MAX_PROPERTIES)]


class Event(msgspec.Struct, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One thing that happened, as an app reports it.

    `id` and `type` are checked by batches.py: a UUID in its canonical form, a known type. Neither
    the event nor what it holds is followed by the garbage collector, which cost more than reading.
    """

    id: Annotated[str, Meta(min_length=UUID_LENGTH, max_length=UUID_LENGTH)]
    type: str
    at: Moment
    properties: Properties | UnsetType = UNSET


class StoredEvent(msgspec.Struct, kw_only=True, gc=False):
    """An accepted event in the buffer; its properties stay text, since nothing reads them there."""

    id: UUID
    type: str
    at: Moment
    properties: msgspec.Raw = msgspec.Raw(b"{}")


class BatchHeader(msgspec.Struct, kw_only=True):
    """Who sent a batch and what became of it: the first line of a buffered batch.

    The events follow: as the JSON array that was received, or one on each line.
    """

    schema_name: str
    organization: str
    stream: str
    client: str
    key: str
    viewer: int
    session: int
    received_at: datetime
    platform: str = ""
    sdk: str = ""
    country: str = ""
    accepted: int = 0
    duplicate: int = 0
    rejected: dict[str, int] = {}

"""Which events does a body hold, and which of them are refused for what reason?"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from analytics.events import TYPES, UUID_LENGTH, Event, Moment, Properties
from core import strict_json
from core.strict_json import InvalidJSON, TooLarge

MAX_BODY_BYTES = 1_048_576
MAX_EVENTS = 1_000
MAX_EVENT_BYTES = 4_096
MAX_AGE = timedelta(days=7)
MAX_AHEAD = timedelta(minutes=5)
NDJSON = "application/x-ndjson"
UUID_OCTETS = 16
HYPHENS = (8, 13, 18, 23)
SURELY_SMALL = 6  # so many properties of plain ASCII cannot reach MAX_EVENT_BYTES

Known = Callable[[set[str]], set[str]]

_decode_array = msgspec.json.Decoder(list[Event]).decode
_decode_lines = msgspec.json.Decoder(Event).decode_lines
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encoder = msgspec.json.Encoder()
_time_of = attrgetter("at")
_malformed = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class Rejection:
    index: int
    reason: str


@dataclass(kw_only=True)
class Batch:
    """The events of one body, sorted into new, known and refused; `text` is the new as JSON."""

    events: list[Event] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    text: bytes = b""
    duplicate: int = 0
    rejected: list[Rejection] = field(default_factory=list)


class _Refused(Exception):
    """This event is refused; its argument is the reason."""


def read_batch(
    body: bytes, *, content_type: str, content_encoding: str, known: Known, at: datetime
) -> Batch:
    """Inflate, parse and check a body; raises InvalidJSON or TooLarge for the whole of it.

    `known(ids)` returns those of the ids that were accepted before.
    """
    text = inflate(body, content_encoding)
    ndjson = content_type.partition(";")[0].strip().lower() == NDJSON
    clean = _read_clean(text, ndjson, at)
    if clean is not None and not known(clean.ids):
        return clean
    values = _parse(text, ndjson)
    return _sort(values, known(_ids_of(values)), at)


def inflate(body: bytes, content_encoding: str) -> bytes:
    """Return the plain body; stops inflating at the limit, so a bomb costs one megabyte."""
    encoding = content_encoding.strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise InvalidJSON("Only gzip is understood as Content-Encoding.")
    _check_size(body)
    if encoding != "gzip":
        return body
    machine = zlib.decompressobj(wbits=31)
    try:
        text = machine.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise InvalidJSON("The body is not gzip.") from error
    _check_size(text)
    if not machine.eof or machine.unused_data:
        raise InvalidJSON("The gzip body is cut off or followed by something else.")
    return text


def _check_size(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"A batch may have {MAX_BODY_BYTES} bytes, before and after inflation.")


def _read_clean(text: bytes, ndjson: bool, at: datetime) -> Batch | None:
    """Accept a batch without any blemish as it is; None sends it the careful way."""
    if b"\\" in text:
        return None
    try:
        events: list[Event] = _decode_lines(text) if ndjson else _decode_array(text)
    except _malformed:
        return None
    if not events or len(events) > MAX_EVENTS:
        return None
    each_id = [event.id for event in events]
    ids = set(each_id)
    clean = (
        len(ids) == len(events)
        and _are_canonical_ids(each_id)
        and {event.type for event in events} <= TYPES.keys()
        and min(map(_time_of, events)) >= at - MAX_AGE
        and max(map(_time_of, events)) <= at + MAX_AHEAD
        and _are_told_once_and_small(text, events)
    )
    return Batch(events=events, ids=ids, text=text) if clean else None


def _are_told_once_and_small(text: bytes, events: list[Event]) -> bool:
    """Tell whether no object has a key twice (of which reading keeps the last) and none is large.

    Where nothing is escaped, every string stands between two quotation marks. Three fields with
    texts as values are known to be there, `properties` and what is in them are counted.
    """
    bags = [event.properties for event in events if event.properties is not UNSET]
    sizes = list(map(len, bags))
    kinds = list(map(type, chain.from_iterable(map(dict.values, bags))))
    strings = 6 * len(events) + len(bags) + sum(sizes) + kinds.count(str)
    if text.count(b'"') != 2 * strings:
        return False
    if max(sizes, default=0) <= SURELY_SMALL and text.isascii():
        return True
    return max(len(_encoder.encode(event)) for event in events) <= MAX_EVENT_BYTES


def _are_canonical_ids(ids: list[str]) -> bool:
    """Check ids of 36 characters all at once: hyphens in their places, lower-case hex elsewhere."""
    joined = "".join(ids)
    hyphens = "-" * len(ids)
    if any(joined[place::UUID_LENGTH] != hyphens for place in HYPHENS):
        return False
    digits = joined.replace("-", "")
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        return False
    return len(octets) == UUID_OCTETS * len(ids) and octets.hex() == digits


def _parse(text: bytes, ndjson: bool) -> list[Any]:
    """Parse strictly; one broken event makes the whole body broken."""
    try:
        parts = text.splitlines() if ndjson else _decode_raw(text)
    except _malformed as error:
        raise InvalidJSON("The body is not a JSON array of events.") from error
    texts = [bytes(part) for part in parts if not ndjson or part.strip()]
    if len(texts) > MAX_EVENTS:
        raise InvalidJSON(f"A batch may have {MAX_EVENTS} events; this one has {len(texts)}.")
    return [strict_json.loads(part, max_bytes=MAX_BODY_BYTES) for part in texts]


def _ids_of(values: list[Any]) -> set[str]:
    found: set[str] = set()
    for value in values:
        try:
            found.add(_id_of(value if isinstance(value, dict) else {}))
        except _Refused:
            continue
    return found


def _sort(values: list[Any], known: set[str], at: datetime) -> Batch:
    batch = Batch()
    for index, value in enumerate(values):
        try:
            event = _event_of(value, at)
        except _Refused as refusal:
            batch.rejected.append(Rejection(index=index, reason=str(refusal)))
            continue
        if event.id in known or event.id in batch.ids:
            batch.duplicate += 1
        else:
            batch.ids.add(event.id)
            batch.events.append(event)
    batch.text = _encoder.encode(batch.events)
    return batch


def _event_of(value: Any, at: datetime) -> Event:
    if not isinstance(value, dict):
        raise _Refused("not-an-object")
    if len(_encoder.encode(value)) > MAX_EVENT_BYTES:
        raise _Refused("too-large")
    event = Event(id=_id_of(value), type=_type_of(value), at=_moment_of(value, at))
    if "properties" in value:
        event.properties = _field(value, "properties", Properties)
    return event


def _id_of(value: dict[str, Any]) -> str:
    """Return the id in its canonical form, so that another spelling is the same event."""
    return str(_field(value, "id", UUID))


def _type_of(value: dict[str, Any]) -> str:
    name = value.get("type")
    if not isinstance(name, str) or name not in TYPES:
        raise _Refused("unknown-type")
    return name


def _moment_of(value: dict[str, Any], at: datetime) -> datetime:
    moment: datetime = _field(value, "at", Moment)
    if moment < at - MAX_AGE:
        raise _Refused("too-old")
    if moment > at + MAX_AHEAD:
        raise _Refused("in-future")
    return moment


def _field(value: dict[str, Any], name: str, kind: Any) -> Any:
    try:
        return msgspec.convert(value.get(name), kind)
    except msgspec.ValidationError:
        raise _Refused(f"invalid-{name}") from None

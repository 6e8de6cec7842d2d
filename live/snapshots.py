"""What does one client on one stream get, as signed bytes ready to send?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from live.protocol import Wire, config_text
from sdk_keys import tokens
from sdk_keys.signing import KeyRing
from settings_hierarchy.resolution import delta

ETAG_DIGITS = 16

JSONObject = dict[str, Any]
Header = tuple[bytes, bytes]

CORS_HEADERS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Config-JWS, Config-Stale, Retry-After"),
)
CACHE_HEADERS: tuple[Header, ...] = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Accept, Authorization"),
)


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A snapshot before it is signed; `head` is the organization's version it is known good at."""

    stream: str
    client: str
    version: int
    head: int
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The settings of one client on one stream at one version, signed."""

    version: int
    payload: bytes
    jws: str
    kid: str

    @property
    def settings(self) -> JSONObject:
        settings: JSONObject = self.document["settings"]
        return settings

    @property
    def document(self) -> JSONObject:
        document: JSONObject = msgspec.json.decode(self.payload)
        return document


def sign(resolved: Resolved, *, ring: KeyRing, at: datetime) -> Snapshot:
    return Snapshot(
        version=resolved.version,
        payload=resolved.payload,
        jws=tokens.sign_config(resolved.payload, ring=ring, at=at),
        kid=ring.signer(at).kid,
    )


def delta_text(old: Snapshot, new: Snapshot, *, ring: KeyRing, at: datetime) -> str:
    """Return the config frame that leads from one snapshot to a later one."""
    assert old.version < new.version, "versions never go backwards"
    document = new.document
    step = delta(old.settings, document["settings"])
    return _frame(document, old.version, step.changes, step.removed, ring, at)


def whole_text(snapshot: Snapshot, *, ring: KeyRing, at: datetime) -> str:
    """Return the config frame that replaces whatever a client holds."""
    document = snapshot.document
    return _frame(document, 0, document["settings"], [], ring, at)


def _frame(
    document: JSONObject,
    base: int,
    changes: Mapping[str, Any],
    removed: list[str],
    ring: KeyRing,
    at: datetime,
) -> str:
    payload = {
        "organization": document["organization"],
        "stream": document["stream"],
        "client": document["client"],
        "base": base,
        "version": document["version"],
        "published_at": document["published_at"],
        "changes": changes,
        "removed": removed,
    }
    jws = tokens.sign_config(msgspec.json.encode(payload), ring=ring, at=at)
    return config_text(base, document["version"], jws)


@dataclass(frozen=True, slots=True)
class Answer:
    """One prepared HTTP answer and its 304, as ASGI messages and as the bytes of HTTP/1.1."""

    etag: bytes
    start: JSONObject
    body: JSONObject
    not_modified: JSONObject
    wire: bytes
    wire_not_modified: bytes


EMPTY_BODY: JSONObject = {"type": "http.response.body", "body": b""}


@dataclass(frozen=True, slots=True)
class Answers:
    """Both representations of a snapshot, ready to be sent."""

    json: Answer
    jose: Answer
    version: int
    stale: bool = field(default=False)


def answers_of(snapshot: Snapshot, *, stale: bool) -> Answers:
    """Prepare every byte of the answers to `GET /sdk/v1/config`."""
    digest = hashlib.sha256(snapshot.payload).hexdigest()[:ETAG_DIGITS]
    tag = f"{snapshot.version}-{digest}"
    extra: tuple[Header, ...] = ((b"config-stale", b"1"),) if stale else ()
    signature = (b"config-jws", tokens.detached(snapshot.jws).encode())
    return Answers(
        json=_answer(
            f'"{tag}"'.encode(), b"application/json", snapshot.payload, (signature, *extra)
        ),
        jose=_answer(f'"{tag}-jose"'.encode(), b"application/jose", snapshot.jws.encode(), extra),
        version=snapshot.version,
        stale=stale,
    )


def _answer(etag: bytes, content_type: bytes, content: bytes, extra: tuple[Header, ...]) -> Answer:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(content)).encode()),
        (b"etag", etag),
        *extra,
        *CACHE_HEADERS,
        *CORS_HEADERS,
    ]
    return Answer(
        etag=etag,
        start={"type": "http.response.start", "status": 200, "headers": headers},
        body={"type": "http.response.body", "body": content},
        not_modified={"type": "http.response.start", "status": 304, "headers": headers[2:]},
        wire=_lines(headers) + content,
        wire_not_modified=_lines(headers[2:]),
    )


def _lines(headers: list[Header]) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n"


class Frames:
    """The socket frames of one snapshot, each signed and encoded when first needed."""

    __slots__ = ("_steps", "_whole", "snapshot")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._steps: dict[int, Wire] = {}
        self._whole: Wire | None = None

    def add_step(self, base: int, wire: Wire) -> None:
        self._steps[base] = wire

    def leading_from(self, version: int, *, ring: KeyRing, at: datetime) -> Wire:
        """Return the frame that takes a client from its version to this snapshot."""
        step = self._steps.get(version)
        if step is not None:
            return step
        if self._whole is None:
            self._whole = Wire(whole_text(self.snapshot, ring=ring, at=at))
        return self._whole

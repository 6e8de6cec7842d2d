"""What do the two ends of a socket say to each other? Limits, frames and how a socket ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

SUBPROTOCOL: Final = "gantry.v1"
TOKEN_SUBPROTOCOL: Final = "bearer."  # noqa: S105  a prefix, not a secret
HEARTBEAT_S: Final = 25
SILENCE_S: Final = 2.5 * HEARTBEAT_S
HELLO_TIMEOUT_S: Final = 10
RECONNECT_SPREAD_MS_PER_SOCKET: Final = 2
MIN_RECONNECT_SPREAD_MS: Final = 1000
MAX_INBOUND_BYTES: Final = 65_536
MAX_INBOUND_A_MINUTE: Final = 100
MAX_WAITING_BYTES: Final = 262_144
CALM_WAITING_BYTES: Final = 65_536
MAX_OVERRIDDEN: Final = 100
MAX_VERSION: Final = 2**53 - 1
MAX_SDK_TEXT: Final = 64


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why the server closes: the `bye` code for programs and the close code for browsers."""

    code: str
    close_code: int
    retry_after_ms: int = 0


BAD_FRAME = Ending(code="bad-frame", close_code=4400, retry_after_ms=1000)
INVALID_TOKEN = Ending(code="invalid-token", close_code=4401)
EXPIRED = Ending(code="expired", close_code=4401)
REVOKED = Ending(code="revoked", close_code=4403)
SUSPENDED = Ending(code="suspended", close_code=4403)
CLIENT_DISABLED = Ending(code="client-disabled", close_code=4403)
STREAM_NOT_OPEN = Ending(code="stream-not-open", close_code=4403)
WRONG_ORIGIN = Ending(code="wrong-origin", close_code=4403)
UNKNOWN_STREAM = Ending(code="unknown-stream", close_code=4404)
HELLO_TIMEOUT = Ending(code="hello-timeout", close_code=4408, retry_after_ms=1000)
SLOW = Ending(code="slow", close_code=4409, retry_after_ms=1000)
TOO_LARGE = Ending(code="too-large", close_code=4413, retry_after_ms=1000)
TOO_MANY = Ending(code="too-many-messages", close_code=4429, retry_after_ms=60_000)
UNAVAILABLE = Ending(code="restart", close_code=1012, retry_after_ms=2000)


def restart(retry_after_ms: int) -> Ending:
    return Ending(code="restart", close_code=1012, retry_after_ms=retry_after_ms)


class BadFrame(ValueError):
    """A frame that is not JSON or has no known shape."""


Version = Annotated[int, msgspec.Meta(ge=0, le=MAX_VERSION)]
SdkText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SDK_TEXT)]


class Sdk(msgspec.Struct, frozen=True):
    name: SdkText
    version: SdkText


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    version: Version
    sdk: Sdk | None = None


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    version: Version
    applied_in_ms: Annotated[float, msgspec.Meta(ge=0)]
    overridden: Annotated[list[str], msgspec.Meta(max_length=MAX_OVERRIDDEN)]


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    pass


class _AnyFrame(msgspec.Struct, frozen=True):
    type: str


Inbound = Hello | Ack | Pong
_KNOWN = {"hello", "ack", "pong"}
_inbound = msgspec.json.Decoder(Inbound)
_any_frame = msgspec.json.Decoder(_AnyFrame)


def read_frame(text: str) -> Inbound | None:
    """Return what a client said; None for a type of the future; raises BadFrame."""
    try:
        frame: Inbound = _inbound.decode(text)
        return frame
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        if not isinstance(error, msgspec.ValidationError):
            raise BadFrame(str(error)) from error
    try:
        other = _any_frame.decode(text)
    except msgspec.ValidationError as error:
        raise BadFrame(str(error)) from error
    if other.type in _KNOWN:
        raise BadFrame(f"a {other.type} frame lacks a field or has one of the wrong type")
    return None


class Wire:
    """A text frame encoded once: as text, and as the bytes of an unmasked WebSocket frame."""

    __slots__ = ("data", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        body = text.encode()
        self.data = _frame_head(len(body)) + body


def _frame_head(length: int) -> bytes:
    if length < 126:
        return bytes((0x81, length))
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


def hello_wire(version: int, spread_ms: int) -> Wire:
    return Wire(
        f'{{"type":"hello","version":{version},"heartbeat_s":{HEARTBEAT_S},'
        f'"reconnect_spread_ms":{spread_ms}}}'
    )


def config_text(base: int, version: int, jws: str) -> str:
    return f'{{"type":"config","base":{base},"version":{version},"jws":"{jws}"}}'


def current_wire(version: int) -> Wire:
    return Wire(f'{{"type":"current","version":{version}}}')


def ping_wire(version: int) -> Wire:
    return Wire(f'{{"type":"ping","version":{version}}}')


def bye_wire(ending: Ending) -> Wire:
    frame: dict[str, object] = {"type": "bye", "code": ending.code}
    if ending.retry_after_ms:
        frame["retry_after_ms"] = ending.retry_after_ms
    return Wire(json.dumps(frame, separators=(",", ":")))


def base_of(config: str) -> int:
    """Return the base of a config frame that this server wrote."""
    base: int = json.loads(config)["base"]
    return base

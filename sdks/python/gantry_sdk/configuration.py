"""Which signed bytes may change what a client holds? (docs/sdk-protocol.md section 2)"""

import base64
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
Kind = TypeVar("Kind")

MAX_VERSION = 2**53 - 1
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class Refused(Exception):
    """Signed bytes that may not change what is held; `reason` is a word of section 2.3."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The resolved settings of one client on one stream at one version."""

    organization: str
    stream: str
    client: str
    version: int
    published_at: str
    settings: Mapping[str, JsonValue]


def decode_base64url(text: str) -> bytes:
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise Refused("malformed", "not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parse_object(raw: bytes | str) -> JsonObject:
    try:
        value: JsonValue = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("malformed", "not JSON") from error
    if not isinstance(value, dict):
        raise Refused("malformed", "not a JSON object")
    return value


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is not JSON")


def key_id(jws: str) -> str:
    """Return the `kid` of a compact JWS whose header is one we speak."""
    if jws.count(".") != 2:
        raise Refused("malformed", "a compact JWS has three parts")
    match parse_object(decode_base64url(jws.split(".")[0])):
        case {"alg": "EdDSA", "typ": "gantry-config+jws", "kid": str(kid), **rest} if (
            "crit" not in rest
        ):
            return kid
    raise Refused("malformed", "not a Gantry configuration JWS")


def verified_payload(jws: str, key: Ed25519PublicKey) -> JsonObject:
    signed, _, signature = jws.rpartition(".")
    try:
        key.verify(decode_base64url(signature), signed.encode("ascii"))
    except (InvalidSignature, UnicodeEncodeError) as error:
        raise Refused("bad-signature", "the signature does not fit the bytes") from error
    return parse_object(decode_base64url(signed.partition(".")[2]))


def public_keys(jwks: Mapping[str, JsonValue]) -> dict[str, Ed25519PublicKey]:
    """Return the usable keys of a JWKS by `kid`; other entries are skipped."""
    keys = {}
    entries = jwks.get("keys")
    for entry in entries if isinstance(entries, list) else []:
        match entry:
            case {"kty": "OKP", "crv": "Ed25519", "kid": str(kid), "x": str(x), **rest} if (
                rest.get("use", "sig") == "sig"
            ):
                with contextlib.suppress(Refused, ValueError):
                    keys[kid] = Ed25519PublicKey.from_public_bytes(decode_base64url(x))
    return keys


def field_of(payload: JsonObject, name: str, kind: type[Kind]) -> Kind:
    value = payload.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):  # to Python a boolean is an int
        raise Refused("malformed", f"{name} is missing or of another type")
    return value


def advanced(held: Snapshot | None, payload: JsonObject, *, stream: str) -> Snapshot:
    """Return what is held after a verified payload (snapshot or delta), or raise Refused."""
    is_delta = "base" in payload
    base = field_of(payload, "base", int) if is_delta else 0
    removed = field_of({"removed": [], **payload}, "removed", list) if is_delta else []
    after = Snapshot(
        organization=field_of(payload, "organization", str),
        stream=field_of(payload, "stream", str),
        client=field_of(payload, "client", str),
        version=field_of(payload, "version", int),
        published_at=field_of(payload, "published_at", str),
        settings=field_of(payload, "changes" if is_delta else "settings", dict),
    )
    if not 0 <= base < after.version <= MAX_VERSION:
        raise Refused("malformed", "a version out of range, or a delta that does not advance")
    _check_place(held, after, base, stream)
    if base == 0 or held is None:
        return after
    kept = {key: value for key, value in held.settings.items() if key not in removed}
    return replace(after, settings={**kept, **after.settings})


def _check_place(held: Snapshot | None, after: Snapshot, base: int, stream: str) -> None:
    """Refuse what belongs to another identity, or does not follow what is held."""
    owner = (held.organization, held.client) if held else (after.organization, after.client)
    if (*owner, stream) != (after.organization, after.client, after.stream):
        raise Refused("foreign", f"for {after.client} of {after.organization} on {after.stream}")
    version = held.version if held else 0
    if after.version < version or (base and after.version == version):
        raise Refused("older", f"version {after.version}, held {version}")
    if base and base != version:
        raise Refused("gap", f"based on {base}, held {version}")

"""Which signed bytes may change what a client holds? (docs/sdk-protocol.md section 2)"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

JWS_TYPE = "gantry-config+jws"
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
    if not _BASE64URL.fullmatch(text):
        raise Refused("malformed", "not base64url")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise Refused("malformed", "not base64url") from error


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
    header = parse_object(decode_base64url(jws.split(".")[0]))
    kid = header.get("kid")
    known = header.get("alg") == "EdDSA" and header.get("typ") == JWS_TYPE and "crit" not in header
    if not known or not isinstance(kid, str):
        raise Refused("malformed", "not a Gantry configuration JWS")
    return kid


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
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        kid, x = entry.get("kid"), entry.get("x")
        ed25519 = entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519"
        if ed25519 and isinstance(kid, str) and isinstance(x, str):
            try:
                keys[kid] = Ed25519PublicKey.from_public_bytes(decode_base64url(x))
            except (Refused, ValueError):
                continue
    return keys


def advanced(held: Snapshot | None, payload: JsonObject, *, stream: str) -> Snapshot:
    """Return what is held after a verified payload (snapshot or delta), or raise Refused."""
    base = _version(payload, "base", least=0) if "base" in payload else 0
    settings = _object(payload, "changes" if "base" in payload else "settings")
    removed = payload.get("removed", []) if "base" in payload else []
    if not isinstance(removed, list):
        raise Refused("malformed", "removed is not a list")
    after = Snapshot(
        organization=_text(payload, "organization"),
        stream=_text(payload, "stream"),
        client=_text(payload, "client"),
        version=_version(payload, "version", least=1),
        published_at=_text(payload, "published_at"),
        settings=settings,
    )
    _check_identity(held, after, stream)
    _check_order(held, after, base)
    if base == 0 or held is None:
        return after
    kept = {key: value for key, value in held.settings.items() if key not in removed}
    return Snapshot(**{**vars(after), "settings": {**kept, **settings}})


def _check_identity(held: Snapshot | None, after: Snapshot, stream: str) -> None:
    if after.stream != stream:
        raise Refused("foreign", f"for stream {after.stream}")
    if held and (held.organization, held.client) != (after.organization, after.client):
        raise Refused("foreign", f"for {after.client} of {after.organization}")


def _check_order(held: Snapshot | None, after: Snapshot, base: int) -> None:
    version = held.version if held else 0
    if base and after.version <= base:
        raise Refused("malformed", "a delta that does not advance")
    if after.version < version or (base and after.version == version):
        raise Refused("older", f"version {after.version}, held {version}")
    if base and base != version:
        raise Refused("gap", f"based on {base}, held {version}")


def _version(payload: JsonObject, name: str, *, least: int) -> int:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_VERSION:
        raise Refused("malformed", f"{name} is not a version")
    return value


def _text(payload: JsonObject, name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise Refused("malformed", f"{name} is not a string")
    return value


def _object(payload: JsonObject, name: str) -> JsonObject:
    value = payload.get(name)
    if not isinstance(value, dict):
        raise Refused("malformed", f"{name} is not an object")
    return value

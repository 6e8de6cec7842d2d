"""Which Ed25519 keys sign and verify right now, and how does a new one take over?

A key is published before it signs and stays published after it stopped, so no verifier ever meets
a signature whose key it could not have fetched.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from core.tenancy import public_context
from sdk_keys.models import SigningKey

logger = logging.getLogger(__name__)

PUBLISHED_BEFORE = timedelta(minutes=10)
VERIFIES_AFTER = timedelta(days=30)
RING_LIFETIME = timedelta(seconds=60)
NONCE_BYTES = 12
CREATION_LOCK = 7_302_114  # any number that nobody else locks


class NoSigningKey(RuntimeError):
    """No key may sign at this moment, or none was read yet in this process."""


@dataclass(frozen=True, kw_only=True)
class Signer:
    kid: str
    private: Ed25519PrivateKey
    active_from: datetime


@dataclass(frozen=True, kw_only=True)
class Verifier:
    public: Ed25519PublicKey
    retired_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """The keys of one moment, ready for use without the database."""

    read_at: datetime
    signers: tuple[Signer, ...]  # the latest `active_from` first
    verifiers: Mapping[str, Verifier]
    jwks: bytes

    def signer(self, at: datetime) -> Signer:
        """Return the key that signs now, or raise NoSigningKey."""
        for each in self.signers:
            if each.active_from <= at:
                return each
        raise NoSigningKey("no signing key is active yet")

    def verifier(self, kid: str, at: datetime) -> Ed25519PublicKey | None:
        found = self.verifiers.get(kid)
        if found is None or (found.retired_at is not None and found.retired_at <= at):
            return None
        return found.public


_ring: KeyRing | None = None


def key_ring(at: datetime) -> KeyRing:
    """Return the ring, reading it from the database when it is old; makes the very first key."""
    if _ring is None or at - _ring.read_at > RING_LIFETIME:
        return refresh_ring(at)
    return _ring


def known_ring() -> KeyRing:
    """Return the ring this process already holds: the way for code that may not wait."""
    if _ring is None:
        raise NoSigningKey("the signing keys were not read yet")
    return _ring


def refresh_ring(at: datetime) -> KeyRing:
    """Read every published key; a database without a usable one gets its first."""
    global _ring
    with public_context():
        ring = _read(at)
        if not ring.signers:
            _create_first(at)
            ring = _read(at)
    _ring = ring
    return ring


def rotate(*, at: datetime, compromised: bool = False) -> SigningKey:
    """Publish a new key that signs ten minutes later; the others verify for thirty days more.

    After a compromise the new key signs at once and the others are withdrawn at once.
    """
    with public_context(), transaction.atomic():
        _lock()
        active_from = at if compromised else at + PUBLISHED_BEFORE
        retired_at = at if compromised else active_from + VERIFIES_AFTER
        trusted = SigningKey.objects.filter(Q(retired_at__isnull=True) | Q(retired_at__gt=at))
        if not compromised:
            trusted = trusted.filter(retired_at__isnull=True)
        trusted.update(retired_at=retired_at)
        created = _create(active_from)
    logger.info("sdk_keys.signing_key.rotated kid=%s compromised=%s", created.kid, compromised)
    return created


def _read(at: datetime) -> KeyRing:
    rows = SigningKey.objects.filter(Q(retired_at__isnull=True) | Q(retired_at__gt=at))
    signers: list[Signer] = []
    verifiers: dict[str, Verifier] = {}
    for row in rows.order_by("-active_from", "-pk"):
        public = Ed25519PublicKey.from_public_bytes(_from_base64url(row.public_jwk["x"]))
        verifiers[row.kid] = Verifier(public=public, retired_at=row.retired_at)
        private = _decrypt(row)
        if private is not None:
            signers.append(Signer(kid=row.kid, private=private, active_from=row.active_from))
    jwks = {"keys": [row.public_jwk for row in rows]}
    return KeyRing(
        read_at=at,
        signers=tuple(signers),
        verifiers=verifiers,
        jwks=json.dumps(jwks, separators=(",", ":")).encode(),
    )


def _create_first(at: datetime) -> None:
    with transaction.atomic():
        _lock()
        if not _read(at).signers:
            _create(at)


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CREATION_LOCK])


def _create(active_from: datetime) -> SigningKey:
    private = Ed25519PrivateKey.generate()
    kid = f"{active_from:%Y-%m-%d}-{secrets.token_hex(4)}"
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": kid,
        "use": "sig",
        "alg": "EdDSA",
        "x": _to_base64url(private.public_key().public_bytes_raw()),
    }
    return SigningKey.objects.create(
        kid=kid,
        public_jwk=jwk,
        private_encrypted=_encrypt(kid, private),
        active_from=active_from,
    )


def _encrypt(kid: str, private: Ed25519PrivateKey) -> str:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = _cipher().encrypt(nonce, private.private_bytes_raw(), kid.encode())
    return base64.b64encode(nonce + sealed).decode()


def _decrypt(row: SigningKey) -> Ed25519PrivateKey | None:
    """Return the private half; None when SECRET_KEY changed since, then the key only verifies."""
    sealed = base64.b64decode(row.private_encrypted)
    try:
        raw = _cipher().decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row.kid.encode())
    except InvalidTag:
        logger.warning("sdk_keys.signing_key.unreadable kid=%s", row.kid)
        return None
    return Ed25519PrivateKey.from_private_bytes(raw)


def _cipher() -> AESGCM:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"gantry signing keys")
    return AESGCM(derived.derive(settings.SECRET_KEY.encode()))


def _to_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

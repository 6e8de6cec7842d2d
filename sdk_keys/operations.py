"""What can be done to an SDK key? Its row is public, its audit row the organization's: one commit."""

from __future__ import annotations

import hashlib
import secrets
import string
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core import audit, push
from core.audit import Actor, Target
from core.errors import DomainError, NotFound
from sdk_keys.models import SdkKey
from sdk_keys.queries import usable_keys
from streams.models import Client, Platform
from streams.platforms import PLATFORMS
from streams.validation import (
    bundle_ids_problem,
    checked_origins,
    refuse,
)
from tenants.models import Organization

ALPHABET = string.ascii_letters + string.digits
ID_LENGTH = 12
SECRET_LENGTH = 32  # 190 bits
MAX_NAME = 80
MAX_USABLE_KEYS = 20
LONGEST_LIFE = timedelta(days=3650)
OVERLAPS = {
    "now": timedelta(0),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}


@dataclass(frozen=True, kw_only=True)
class KeyFields:
    """What a person chooses for a key; empty origins and ids mean those of the client."""

    name: str
    kind: str
    expires_at: datetime | None = None
    origins: tuple[str, ...] = ()
    bundle_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IssuedKey:
    """A new key with its full text, which exists here and nowhere else."""

    key: SdkKey
    text: str

    def __repr__(self) -> str:
        return f"IssuedKey({self.key.public_id})"


class KeyNotUsable(DomainError):
    slug = "key-not-usable"
    status = 409
    title = "Key is not in force"


class TooManyKeys(DomainError):
    slug = "too-many-keys"
    status = 409
    title = "Too many keys"


class ClientNotAvailable(DomainError):
    slug = "client-archived"
    status = 409
    title = "Client is archived"


def create_key(
    *, organization: Organization, client: Client, fields: KeyFields, actor: Actor, at: datetime
) -> IssuedKey:
    """Make a key of this client and return its text, once.

    Raises InvalidFields, TooManyKeys, or ClientNotAvailable for an archived client.
    """
    fields = _checked(fields, client.platform, at)
    with transaction.atomic():
        _check_room(organization, client, at)
        issued = _issue(organization, client.slug, fields, actor, at)
        _record("key.create", issued.key, actor, at, after=state_of(issued.key))
    return issued


def rotate_key(
    *, key: SdkKey, overlap: str, expires_at: datetime | None, actor: Actor, at: datetime
) -> IssuedKey:
    """Make a successor and end the old key after the overlap (a name in OVERLAPS).

    An end that is already sooner stays. Without overlap the old key is revoked at once. Raises
    KeyNotUsable when the old key is over, InvalidFields when overlap or expiry are not legal.
    """
    refuse(
        [
            ("overlap", "" if overlap in OVERLAPS else "Choose now, 1h, 24h or 7d."),
            ("expires_at", _expiry_problem(expires_at, at)),
        ]
    )
    with transaction.atomic():
        old = _locked(key)
        if not old.is_usable(at):
            raise KeyNotUsable("This key is no longer in force. Create a new one instead.")
        issued = _issue(old.organization, old.client_slug, _heir(old, expires_at), actor, at, old)
        before = state_of(old)
        _end(old, OVERLAPS[overlap], at)
        after = state_of(old) | {"replaced_by": issued.key.public_id}
        _record("key.rotate", old, actor, at, before=before, after=after)
        _record("key.create", issued.key, actor, at, after=state_of(issued.key))
    return issued


def revoke_key(*, key: SdkKey, actor: Actor, at: datetime, comment: str = "") -> SdkKey:
    """Refuse the key from now on and close its sockets; revoking twice does nothing."""
    with transaction.atomic():
        row = _locked(key)
        if row.revoked_at is not None:
            return row
        before = state_of(row)
        _revoke(row, at)
        _record(
            "key.revoke", row, actor, at, before=before, after=state_of(row), comment=comment[:500]
        )
    return row


def state_of(key: SdkKey) -> dict[str, Any]:
    """Return what the audit trail keeps of a key: never its secret nor the hash of it."""
    return {
        "client": key.client_slug,
        "name": key.name,
        "kind": key.kind,
        "origins": list(key.origins),
        "bundle_ids": list(key.bundle_ids),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def _checked(fields: KeyFields, platform: str, at: datetime) -> KeyFields:
    name = " ".join(fields.name.split())
    origins, origins_problem = checked_origins(fields.origins)
    rules = PLATFORMS[Platform(platform)]
    if fields.origins and not rules.has_origins:
        origins_problem = f"A {rules.label} client has no origins."
    refuse(
        [
            ("name", "" if 0 < len(name) <= MAX_NAME else f"Give it 1 to {MAX_NAME} characters."),
            ("kind", "" if fields.kind in SdkKey.Kind.values else "Choose publishable or secret."),
            ("expires_at", _expiry_problem(fields.expires_at, at)),
            ("origins", origins_problem),
            ("bundle_ids", bundle_ids_problem(fields.bundle_ids, platform)),
        ]
    )
    return replace(fields, name=name, origins=origins)


def _expiry_problem(expires_at: datetime | None, at: datetime) -> str:
    if expires_at is None:
        return ""
    if expires_at <= at:
        return "Choose a time in the future."
    return "" if expires_at <= at + LONGEST_LIFE else "Choose a time within ten years."


def _check_room(organization: Organization, client: Client, at: datetime) -> None:
    if client.archived_at is not None:
        raise ClientNotAvailable("This client is archived. Restore it before making keys.")
    if usable_keys(organization, client.slug, at).count() >= MAX_USABLE_KEYS:
        raise TooManyKeys(
            f"This client has {MAX_USABLE_KEYS} keys in force. Revoke one that is not used."
        )


def _heir(old: SdkKey, expires_at: datetime | None) -> KeyFields:
    return KeyFields(
        name=old.name,
        kind=old.kind,
        expires_at=expires_at,
        origins=tuple(old.origins),
        bundle_ids=tuple(old.bundle_ids),
    )


def _issue(
    organization: Organization,
    client_slug: str,
    fields: KeyFields,
    actor: Actor,
    at: datetime,
    rotated_from: SdkKey | None = None,
) -> IssuedKey:
    public_id, secret = _random(ID_LENGTH), _random(SECRET_LENGTH)
    key = SdkKey.objects.create(
        organization=organization,
        client_slug=client_slug,
        name=fields.name,
        kind=fields.kind,
        public_id=public_id,
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        origins=list(fields.origins),
        bundle_ids=list(fields.bundle_ids),
        expires_at=fields.expires_at,
        created_at=at,
        created_by_label=actor.label,
        rotated_from=rotated_from,
    )
    return IssuedKey(key=key, text=f"gk_{fields.kind}_{public_id}_{secret}")


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _end(old: SdkKey, overlap: timedelta, at: datetime) -> None:
    if not overlap:
        _revoke(old, at)
    elif old.expires_at is None or old.expires_at > at + overlap:
        old.expires_at = at + overlap
        old.save(update_fields=["expires_at"])


def _revoke(row: SdkKey, at: datetime) -> None:
    row.revoked_at = at
    row.save(update_fields=["revoked_at"])
    push.enqueue("revoke", {"key": row.public_id})


def _locked(key: SdkKey) -> SdkKey:
    rows = SdkKey.objects.select_for_update(of=("self",)).select_related("organization")
    row = rows.filter(pk=key.pk).first()
    if row is None:
        raise NotFound("This key does not exist.")
    return row


def _record(action: str, key: SdkKey, actor: Actor, at: datetime, **changes: Any) -> None:
    target = Target(type="key", id=key.public_id, label=f"{key.name} of {key.client_slug}")
    audit.record(action=action, actor=actor, target=target, at=at, **changes)

"""What can be done to a client, the application through which viewers watch?"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from core import audit, push
from core.audit import Actor, Target
from core.errors import DomainError, NotFound
from streams.models import Client
from streams.operations import check_version
from streams.validation import (
    ClientFields,
    InvalidFields,
    checked_client,
    refuse,
    slug_problem,
)


class ClientArchived(DomainError):
    slug = "client-archived"
    status = 409
    title = "Client is archived"


def create_client(
    *, fields: ClientFields, slug: str, platform: str, actor: Actor, at: datetime
) -> Client:
    """Make a client; its slug and its platform never change. Raises InvalidFields."""
    fields = checked_client(fields, platform)
    refuse([("slug", slug_problem(slug))])
    client = Client(slug=slug, platform=platform, created_at=at)
    _assign(client, fields)
    with transaction.atomic():
        try:
            with transaction.atomic():
                client.save()
        except IntegrityError as error:
            raise InvalidFields([("slug", "Another client has this slug.")]) from error
        _record("client.create", client, actor, at, after=state_of(client))
    return client


def update_client(
    *, client: Client, fields: ClientFields, based_on: int | None, actor: Actor, at: datetime
) -> Client:
    """Replace name and identifiers of the version the person saw (None: whatever it is now).

    Saving equal fields does nothing. Raises InvalidFields, StaleVersion or ClientArchived.
    """
    fields = checked_client(fields, client.platform)
    with transaction.atomic():
        row = _locked(client)
        check_version(row.version, based_on, target=target_of(row))
        if fields == ClientFields.of(row):
            return row
        if row.archived_at:
            raise ClientArchived("This client is archived. Restore it before changing it.")
        before = state_of(row)
        _assign(row, fields)
        _changed("client.update", row, actor, at, before)
    return row


def disable_client(*, client: Client, actor: Actor, at: datetime) -> Client:
    """Refuse its SDKs from now on and close the connected ones; they keep their settings."""
    return _set_status(client, "client.disable", actor, at, disabled_at=at)


def enable_client(*, client: Client, actor: Actor, at: datetime) -> Client:
    """Let the SDKs of a disabled client in again. Raises ClientArchived."""
    if client.archived_at:
        raise ClientArchived("This client is archived. Restore it first.")
    return _set_status(client, "client.enable", actor, at, disabled_at=None)


def archive_client(*, client: Client, actor: Actor, at: datetime) -> Client:
    """Take it out of the lists and refuse its SDKs; restoring brings everything back."""
    return _set_status(client, "client.archive", actor, at, archived_at=at)


def restore_client(*, client: Client, actor: Actor, at: datetime) -> Client:
    """Bring an archived client back as it was."""
    return _set_status(client, "client.restore", actor, at, archived_at=None)


def target_of(client: Client) -> Target:
    return Target(type="client", id=client.slug, label=client.name)


def state_of(client: Client) -> dict[str, Any]:
    """Return what the audit trail keeps of a client."""
    return {
        "name": client.name,
        "platform": client.platform,
        "bundle_ids": list(client.bundle_ids),
        "origins": list(client.origins),
        "enabled": client.disabled_at is None,
        "archived": client.archived_at is not None,
    }


def _set_status(
    client: Client, action: str, actor: Actor, at: datetime, **changes: datetime | None
) -> Client:
    with transaction.atomic():
        row = _locked(client)
        ((name, value),) = changes.items()
        if (getattr(row, name) is None) == (value is None):
            return row
        before = state_of(row)
        setattr(row, name, value)
        _changed(action, row, actor, at, before)
    return row


def _changed(action: str, row: Client, actor: Actor, at: datetime, before: dict[str, Any]) -> None:
    row.version += 1
    row.save()
    _record(action, row, actor, at, before=before, after=state_of(row))
    push.enqueue("client", {"client": row.slug, "enabled": row.is_enabled})


def _record(action: str, client: Client, actor: Actor, at: datetime, **changes: Any) -> None:
    audit.record(action=action, actor=actor, target=target_of(client), at=at, **changes)


def _assign(client: Client, fields: ClientFields) -> None:
    for name, value in asdict(fields).items():
        setattr(client, name, list(value) if isinstance(value, tuple) else value)


def _locked(client: Client) -> Client:
    row = Client.objects.select_for_update().filter(pk=client.pk).first()
    if row is None:
        raise NotFound("This client does not exist.")
    return row

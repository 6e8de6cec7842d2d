"""How do organizations come to be, and who joins, leaves or holds a token?

Each write leaves its audit row in the organization it concerns, in the same transaction.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import current_app
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from core import audit, push
from core.access import HasRole, may, permissions_of
from core.audit import Actor, Target
from core.errors import DomainError, NotFound
from core.tenancy import organization_context, schema_name_for
from tenants import provisioning
from tenants.models import ApiToken, Invitation, Membership, Organization, Role, User

logger = logging.getLogger(__name__)

RESERVED_SLUGS = frozenset({"new"})
ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
ID_LENGTH = 12
USE_NOTED_EVERY = timedelta(minutes=1)


class SlugTaken(DomainError):
    slug = "slug-taken"
    status = 409
    title = "Short name is taken"


class AboveOwnRole(DomainError):
    slug = "above-own-role"
    status = 403
    title = "Above your own role"


class ExpiryPassed(DomainError):
    slug = "expiry-passed"
    title = "This time has passed"


class LastOwner(DomainError):
    slug = "last-owner"
    status = 409
    title = "The last owner stays"


# Organizations


def create_organization(
    *, name: str, slug: str, owner: User, actor: Actor, at: datetime
) -> Organization:
    """Store an organization that a worker then makes; its owner may already open its address."""
    if slug in RESERVED_SLUGS:
        raise SlugTaken(f"“{slug}” is reserved. Choose another short name.", field="slug")
    try:
        with transaction.atomic():
            organization: Organization = Organization.objects.create(
                name=name,
                slug=slug,
                schema_name=schema_name_for(slug),
                created_by=owner if actor.kind == "person" else None,
                created_at=at,
                progress_note="Waiting for a worker",
            )
            Membership.objects.create(
                user=owner, organization=organization, role=Role.OWNER, created_at=at
            )
            _provision_after_commit(slug)
    except (IntegrityError, ValidationError) as error:  # django-tenants checks before saving
        raise SlugTaken(f"“{slug}” is taken. Choose another short name.", field="slug") from error
    logger.info("tenants.organization.created organization=%s", slug)
    return organization


def _provision_after_commit(slug: str) -> None:
    """Ask a worker by name: the task's module calls this one, so it cannot be imported here."""

    def send_task() -> None:
        current_app.send_task("tenants.provision", kwargs={"organization": slug})

    transaction.on_commit(send_task, robust=True)  # lost tasks are found by provision_waiting


def provision(*, organization: Organization, at: datetime) -> bool:
    """Make a new organization's schema and open it; False when that is already done.

    Safe to repeat and to run twice at once: schema, audit row and status appear together.
    """
    _report(organization, 10, "Reading the template")
    template = provisioning.current_template()
    _report(organization, 40, "Making the tables")
    with transaction.atomic():
        locked = Organization.objects.select_for_update().get(pk=organization.pk)
        if locked.status != Organization.Status.PROVISIONING:
            return False
        if not provisioning.schema_exists(locked.schema_name):
            provisioning.make_schema(locked.schema_name, template)
        locked.status = Organization.Status.ACTIVE
        locked.progress_pct, locked.progress_note = 100, "Ready"
        locked.schema_digest = template.digest
        locked.save()
        with organization_context(locked.schema_name):
            audit.record(
                action="organization.create",
                actor=_creator(locked),
                target=target_of(locked),
                at=at,
                after={"name": locked.name, "slug": locked.slug},
            )
    logger.info("tenants.organization.ready organization=%s", locked.slug)
    return True


def _report(organization: Organization, percent: int, note: str) -> None:
    waiting = Organization.objects.filter(
        pk=organization.pk, status=Organization.Status.PROVISIONING
    )
    waiting.update(progress_pct=percent, progress_note=note)


def report_failure(*, organization: Organization) -> None:
    """Say on the progress page that making it stopped and is tried again."""
    _report(organization, 10, "That did not work. It is tried again in a few seconds.")


def _creator(organization: Organization) -> Actor:
    user = organization.created_by
    if user is None:
        return Actor.system("create_organization")
    return Actor(kind="person", id=str(user.pk), label=user.email)


def rename_organization(
    *, organization: Organization, name: str, actor: Actor, at: datetime
) -> None:
    """Change the name people read; the short name in addresses stays."""
    with changing(organization) as locked:
        if locked.name == name:
            return
        before, locked.name = locked.name, name
        locked.save(update_fields=["name"])
        audit.record(
            action="organization.rename",
            actor=actor,
            target=target_of(locked),
            at=at,
            before={"name": before},
            after={"name": name},
        )


def suspend_organization(*, organization: Organization, actor: Actor, at: datetime) -> None:
    """Close pages, API and SDK plane; sockets are told within a second. Nothing is deleted."""
    with changing(organization) as locked:
        if locked.status != Organization.Status.ACTIVE:
            return
        _set_status(locked, Organization.Status.SUSPENDED, suspended_at=at, actor=actor, at=at)
        push.enqueue("suspend", {"organization": locked.slug})


def resume_organization(*, organization: Organization, actor: Actor, at: datetime) -> None:
    """Open a suspended organization again."""
    with changing(organization) as locked:
        if locked.status == Organization.Status.SUSPENDED:
            _set_status(locked, Organization.Status.ACTIVE, suspended_at=None, actor=actor, at=at)
            push.enqueue("suspend", {"organization": locked.slug})  # live processes ask again


def _set_status(
    organization: Organization,
    status: str,
    *,
    suspended_at: datetime | None,
    actor: Actor,
    at: datetime,
) -> None:
    before = organization.status
    organization.status, organization.suspended_at = status, suspended_at
    organization.save(update_fields=["status", "suspended_at"])
    suspended = status == Organization.Status.SUSPENDED
    audit.record(
        action="organization.suspend" if suspended else "organization.resume",
        actor=actor,
        target=target_of(organization),
        at=at,
        before={"status": before},
        after={"status": status},
    )


def set_staff(*, user: User, is_staff: bool) -> None:
    """Let a person make organizations, or no longer; there is no organization to audit it in."""
    user.is_staff = is_staff
    user.save(update_fields=["is_staff"])
    logger.info("tenants.user.staff user=%s is_staff=%s", user.pk, is_staff)


# People


def change_role(
    *, organization: Organization, user_id: int, role: str, by: HasRole, actor: Actor, at: datetime
) -> None:
    """Give a member another role; an unchanged role does nothing."""
    with changing(organization):
        membership = _member(organization, user_id)
        before = membership.role
        if before == role:
            return
        refuse_above(by, before, role)
        _refuse_last_owner(membership)
        membership.role = role
        membership.save(update_fields=["role"])
        audit.record(
            action="member.change_role",
            actor=actor,
            target=target_of(membership.user),
            at=at,
            before={"role": before},
            after={"role": role},
        )


def remove_member(
    *, organization: Organization, user_id: int, by: HasRole, actor: Actor, at: datetime
) -> None:
    """End a membership; the person keeps their account and their other organizations."""
    with changing(organization):
        membership = _member(organization, user_id)
        if actor.kind != "person" or actor.id != str(user_id):
            refuse_above(by, membership.role)
        _refuse_last_owner(membership)
        membership.delete()
        audit.record(
            action="member.remove",
            actor=actor,
            target=target_of(membership.user),
            at=at,
            before={"role": membership.role},
        )


def _member(organization: Organization, user_id: int) -> Membership:
    members = organization.memberships.select_related("user")
    membership: Membership | None = members.filter(user_id=user_id).first()
    if membership is None:
        raise NotFound("This person is not a member.")
    return membership


def refuse_above(by: HasRole, *roles: str) -> None:
    if Role.OWNER in roles and not may(by, "owners.change"):
        raise AboveOwnRole("Only owners may make or change owners.", field="role")
    if not all(permissions_of(role) <= permissions_of(by.role) for role in roles):
        raise AboveOwnRole("You cannot give or change a role above your own.", field="role")


def _refuse_last_owner(membership: Membership) -> None:
    owners = Membership.objects.filter(organization=membership.organization, role=Role.OWNER)
    if membership.role == Role.OWNER and not owners.exclude(pk=membership.pk).exists():
        raise LastOwner("Make somebody else an owner first: every organization keeps one.")


# API tokens


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """What a person chooses for an API token."""

    name: str
    role: str
    expires_at: datetime | None


def create_token(
    *, organization: Organization, new: NewToken, by: HasRole, actor: Actor, at: datetime
) -> tuple[ApiToken, str]:
    """Make an API token; returns the row and the text its holder sends, shown this once."""
    if new.expires_at is not None and new.expires_at <= at:
        raise ExpiryPassed("Choose a time in the future.", field="expires_at")
    with changing(organization):
        refuse_above(by, new.role)
        public_id = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
        secret = secrets.token_hex(20)
        token = ApiToken.objects.create(
            organization=organization,
            name=new.name,
            role=new.role,
            public_id=public_id,
            secret_sha256=sha256(secret),
            created_by=person_behind(by),
            created_at=at,
            expires_at=new.expires_at,
        )
        audit.record(
            action="token.create",
            actor=actor,
            target=target_of(token),
            at=at,
            after={
                "name": new.name,
                "role": new.role,
                "expires_at": new.expires_at and new.expires_at.isoformat(),
            },
        )
    return token, f"gt_{public_id}_{secret}"


def revoke_token(
    *, organization: Organization, public_id: str, by: HasRole, actor: Actor, at: datetime
) -> None:
    """Stop an API token at its next call; a revoked one stays as it is."""
    with changing(organization):
        token = organization.api_tokens.filter(public_id=public_id).first()
        if token is None:
            raise NotFound("There is no such API token.")
        if token.revoked_at is not None:
            return
        refuse_above(by, token.role)
        token.revoked_at = at
        token.save(update_fields=["revoked_at"])
        audit.record(
            action="token.revoke",
            actor=actor,
            target=target_of(token),
            at=at,
            before={"name": token.name, "role": token.role},
        )


def note_token_use(*, token: ApiToken, at: datetime) -> None:
    """Keep when a token was last used, to the minute: reads stay cheap."""
    if token.last_used_at is None or token.last_used_at < at - USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=at)


# Shared


@contextmanager
def changing(organization: Organization) -> Iterator[Organization]:
    """Open the transaction in the organization and lock its row: one change to its people at a time."""
    with transaction.atomic(), organization_context(organization.schema_name):
        rows = Organization.objects.select_for_update(no_key=True)
        yield rows.get(pk=organization.pk)


def target_of(row: Organization | User | Invitation | ApiToken) -> Target:
    if isinstance(row, Organization):
        return Target(type="organization", id=row.slug, label=row.name)
    if isinstance(row, User):
        return Target(type="member", id=str(row.pk), label=row.email)
    if isinstance(row, Invitation):
        return Target(type="invitation", id=str(row.pk), label=row.email)
    return Target(type="token", id=row.public_id, label=row.name)


def person_behind(by: HasRole) -> User | None:
    if isinstance(by, Membership):
        return by.user
    return by.created_by if isinstance(by, ApiToken) else None


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

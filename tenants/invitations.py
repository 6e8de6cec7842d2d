"""How does a person get into an organization? By a link in an e-mail, good for a week, once.

Only the hash of the link's secret is kept, so the link is shown or sent when it is made.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from core import audit
from core.access import HasRole
from core.audit import Actor
from core.errors import DomainError, NotFound
from tenants.models import Invitation, Membership, Organization, User
from tenants.operations import changing, person_behind, refuse_above, sha256, target_of

INVITATION_LIFE = timedelta(days=7)


class AlreadyMember(DomainError):
    slug = "already-member"
    status = 409
    title = "Already a member"


class AlreadyInvited(DomainError):
    slug = "already-invited"
    status = 409
    title = "Already invited"


class InvitationClosed(DomainError):
    slug = "invitation-closed"
    status = 410
    title = "This invitation is closed"


class OtherAddress(DomainError):
    slug = "other-address"
    status = 403
    title = "This invitation is for somebody else"


def invite(
    *, organization: Organization, email: str, role: str, by: HasRole, actor: Actor, at: datetime
) -> tuple[Invitation, str]:
    """Invite an address; returns the invitation and its link, which is e-mailed and kept nowhere.

    Raises AlreadyMember, AlreadyInvited or AboveOwnRole.
    """
    email = email.lower()
    with changing(organization):
        refuse_above(by, role)
        if organization.memberships.filter(user__email=email).exists():
            raise AlreadyMember(f"{email} is already a member.", field="email")
        earlier = organization.invitations.filter(
            email=email, accepted_at=None, withdrawn_at=None
        ).first()
        if earlier is not None and earlier.is_open(at):
            raise AlreadyInvited(f"{email} is already invited. Send it again.", field="email")
        if earlier is not None:
            earlier.withdrawn_at = at
            earlier.save(update_fields=["withdrawn_at"])
        secret = secrets.token_urlsafe(32)
        invitation = Invitation.objects.create(
            organization=organization,
            email=email,
            role=role,
            secret_sha256=sha256(secret),
            invited_by=person_behind(by),
            created_at=at,
            expires_at=at + INVITATION_LIFE,
        )
        audit.record(
            action="invitation.create",
            actor=actor,
            target=target_of(invitation),
            at=at,
            after={"email": email, "role": role},
        )
        return invitation, _send(invitation, secret, actor)


def resend_invitation(
    *, organization: Organization, invitation_id: int, by: HasRole, actor: Actor, at: datetime
) -> tuple[Invitation, str]:
    """Send a fresh link with a fresh week; the former link stops working."""
    with changing(organization):
        invitation = _invitation(organization, invitation_id)
        refuse_above(by, invitation.role)
        secret = secrets.token_urlsafe(32)
        invitation.secret_sha256 = sha256(secret)
        invitation.expires_at = at + INVITATION_LIFE
        invitation.save(update_fields=["secret_sha256", "expires_at"])
        audit.record(
            action="invitation.resend",
            actor=actor,
            target=target_of(invitation),
            at=at,
            after={"expires_at": invitation.expires_at.isoformat()},
        )
        return invitation, _send(invitation, secret, actor)


def withdraw_invitation(
    *, organization: Organization, invitation_id: int, actor: Actor, at: datetime
) -> None:
    """Close an invitation that nobody has accepted."""
    with changing(organization):
        invitation = _invitation(organization, invitation_id)
        invitation.withdrawn_at = at
        invitation.save(update_fields=["withdrawn_at"])
        audit.record(
            action="invitation.withdraw",
            actor=actor,
            target=target_of(invitation),
            at=at,
            before={"email": invitation.email, "role": invitation.role},
        )


def _invitation(organization: Organization, invitation_id: int) -> Invitation:
    waiting = organization.invitations.filter(accepted_at=None, withdrawn_at=None)
    invitation: Invitation | None = waiting.filter(pk=invitation_id).first()
    if invitation is None:
        raise NotFound("There is no such open invitation.")
    return invitation


def _send(invitation: Invitation, secret: str, actor: Actor) -> str:
    link = settings.BASE_URL + reverse("tenants:invitation", kwargs={"secret": secret})
    body = render_to_string(
        "tenants/invitation_mail.txt",
        {"invitation": invitation, "link": link, "invited_by": actor.label},
    )
    subject = f"Join {invitation.organization.name} on Gantry"

    def send_invitation() -> None:
        send_mail(subject, body, None, [invitation.email])

    transaction.on_commit(send_invitation, robust=True)  # the page shows the link too
    return link


def accept_invitation(*, secret: str, user: User, at: datetime) -> Membership:
    """Make a signed-in person a member; raises InvitationClosed or OtherAddress."""
    invitation = open_invitation(secret=secret, at=at)
    with changing(invitation.organization):
        invitation = open_invitation(secret=secret, at=at, lock=True)
        if invitation.email != user.email.lower():
            raise OtherAddress(f"It was sent to {invitation.email}. Sign in with that address.")
        membership, is_new = Membership.objects.get_or_create(
            user=user,
            organization=invitation.organization,
            defaults={"role": invitation.role, "created_at": at},
        )
        invitation.accepted_at = at
        invitation.save(update_fields=["accepted_at"])
        audit.record(
            action="invitation.accept",
            actor=Actor(kind="person", id=str(user.pk), label=user.email),
            target=target_of(user),
            at=at,
            after={"role": membership.role, "was_member": not is_new},
        )
    return membership


def register_with_invitation(*, secret: str, name: str, password: str, at: datetime) -> User:
    """Make the account of an invited person and their membership, both or neither."""
    with transaction.atomic():
        invitation = open_invitation(secret=secret, at=at)
        if User.objects.filter(email=invitation.email).exists():
            raise AlreadyMember(f"{invitation.email} has an account. Sign in to accept.")
        user = User.objects.create_user(invitation.email, password, name)
        accept_invitation(secret=secret, user=user, at=at)
    return user


def open_invitation(*, secret: str, at: datetime, lock: bool = False) -> Invitation:
    """Return the invitation behind a link or raise InvitationClosed saying why it is closed."""
    rows = Invitation.objects.select_related("organization")
    if lock:
        rows = rows.select_for_update(of=("self",))
    invitation = rows.filter(secret_sha256=sha256(secret)).first()
    if invitation is None:
        raise InvitationClosed("This link is not valid. Ask for a new invitation.")
    if invitation.accepted_at:
        raise InvitationClosed("This invitation was already used. Sign in instead.")
    if invitation.withdrawn_at:
        raise InvitationClosed("This invitation was withdrawn.")
    if not invitation.is_open(at):
        raise InvitationClosed("This invitation has expired. Ask for a new one.")
    return invitation

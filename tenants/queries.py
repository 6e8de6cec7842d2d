"""Which organizations, people, tokens and audit rows does a page show?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from core.models import AuditEntry
from tenants.models import ApiToken, Invitation, Membership, Organization, User

if TYPE_CHECKING:
    from datetime import date

LOST_AFTER = timedelta(seconds=10)
SWITCHER_LIMIT = 50


def waiting_organizations(*, at: datetime) -> QuerySet[Organization]:
    """Organizations that should have been made by now."""
    status = Organization.Status.PROVISIONING
    rows: QuerySet[Organization] = Organization.objects.filter(
        status=status, created_at__lt=at - LOST_AFTER
    )
    return rows


def memberships_of(user: User, search: str = "") -> QuerySet[Membership]:
    """The organizations this person belongs to, with their role, by name."""
    rows = Membership.objects.filter(user=user).select_related("organization")
    if search:
        rows = rows.filter(
            Q(organization__name__icontains=search) | Q(organization__slug__icontains=search)
        )
    return rows.order_by("organization__name")[:SWITCHER_LIMIT]


def people_in(organization: Organization) -> QuerySet[Membership]:
    rows: QuerySet[Membership] = organization.memberships.select_related("user")
    return rows.order_by("user__email")


def waiting_invitations(organization: Organization) -> QuerySet[Invitation]:
    """Neither accepted nor withdrawn; expired ones included, because they can be sent again."""
    rows: QuerySet[Invitation] = organization.invitations.filter(
        accepted_at=None, withdrawn_at=None
    )
    return rows.select_related("invited_by")


def tokens_of(organization: Organization) -> QuerySet[ApiToken]:
    """Usable ones first, then by age."""
    rows: QuerySet[ApiToken] = organization.api_tokens.select_related("created_by")
    return rows.order_by(F("revoked_at").desc(nulls_first=True), "-created_at")


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """What the audit page, its export and the API may narrow down by."""

    search: str = ""
    action: str = ""
    actor: str = ""
    target_type: str = ""
    target_id: str = ""
    result: str = ""
    since: date | None = None
    until: date | None = None


def audit_entries(chosen: AuditFilter) -> QuerySet[AuditEntry]:
    """The current organization's audit rows, newest first; days are whole days in UTC."""
    rows = AuditEntry.objects.all()
    if chosen.search:
        rows = rows.filter(
            Q(action__icontains=chosen.search)
            | Q(actor_label__icontains=chosen.search)
            | Q(target_label__icontains=chosen.search)
            | Q(target_id__icontains=chosen.search)
            | Q(comment__icontains=chosen.search)
        )
    exact = {
        "action": chosen.action,
        "actor_label": chosen.actor,
        "target_type": chosen.target_type,
        "target_id": chosen.target_id,
        "result": chosen.result,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if chosen.since:
        rows = rows.filter(at__gte=_midnight(chosen.since))
    if chosen.until:
        rows = rows.filter(at__lt=_midnight(chosen.until + timedelta(days=1)))
    return rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())


def audit_actions() -> list[str]:
    """Every action that occurs in the current organization, for the filter."""
    names = AuditEntry.objects.order_by("action").values_list("action", flat=True)
    return list(names.distinct())

"""Which organizations, people, tokens and audit rows does a page show?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from django.db.models import F, Q, QuerySet

from core.access import HasRole, may
from core.models import AuditEntry, OutboxEntry
from tenants.models import ApiToken, Invitation, Membership, Organization, User

if TYPE_CHECKING:
    from datetime import date

LOST_AFTER = timedelta(seconds=10)
SWITCHER_LIMIT = 200
TOKEN_ENDS_SOON = timedelta(days=14)
PUSH_IS_LATE = timedelta(seconds=30)
ACTION_LIMIT = 200
ATTENTION_ROWS = 5


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page that the palette can jump to."""

    label: str
    url_name: str
    icon: str
    permission: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that somebody should look at, with the page where it is mended."""

    icon: str
    text: str
    url_name: str


PAGES = (
    Page(label="Home", url_name="tenants:home", icon="home", permission="organization.view"),
    Page(label="Streams", url_name="streams:list", icon="broadcast", permission="streams.view"),
    Page(label="New stream", url_name="streams:create", icon="plus", permission="streams.change"),
    Page(
        label="Clients and keys",
        url_name="streams:client_list",
        icon="key",
        permission="clients.view",
    ),
    Page(
        label="Settings of the organization",
        url_name="settings_hierarchy:organization",
        icon="adjustments",
        permission="settings.view",
    ),
    Page(label="People", url_name="tenants:people", icon="users", permission="people.view"),
    Page(
        label="Invite somebody", url_name="tenants:invite", icon="mail", permission="people.change"
    ),
    Page(label="API tokens", url_name="tenants:tokens", icon="key", permission="tokens.view"),
    Page(
        label="About the organization",
        url_name="tenants:profile",
        icon="building-community",
        permission="organization.change",
    ),
    Page(label="Audit", url_name="tenants:audit", icon="history", permission="audit.view"),
)


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


def people_in(organization: Organization, search: str = "") -> QuerySet[Membership]:
    rows: QuerySet[Membership] = organization.memberships.select_related("user")
    if search:
        rows = rows.filter(Q(user__email__icontains=search) | Q(user__name__icontains=search))
    return rows


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


def attention(organization: Organization, holder: HasRole, *, at: datetime) -> list[Problem]:
    """What of this layer somebody should look at; other apps add theirs beside it."""
    found = []
    late = OutboxEntry.objects.filter(relayed_at__isnull=True, created_at__lt=at - PUSH_IS_LATE)
    waiting = late.count()
    if waiting:
        text = f"{waiting} {'change waits' if waiting == 1 else 'changes wait'} to be pushed."
        found.append(Problem(icon="wifi-off", text=text, url_name="streams:list"))
    if may(holder, "tokens.view"):
        found += [
            Problem(
                icon="key",
                text=f"API token “{token.name}” expires within 14 days.",
                url_name="tenants:tokens",
            )
            for token in _ending_tokens(organization, at)
        ]
    if may(holder, "people.change"):
        expired = waiting_invitations(organization).filter(expires_at__lte=at)
        found += [
            Problem(
                icon="mail",
                text=f"The invitation of {invitation.email} has expired.",
                url_name="tenants:people",
            )
            for invitation in expired[:ATTENTION_ROWS]
        ]
    return found


def _ending_tokens(organization: Organization, at: datetime) -> QuerySet[ApiToken]:
    ending = tokens_of(organization).filter(revoked_at__isnull=True, expires_at__gt=at)
    return ending.filter(expires_at__lte=at + TOKEN_ENDS_SOON)[:ATTENTION_ROWS]


def recent_changes(limit: int) -> QuerySet[AuditEntry]:
    """The current organization's last changes, newest first."""
    return AuditEntry.objects.filter(result=AuditEntry.Result.DONE).order_by("-at", "-pk")[:limit]


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
    rows = AuditEntry.objects.order_by("-at", "-pk")
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
        rows = rows.filter(at__gte=datetime.combine(chosen.since, time.min, tzinfo=UTC))
    if chosen.until:
        rows = rows.filter(at__lte=datetime.combine(chosen.until, time.max, tzinfo=UTC))
    return rows


def audit_actions() -> list[str]:
    """Every action that occurs in the current organization, for the filter."""
    names = AuditEntry.objects.order_by("action").values_list("action", flat=True)
    return list(names.distinct()[:ACTION_LIMIT])

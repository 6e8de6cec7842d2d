"""Which SDK keys does an organization have, and which of them need somebody's attention?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from sdk_keys.models import SdkKey
from tenants.models import Organization

PAGE_SIZE = 50
EXPIRING_SOON = timedelta(days=14)
RECENTLY_EXPIRED = timedelta(days=7)
IN_USE = timedelta(days=7)
ATTENTION_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class KeyFilter:
    """Which keys are wanted; status is "", usable, expiring, expired or revoked."""

    search: str = ""
    client: str = ""
    kind: str = ""
    status: str = ""


@dataclass(frozen=True, kw_only=True)
class KeyTally:
    """How many usable keys a client has, and when one of its keys was last used."""

    usable: int
    last_seen_at: datetime | None


def find_keys(organization: Organization, wanted: KeyFilter, at: datetime) -> QuerySet[SdkKey]:
    """Return the keys that match, newest first."""
    found = SdkKey.objects.filter(organization=organization)
    if wanted.search:
        found = found.filter(
            Q(name__icontains=wanted.search)
            | Q(public_id__icontains=wanted.search)
            | Q(client_slug__icontains=wanted.search)
        )
    if wanted.client:
        found = found.filter(client_slug=wanted.client)
    if wanted.kind:
        found = found.filter(kind=wanted.kind)
    if wanted.status:
        found = found.filter(_with_status(wanted.status, at))
    return found.order_by("-created_at", "-pk")


def keys_of(organization: Organization, client_slug: str) -> Sequence[SdkKey]:
    """Return every key of a client, newest first, with the one each replaced."""
    found = SdkKey.objects.filter(organization=organization, client_slug=client_slug)
    return list(found.select_related("rotated_from").order_by("-created_at", "-pk"))


def usable_keys(organization: Organization, client_slug: str, at: datetime) -> QuerySet[SdkKey]:
    found = SdkKey.objects.filter(organization=organization, client_slug=client_slug)
    return found.filter(_with_status("usable", at))


def key_tallies(
    organization: Organization, client_slugs: Iterable[str], at: datetime
) -> dict[str, KeyTally]:
    """Return the tally of each client asked for, in one query."""
    rows = SdkKey.objects.filter(organization=organization, client_slug__in=list(client_slugs))
    by_client: dict[str, list[SdkKey]] = defaultdict(list)
    for row in rows:
        by_client[row.client_slug].append(row)
    return {
        slug: KeyTally(
            usable=sum(row.is_usable(at) for row in by_client[slug]),
            last_seen_at=max(
                (row.last_seen_at for row in by_client[slug] if row.last_seen_at), default=None
            ),
        )
        for slug in client_slugs
    }


def keys_needing_attention(organization: Organization, at: datetime) -> Sequence[SdkKey]:
    """Return keys that expire soon, or expired lately without being replaced, soonest first."""
    found = SdkKey.objects.filter(
        organization=organization,
        revoked_at__isnull=True,
        expires_at__gt=at - RECENTLY_EXPIRED,
        expires_at__lte=at + EXPIRING_SOON,
        sdkkey__isnull=True,
    )
    return list(found.order_by("expires_at")[:ATTENTION_ROWS])


def status_of(key: SdkKey, at: datetime) -> str:
    """Return usable, expiring, expired or revoked."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None or key.expires_at > at + EXPIRING_SOON:
        return "usable"
    return "expiring" if key.expires_at > at else "expired"


def is_in_use(key: SdkKey, at: datetime) -> bool:
    """Has an SDK used it within a week? Such a key is asked for by name before it is revoked."""
    return key.last_seen_at is not None and key.last_seen_at > at - IN_USE


def _with_status(status: str, at: datetime) -> Q:
    alive = Q(revoked_at__isnull=True)
    return {
        "usable": alive & (Q(expires_at__isnull=True) | Q(expires_at__gt=at)),
        "expiring": alive & Q(expires_at__gt=at, expires_at__lte=at + EXPIRING_SOON),
        "expired": alive & Q(expires_at__lte=at),
        "revoked": Q(revoked_at__isnull=False),
    }[status]

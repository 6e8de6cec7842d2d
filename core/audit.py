"""Who changed what, when and from where? Rows are written with the change they tell of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from core.models import AuditEntry

if TYPE_CHECKING:
    from rest_framework.request import Request

JSON = Any  # the stored value is whatever JSON the caller hands over


@dataclass(frozen=True, kw_only=True)
class Actor:
    """The person, API token or process that acts."""

    kind: str  # person | token | system
    id: str
    label: str
    address: str | None = None

    @classmethod
    def system(cls, name: str) -> Actor:
        return cls(kind="system", id=name, label=name)

    @classmethod
    def of(cls, request: HttpRequest | Request) -> Actor:
        """Return who acts in this request: the API token's holder or the signed-in person."""
        address = request.META.get("REMOTE_ADDR") or None
        token = getattr(request, "auth", None)
        if token is not None:
            return cls(kind="token", id=token.public_id, label=token.name, address=address)
        if not request.user.is_authenticated:
            return cls(kind="anonymous", id="", label="anonymous", address=address)
        return cls(
            kind="person", id=str(request.user.pk), label=request.user.email, address=address
        )


@dataclass(frozen=True, kw_only=True)
class Target:
    """The thing acted on; `id` is what the API calls it."""

    type: str
    id: str
    label: str = ""


def record(
    *,
    action: str,
    actor: Actor,
    target: Target,
    at: datetime,
    before: JSON = None,
    after: JSON = None,
    comment: str = "",
) -> AuditEntry:
    """Write the audit row of a change; only inside the transaction of that change."""
    assert transaction.get_connection().in_atomic_block, "audit rows go with their change"
    return _create(AuditEntry.Result.DONE, action, actor, target, at, before, after, comment)


def record_refusal(request: HttpRequest | Request, permission: str) -> None:
    """Write that somebody without the right tried; reading pages is not recorded."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    target = Target(type="page", id=request.path[:64], label=request.path[:254])
    _create(
        AuditEntry.Result.REFUSED,
        permission,
        Actor.of(request),
        target,
        timezone.now(),
        None,
        None,
        "",
    )


def _create(
    result: AuditEntry.Result,
    action: str,
    actor: Actor,
    target: Target,
    at: datetime,
    before: JSON,
    after: JSON,
    comment: str,
) -> AuditEntry:
    return AuditEntry.objects.create(
        at=at,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label,
        address=actor.address,
        action=action,
        target_type=target.type,
        target_id=target.id,
        target_label=target.label,
        before=before,
        after=after,
        comment=comment,
        result=result,
    )

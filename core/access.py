"""May this person or token do this here? One table of roles and permissions."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from core import audit
from core.errors import OrganizationNotReady

if TYPE_CHECKING:
    from core.tenancy import OrganizationRequest

P = ParamSpec("P")
SIGNED_IN = "signed in"
View = TypeVar("View", bound=Callable[..., HttpResponseBase])

VIEW = frozenset(
    {
        "organization.view",
        "streams.view",
        "clients.view",
        "settings.view",
        "delivery.view",
    }
)
ANALYST = VIEW | {"analytics.view"}
MODERATOR = VIEW | {"moderation.decide"}
OPERATOR = (
    VIEW
    | ANALYST
    | MODERATOR
    | {
        "streams.change",
        "clients.change",
        "settings.change",
        "keys.view",
        "audit.view",
    }
)
ADMIN = OPERATOR | {
    "settings.lock",
    "keys.change",
    "people.view",
    "people.change",
    "tokens.view",
    "tokens.change",
}
OWNER = ADMIN | {"organization.change", "owners.change"}

ROLES: dict[str, frozenset[str]] = {
    "owner": OWNER,
    "admin": ADMIN,
    "operator": OPERATOR,
    "moderator": MODERATOR,
    "analyst": ANALYST,
    "viewer": VIEW,
}


class HasRole(Protocol):
    """Anything that acts in an organization with a role: a membership or an API token."""

    @property
    def role(self) -> str: ...


def permissions_of(role: str) -> frozenset[str]:
    return ROLES.get(role, frozenset())


def may(holder: HasRole | None, permission: str) -> bool:
    if permission not in OWNER:
        raise ValueError(f"{permission!r} is in no role: misspelt?")
    return holder is not None and permission in permissions_of(holder.role)


def requires(
    permission: str,
) -> Callable[
    [Callable[Concatenate[OrganizationRequest, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Let a page through only for members whose role has the permission; record refused tries."""

    def decorate(
        view: Callable[Concatenate[OrganizationRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            placed = cast("OrganizationRequest", request)
            if not may(placed.membership, permission):
                audit.record_refusal(request, permission)
                raise PermissionDenied(f"Your role ({placed.membership.role}) may not do this.")
            return view(placed, *args, **kwargs)

        checked.permission = permission  # type: ignore[attr-defined]  # read by the boundary table
        return checked

    return decorate


def signed_in(view: View) -> View:
    """Let a page through for anybody who is signed in: it stands outside the organizations."""
    checked = login_required(view)
    checked.permission = SIGNED_IN  # type: ignore[attr-defined]  # read by the boundary table
    return checked


def public(view: View) -> View:
    """Mark a page that anybody may open; the boundary table lists them."""
    view.permission = None  # type: ignore[attr-defined]  # read by the boundary table
    return view


class OrganizationPermission(BasePermission):
    """Let a token into its own organization only, and only for what its role may do.

    A view declares `required_permission`: one name, or a dict from HTTP method to name.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        organization = getattr(request, "organization", None)
        token: Any = request.auth  # tenants.ApiToken; DRF's stubs know only its own Token
        if token is None:
            return False
        if organization is None or token.organization_id != organization.pk:
            raise Http404
        if not organization.is_ready:
            raise OrganizationNotReady(organization.status)
        permission = _required(view.required_permission, request.method or "GET")
        if may(token, permission):
            return True
        audit.record_refusal(request, permission)
        return False


def _required(declared: str | dict[str, str], method: str) -> str:
    if isinstance(declared, str):
        return declared
    permission = declared.get("GET" if method in SAFE_METHODS else method)
    if permission is None:
        raise MethodNotAllowed(method)
    return permission

"""Which organization does this request, task or socket belong to? The only file naming a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import connection as django_connection
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from core.access import permissions_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenants.models import Membership, Organization, User

PUBLIC = "public"
API_PREFIX = "/api/"
SWITCHER_LENGTH = 8
P = ParamSpec("P")
R = TypeVar("R")
connection: Any = django_connection  # django-tenants adds methods that Django's stubs do not know


class OrganizationRequest(HttpRequest):
    """A request that OrganizationMiddleware has placed inside one organization."""

    organization: Organization
    membership: Membership
    user: User


def schema_name_for(slug: str) -> str:
    """Return the schema of the organization with this slug; slugs hold no underscore."""
    return "org_" + slug.replace("-", "_")


def current_schema() -> str:
    return str(connection.schema_name)


def org_key(schema_name: str, *parts: str | int) -> str:
    """Return a Redis or cache key that carries the organization explicitly."""
    if not schema_name or schema_name == PUBLIC or ":" in schema_name:
        raise ValueError(f"{schema_name!r} is not the schema of an organization")
    return ":".join(("gantry", schema_name, *map(str, parts)))


@contextmanager
def organization_context(schema_name: str) -> Iterator[None]:
    """Enter one organization's schema for synchronous code and come back out."""
    if not schema_name or schema_name == PUBLIC:
        raise ValueError("an organization's schema is required")
    with _schema(schema_name):
        yield


@contextmanager
def public_context() -> Iterator[None]:
    """Leave the organization for rows that live in the public schema only."""
    with _schema(PUBLIC):
        yield


@contextmanager
def _schema(schema_name: str) -> Iterator[None]:
    before = connection.tenant
    connection.set_schema(schema_name)
    try:
        yield
    finally:
        connection.set_tenant(before)


async def run_in_organization(
    schema_name: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Enter an organization, run one synchronous function, leave: async code's only way in."""

    @wraps(function)
    def entered() -> R:
        with organization_context(schema_name):
            return function(*args, **kwargs)

    return await sync_to_async(entered, thread_sensitive=True)()


def find_organization(slug: str) -> Organization | None:
    model = apps.get_model(settings.TENANT_MODEL)
    found: Organization | None = model.objects.filter(slug=slug).first()
    return found


class OrganizationMiddleware:
    """Place a request under `o/<slug>/` or `api/v1/organizations/<slug>/` in its organization."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        connection.set_schema_to_public()
        try:
            return self.get_response(request)
        finally:
            connection.set_schema_to_public()

    def process_view(
        self,
        request: Any,
        view: Callable[..., HttpResponseBase],
        args: list[object],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        slug = kwargs.pop("organization", None)
        if slug is None:
            return None
        if request.path.startswith(API_PREFIX):
            return self._enter_api(request, slug)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
        return self._enter_page(request, slug)

    def _enter_api(self, request: Any, slug: str) -> HttpResponseBase | None:
        # Who asks is not known yet. An unknown organization goes on to the view, which
        # authenticates first and then answers 404: slugs cannot be probed without a token.
        request.organization = find_organization(slug)
        if request.organization is not None and request.organization.is_ready:
            connection.set_tenant(request.organization)
        return None

    def _enter_page(self, request: Any, slug: str) -> HttpResponseBase | None:
        memberships = request.user.memberships.select_related("organization")
        membership = memberships.filter(organization__slug=slug).first()
        if membership is None:
            raise Http404("No such organization")
        request.membership = membership
        request.organization = organization = membership.organization
        if not organization.is_ready:
            return _not_ready(request, organization)
        connection.set_tenant(organization)
        return None


@never_cache
def _not_ready(request: HttpRequest, organization: Organization) -> HttpResponse:
    if organization.is_suspended:
        return render(request, "errors/suspended.html", {"organization": organization}, status=403)
    answer = render(request, "errors/provisioning.html", {"organization": organization}, status=503)
    answer["Retry-After"] = "2"
    return answer


def organization_context_processor(request: HttpRequest) -> dict[str, object]:
    """Give templates the organization, the membership and what it may do."""
    membership = getattr(request, "membership", None)
    return {
        "organization": getattr(request, "organization", None),
        "membership": membership,
        "may": permissions_of(membership.role) if membership else frozenset(),
        "memberships": _switchable(membership) if membership else (),
        "demo": settings.DEMO,
    }


def _switchable(membership: Membership) -> QuerySet[Membership]:
    """The organizations in the switcher: read only by pages that show it."""
    rows = membership.user.memberships.select_related("organization")
    return rows.order_by("organization__name")[:SWITCHER_LENGTH]

"""Where do people land, and what does an organization's home show?"""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from core import htmx
from core.access import may, requires, signed_in
from core.audit import Actor
from core.errors import DomainError
from core.tenancy import OrganizationRequest
from tenants import operations, queries
from tenants.forms import OrganizationForm, ProfileForm, posted
from tenants.models import User

RECENT_CHANGES = 8
LAST_ORGANIZATION = "last_organization"
PALETTE_RESULTS = 8


@require_GET
@signed_in
def start(request: HttpRequest) -> HttpResponse:
    """Send people to the organization they saw last, to their only one, or to the list."""
    memberships = list(queries.memberships_of(_user(request)))
    slugs = [membership.organization.slug for membership in memberships]
    last = request.session.get(LAST_ORGANIZATION)
    if last in slugs or len(slugs) == 1:
        return redirect("tenants:home", organization=last if last in slugs else slugs[0])
    return redirect("tenants:switch")


@require_GET
@signed_in
def switch(request: HttpRequest) -> HttpResponse:
    """List the organizations this person belongs to."""
    search = request.GET.get("q", "").replace("\x00", "")[:100]
    context = {
        "found": queries.memberships_of(_user(request), search),
        "search": search,
        "may_create": _user(request).is_staff,
    }
    return htmx.render(request, "tenants/switch.html", "tenants/_organizations.html", context)


@require_http_methods(["GET", "POST"])
@signed_in
def create(request: HttpRequest) -> HttpResponse:
    """Let platform staff make an organization, with themselves as its first owner."""
    user = _user(request)
    if not user.is_staff:
        raise Http404
    form = OrganizationForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            organization = operations.create_organization(
                name=form.cleaned_data["name"],
                slug=form.cleaned_data["slug"],
                owner=user,
                actor=Actor.of(request),
                at=timezone.now(),
            )
            return redirect("tenants:home", organization=organization.slug)
        except DomainError as error:
            form.add_error(error.field or None, error.message)
    status = 422 if form.is_bound else 200
    return render(request, "tenants/create.html", {"form": form}, status=status)


@require_GET
@requires("organization.view")
def home(request: OrganizationRequest) -> HttpResponse:
    """Show what is live, what needs attention and what changed last."""
    organization, membership = request.organization, request.membership
    if request.session.get(LAST_ORGANIZATION) != organization.slug:
        request.session[LAST_ORGANIZATION] = organization.slug
    now = timezone.now()
    context = {
        "section": "home",
        "problems": queries.attention(organization, membership, at=now),
        "changes": queries.recent_changes(RECENT_CHANGES) if may(membership, "audit.view") else (),
    }
    return render(request, "tenants/home.html", context)


@require_http_methods(["GET", "POST"])
@requires("organization.change")
def profile(request: OrganizationRequest) -> HttpResponseBase:
    """Show and change what is known of the organization itself."""
    organization = request.organization
    form = ProfileForm(posted(request), initial={"name": organization.name})
    if request.method == "POST" and form.is_valid():
        operations.rename_organization(
            organization=organization,
            name=form.cleaned_data["name"],
            actor=Actor.of(request),
            at=timezone.now(),
        )
        url = reverse("tenants:profile", kwargs={"organization": organization.slug})
        return htmx.redirect(request, url, toast="Saved")
    context = {"section": "people", "tab": "profile", "form": form, "base_url": settings.BASE_URL}
    status = 422 if form.is_bound else 200
    return render(request, "tenants/profile.html", context, status=status)


@require_GET
@requires("organization.view")
def palette(request: OrganizationRequest) -> HttpResponse:
    """Answer the search box that jumps: pages here, streams and clients from their own app."""
    search = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    pages = [
        page
        for page in queries.PAGES
        if may(request.membership, page.permission) and search.lower() in page.label.lower()
    ]
    context = {"pages": pages[:PALETTE_RESULTS], "search": search}
    return htmx.render(request, "tenants/palette.html", "tenants/_palette.html", context)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User), "signed_in lets nobody else through"
    return request.user

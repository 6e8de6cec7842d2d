"""Who is in this organization, who is invited, and which tokens act for it?"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core import htmx
from core.access import public, requires
from core.audit import Actor
from core.errors import DomainError
from core.lists import Column, page_of, sort_of
from core.tenancy import OrganizationRequest
from tenants import invitations, operations, queries
from tenants.forms import (
    InvitationForm,
    RegistrationForm,
    RoleForm,
    TokenForm,
    assignable_roles,
    posted,
)
from tenants.models import Invitation, User

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
HEADINGS = {
    "tenants/_invite.html": "Invite somebody",
    "tenants/_invited.html": "Invitation sent",
    "tenants/_token_form.html": "New API token",
    "tenants/_token_made.html": "Token created",
}
MEMBER_COLUMNS = (
    Column(key="person", label="Person", sortable=True, order=("user__email",)),
    Column(key="role", label="Role", sortable=True),
    Column(key="since", label="Member since", sortable=True, order=("created_at",)),
    Column(key="menu", label="Actions", hidden=True),
)


# People


@require_GET
@requires("people.view")
def people(request: OrganizationRequest) -> HttpResponse:
    """Show members and open invitations."""
    return htmx.render(request, "tenants/people.html", "tenants/_members.html", _people(request))


@require_POST
@requires("people.change")
def member_role(request: OrganizationRequest, user_id: int) -> HttpResponseBase:
    """Give a member another role."""
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _members(request, problem="Choose one of the roles.")
    try:
        operations.change_role(
            organization=request.organization,
            user_id=user_id,
            role=form.cleaned_data["role"],
            by=request.membership,
            actor=Actor.of(request),
            at=timezone.now(),
        )
    except DomainError as error:
        return _members(request, problem=error.message)
    return _members(request, toast="Role changed")


@require_POST
@requires("people.change")
def member_remove(request: OrganizationRequest, user_id: int) -> HttpResponseBase:
    """Take a person out of the organization."""
    try:
        operations.remove_member(
            organization=request.organization,
            user_id=user_id,
            by=request.membership,
            actor=Actor.of(request),
            at=timezone.now(),
        )
    except DomainError as error:
        return _members(request, problem=error.message)
    if user_id == request.membership.user_id:
        return htmx.redirect(request, reverse("tenants:switch"), toast="You have left")
    return _members(request, toast="Person removed")


@require_http_methods(["GET", "POST"])
@requires("people.change")
def invite(request: OrganizationRequest) -> HttpResponse:
    """Ask for an address and a role; answer with the link, shown this once."""
    form = InvitationForm(posted(request), by=request.membership)
    if request.method == "POST" and form.is_valid():
        try:
            invitation, link = invitations.invite(
                organization=request.organization,
                email=form.cleaned_data["email"],
                role=form.cleaned_data["role"],
                by=request.membership,
                actor=Actor.of(request),
                at=timezone.now(),
            )
            return _invited(request, invitation, link)
        except DomainError as error:
            form.add_error(error.field or None, error.message)
    return _dialog(request, "tenants/_invite.html", {"form": form}, bound=form.is_bound)


@require_POST
@requires("people.change")
def invitation_resend(request: OrganizationRequest, invitation_id: int) -> HttpResponse:
    """Send a fresh link; the former one stops working."""
    invitation, link = invitations.resend_invitation(
        organization=request.organization,
        invitation_id=invitation_id,
        by=request.membership,
        actor=Actor.of(request),
        at=timezone.now(),
    )
    return _invited(request, invitation, link)


@require_POST
@requires("people.change")
def invitation_withdraw(request: OrganizationRequest, invitation_id: int) -> HttpResponseBase:
    """Close an invitation that nobody accepted."""
    invitations.withdraw_invitation(
        organization=request.organization,
        invitation_id=invitation_id,
        actor=Actor.of(request),
        at=timezone.now(),
    )
    if not htmx.wants_fragment(request):
        return htmx.redirect(request, _people_url(request), toast="Invitation withdrawn")
    response = render(request, "tenants/_invitations.html", _people(request))
    return htmx.toast(response, "Invitation withdrawn")


def _people(request: OrganizationRequest) -> dict[str, Any]:
    search = request.GET.get("q", "").replace("\x00", "")[:200]
    sort = sort_of(request, MEMBER_COLUMNS, "person")
    found = queries.people_in(request.organization, search)
    return {
        "section": "people",
        "tab": "people",
        "search": search,
        "columns": MEMBER_COLUMNS,
        "sort": sort,
        "page": page_of(request, found, columns=MEMBER_COLUMNS, sort=sort),
        "list_url": _people_url(request),
        "roles": assignable_roles(request.membership),
        "role_values": [value for value, _ in assignable_roles(request.membership)],
        "invitations": queries.waiting_invitations(request.organization),
        "now": timezone.now(),
    }


def _people_url(request: OrganizationRequest) -> str:
    return reverse("tenants:people", kwargs={"organization": request.organization.slug})


def _members(
    request: OrganizationRequest, *, toast: str = "", problem: str = ""
) -> HttpResponseBase:
    if problem:
        context = _people(request) | {"problem": problem}
        return htmx.render(
            request, "tenants/people.html", "tenants/_members.html", context, status=422
        )
    if not htmx.wants_fragment(request):
        return htmx.redirect(request, _people_url(request), toast=toast)
    return htmx.toast(render(request, "tenants/_members.html", _people(request)), toast)


def _invited(request: OrganizationRequest, invitation: Invitation, link: str) -> HttpResponse:
    context = {"invitation": invitation, "link": link}
    response = _dialog(request, "tenants/_invited.html", context)
    if htmx.wants_fragment(request):
        rest = htmx.out_of_band(
            request, "invitations-block", "tenants/_invitations.html", _people(request)
        )
        response.write(rest)
    return response


def _dialog(
    request: OrganizationRequest, fragment: str, context: dict[str, Any], *, bound: bool = False
) -> HttpResponse:
    """Answer what stands in a dialog; without htmx it stands on a page of its own."""
    context |= {"section": "people", "fragment": fragment, "heading": HEADINGS[fragment]}
    status = 422 if bound else 200
    return htmx.render(request, "tenants/dialog.html", fragment, context, status=status)


# Joining by a link


@require_http_methods(["GET", "POST"])
@public
def invitation(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Show what a link offers; POST accepts it as the person who is signed in."""
    now = timezone.now()
    try:
        found = invitations.open_invitation(secret=secret, at=now)
    except DomainError as error:
        return render(request, "tenants/invitation_closed.html", {"error": error}, status=410)
    if request.method == "POST":
        return _accept(request, secret, found)
    form = RegistrationForm(email=found.email)
    return _invitation_page(request, secret, found, form)


@require_POST
@public
def register(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Make the account of somebody who was invited and sign them in."""
    now = timezone.now()
    try:
        found = invitations.open_invitation(secret=secret, at=now)
    except DomainError as error:
        return render(request, "tenants/invitation_closed.html", {"error": error}, status=410)
    form = RegistrationForm(request.POST, email=found.email)
    if not form.is_valid():
        return _invitation_page(request, secret, found, form)
    try:
        user = invitations.register_with_invitation(
            secret=secret,
            name=form.cleaned_data["name"],
            password=form.cleaned_data["password"],
            at=now,
        )
    except DomainError as error:
        form.add_error(None, error.message)
        return _invitation_page(request, secret, found, form)
    login(request, user, backend=BACKEND)
    return redirect("tenants:home", organization=found.organization.slug)


def _accept(request: HttpRequest, secret: str, found: Invitation) -> HttpResponseBase:
    if not isinstance(request.user, User):
        return redirect_to_login(request.path)
    try:
        membership = invitations.accept_invitation(
            secret=secret, user=request.user, at=timezone.now()
        )
    except DomainError as error:
        return render(
            request, "tenants/invitation_closed.html", {"error": error}, status=error.status
        )
    return redirect("tenants:home", organization=membership.organization.slug)


def _invitation_page(
    request: HttpRequest, secret: str, found: Invitation, form: RegistrationForm
) -> HttpResponse:
    account = User.objects.filter(email=found.email).first()
    context = {
        "invitation": found,
        "secret": secret,
        "form": form,
        "has_account": account is not None,
        "is_theirs": account is not None and request.user == account,
    }
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "tenants/invitation.html", context, status=status)


# API tokens


@require_GET
@requires("tokens.view")
def tokens(request: OrganizationRequest) -> HttpResponse:
    """List API tokens, usable ones first."""
    return htmx.render(request, "tenants/tokens.html", "tenants/_tokens.html", _tokens(request))


@require_http_methods(["GET", "POST"])
@requires("tokens.change")
def token_create(request: OrganizationRequest) -> HttpResponse:
    """Ask for name, role and life; answer with the token, shown this once."""
    form = TokenForm(posted(request), by=request.membership)
    if request.method == "POST" and form.is_valid():
        at = timezone.now()
        new = operations.NewToken(
            name=form.cleaned_data["name"],
            role=form.cleaned_data["role"],
            expires_at=form.expires_at(at),
        )
        token, text = operations.create_token(
            organization=request.organization,
            new=new,
            by=request.membership,
            actor=Actor.of(request),
            at=at,
        )
        return _token_made(request, {"token": token, "text": text})
    return _dialog(request, "tenants/_token_form.html", {"form": form}, bound=form.is_bound)


@require_POST
@requires("tokens.change")
def token_revoke(request: OrganizationRequest, public_id: str) -> HttpResponseBase:
    """Stop a token at its next call."""
    operations.revoke_token(
        organization=request.organization,
        public_id=public_id,
        by=request.membership,
        actor=Actor.of(request),
        at=timezone.now(),
    )
    if not htmx.wants_fragment(request):
        url = reverse("tenants:tokens", kwargs={"organization": request.organization.slug})
        return htmx.redirect(request, url, toast="Token revoked")
    return htmx.toast(render(request, "tenants/_tokens.html", _tokens(request)), "Token revoked")


def _token_made(request: OrganizationRequest, context: dict[str, Any]) -> HttpResponse:
    response = _dialog(request, "tenants/_token_made.html", context)
    if htmx.wants_fragment(request):
        rest = htmx.out_of_band(request, "tokens-block", "tenants/_tokens.html", _tokens(request))
        response.write(rest)
    return response


def _tokens(request: OrganizationRequest) -> dict[str, Any]:
    return {
        "section": "people",
        "tab": "tokens",
        "tokens": queries.tokens_of(request.organization),
        "now": timezone.now(),
    }

"""Pages about SDK keys: parse, one call, answer. A secret is in one answer and in no other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import trigger_client_event

from core import htmx
from core.access import requires
from core.audit import Actor
from core.errors import DomainError
from core.lists import Column
from core.tenancy import OrganizationRequest
from sdk_keys import operations, queries
from sdk_keys.forms import (
    STATUS_CHOICES,
    KeyFilterForm,
    KeyForm,
    RevocationForm,
    RotationForm,
)
from sdk_keys.models import SdkKey
from sdk_keys.operations import IssuedKey
from sdk_keys.snippets import Snippet, placeholder, snippets
from streams.forms import add_errors
from streams.models import Client
from streams.queries import example_stream

COLUMNS = (
    Column(key="name", label="Key"),
    Column(key="client", label="Client"),
    Column(key="status", label="Status"),
    Column(key="expires", label="Expires"),
    Column(key="seen", label="Last seen"),
    Column(key="created", label="Created"),
    Column(key="menu", label="Actions", hidden=True),
)
MAX_TALLIES = 200


@require_GET
@requires("keys.view")
def key_list(request: OrganizationRequest) -> HttpResponse:
    """Show every key of the organization that the address asks for."""
    at = timezone.now()
    wanted = KeyFilterForm(request.GET).wanted()
    found = queries.find_keys(request.organization, wanted, at)
    page = Paginator(found, queries.PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "section": "clients",
        "columns": COLUMNS,
        "page": page,
        "at": at,
        "wanted": wanted,
        "filtered": any((wanted.search, wanted.kind, wanted.status)),
        "filters": [
            {
                "name": "kind",
                "label": "Kind",
                "value": wanted.kind,
                "choices": [("", "Any kind"), *SdkKey.Kind.choices],
            },
            {
                "name": "status",
                "label": "Status",
                "value": wanted.status,
                "choices": STATUS_CHOICES,
            },
        ],
    }
    for key in page.object_list:
        _describe(key, at)
    return htmx.render(request, "sdk_keys/list.html", "sdk_keys/_list.html", context)


@require_GET
@requires("keys.view")
def client_keys(request: OrganizationRequest, slug: str) -> HttpResponse:
    """Show the keys of one client and how to connect with one."""
    at = timezone.now()
    client = get_object_or_404(Client, slug=slug)
    keys = queries.keys_of(request.organization, client.slug)
    for key in keys:
        _describe(key, at)
    usable = next((key for key in keys if key.is_usable(at)), None)
    context = {
        "section": "clients",
        "client": client,
        "keys": keys,
        "snippets": _snippets(client, placeholder(usable)),
    }
    return htmx.render(request, "sdk_keys/client.html", "sdk_keys/_client.html", context)


@require_http_methods(["GET", "POST"])
@requires("keys.change")
def key_create(request: OrganizationRequest, slug: str) -> HttpResponseBase:
    """Make a key and show it this once."""
    client = get_object_or_404(Client, slug=slug)
    form = KeyForm(request.POST or None, client=client)
    at = timezone.now()
    if request.method == "POST" and form.is_valid():
        try:
            issued = operations.create_key(
                organization=request.organization,
                client=client,
                fields=form.key_fields(at),
                actor=Actor.of(request),
                at=at,
            )
        except DomainError as error:
            add_errors(form, error)
        else:
            return _reveal(request, issued, client)
    return _dialog(request, "create", form, client=client)


@require_http_methods(["GET", "POST"])
@requires("keys.change")
def key_rotate(request: OrganizationRequest, public_id: str) -> HttpResponseBase:
    """Make a successor and show it this once."""
    key = _key(request, public_id)
    form = RotationForm(request.POST or None)
    at = timezone.now()
    if request.method == "POST" and form.is_valid():
        try:
            issued = operations.rotate_key(
                key=key,
                overlap=form.cleaned_data["overlap"],
                expires_at=form.expires_at(at),
                actor=Actor.of(request),
                at=at,
            )
        except DomainError as error:
            add_errors(form, error)
        else:
            return _reveal(request, issued, get_object_or_404(Client, slug=key.client_slug))
    return _dialog(request, "rotate", form, key=key)


@require_http_methods(["GET", "POST"])
@requires("keys.change")
def key_revoke(request: OrganizationRequest, public_id: str) -> HttpResponseBase:
    """Refuse a key from now on; one that is in use is asked for by name."""
    key, at = _key(request, public_id), timezone.now()
    in_use = queries.is_in_use(key, at)
    posted = request.POST if request.method == "POST" else None
    form = RevocationForm(posted, name=key.name, must_type=in_use)
    if request.method == "POST" and form.is_valid():
        operations.revoke_key(
            key=key, actor=Actor.of(request), at=at, comment=form.cleaned_data["comment"]
        )
        if not htmx.wants_fragment(request):
            return htmx.redirect(
                request, _client_url(request, key.client_slug), toast="Key revoked"
            )
        answer = htmx.toast(HttpResponse(), "Key revoked")
        return trigger_client_event(htmx.close_dialog(answer), "gantry:keys-changed", {})
    return _dialog(request, "revoke", form, key=key, in_use=in_use)


@require_GET
@requires("keys.view")
def tallies(request: OrganizationRequest) -> HttpResponse:
    """Fill the numbers of keys into the list of clients, out of band."""
    slugs = [slug for slug in request.GET.getlist("client") if "\x00" not in slug][:MAX_TALLIES]
    found = queries.key_tallies(request.organization, slugs, timezone.now())
    known = set(Client.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    rows = [(slug, tally) for slug, tally in found.items() if slug in known]
    return htmx.render(
        request,
        "sdk_keys/tallies.html",
        "sdk_keys/_tallies.html",
        {"rows": rows, "section": "clients"},
    )


@require_GET
@requires("keys.view")
def home_attention(request: OrganizationRequest) -> HttpResponse:
    """Show keys that end soon or ended: a part of the organization's home page."""
    at = timezone.now()
    keys = queries.keys_needing_attention(request.organization, at)
    for key in keys:
        _describe(key, at)
    context = {"keys": keys, "section": "home"}
    return htmx.render(request, "sdk_keys/attention.html", "sdk_keys/_attention.html", context)


def _describe(key: SdkKey, at: datetime) -> None:
    """Put on the row what templates show beside its fields."""
    key.status = queries.status_of(key, at)  # type: ignore[attr-defined]  # for templates only


def _key(request: OrganizationRequest, public_id: str) -> SdkKey:
    return get_object_or_404(SdkKey, organization=request.organization, public_id=public_id)


def _reveal(request: OrganizationRequest, issued: IssuedKey, client: Client) -> HttpResponse:
    context = {
        "section": "clients",
        "issued": issued,
        "client": client,
        "snippets": _snippets(client, issued.text),
    }
    answer = htmx.render(request, "sdk_keys/reveal.html", "sdk_keys/_reveal.html", context)
    return trigger_client_event(answer, "gantry:keys-changed", {})


def _dialog(request: OrganizationRequest, name: str, form: Any, **context: Any) -> HttpResponse:
    return htmx.render(
        request,
        f"sdk_keys/{name}.html",
        f"sdk_keys/_{name}.html",
        {"section": "clients", "form": form, **context},
        status=422 if form.is_bound else 200,
    )


def _snippets(client: Client, key: str) -> list[Snippet]:
    return snippets(
        base_url=settings.BASE_URL,
        key=key,
        stream=example_stream(),
        origin=client.origins[0] if client.origins else "",
    )


def _client_url(request: OrganizationRequest, slug: str) -> str:
    return reverse(
        "streams:client_detail", kwargs={"organization": request.organization.slug, "slug": slug}
    )

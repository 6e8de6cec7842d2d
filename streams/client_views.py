"""Pages about clients: parse, one call, answer."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core import htmx
from core.access import requires
from core.audit import Actor
from core.errors import DomainError
from core.lists import Column
from core.tenancy import OrganizationRequest
from streams import client_operations, queries
from streams.forms import CLIENT_STATUSES, ClientFilterForm, ClientForm, add_errors
from streams.models import Client, Platform
from streams.operations import StaleVersion
from streams.platforms import PLATFORMS
from streams.validation import ClientFields

COLUMNS = (
    Column(key="name", label="Client"),
    Column(key="platform", label="Platform"),
    Column(key="identifiers", label="Identifiers"),
    Column(key="status", label="Status"),
    Column(key="keys", label="Keys in force", numeric=True),
    Column(key="seen", label="Last seen"),
)
VERBS = {
    "disable": (client_operations.disable_client, "Client disabled", "enable"),
    "enable": (client_operations.enable_client, "Client enabled", "disable"),
    "archive": (client_operations.archive_client, "Client archived", "restore"),
    "restore": (client_operations.restore_client, "Client restored", ""),
}


@require_GET
@requires("clients.view")
def client_list(request: OrganizationRequest) -> HttpResponse:
    """Show the clients that the address asks for."""
    wanted = ClientFilterForm(request.GET).wanted()
    page = Paginator(queries.find_clients(wanted), queries.PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    context = {
        "section": "clients",
        "columns": COLUMNS,
        "page": page,
        "wanted": wanted,
        "filtered": any((wanted.search, wanted.platform, wanted.status)),
        "filters": [
            {
                "name": "platform",
                "label": "Platform",
                "value": wanted.platform,
                "choices": [("", "Any platform"), *Platform.choices],
            },
            {
                "name": "status",
                "label": "Status",
                "value": wanted.status,
                "choices": CLIENT_STATUSES,
            },
        ],
    }
    return htmx.render(request, "streams/client_list.html", "streams/_client_list.html", context)


@require_http_methods(["GET", "POST"])
@requires("clients.change")
def client_new(request: OrganizationRequest) -> HttpResponseBase:
    """Make a client; choosing a platform shows the identifiers it has."""
    platform = request.POST.get("platform") or request.GET.get("platform") or Platform.WEB
    form = ClientForm(request.POST or None, platform=platform, initial=_typed(request, platform))
    if request.method == "POST" and form.is_valid():
        try:
            client = client_operations.create_client(
                fields=form.client_fields(),
                slug=form.cleaned_data["slug"],
                platform=form.cleaned_data["platform"],
                actor=Actor.of(request),
                at=timezone.now(),
            )
        except DomainError as error:
            add_errors(form, error)
        else:
            return htmx.redirect(request, _url(request, client.slug), toast="Client created")
    return _form(request, form, None)


@require_GET
@requires("clients.view")
def client_detail(request: OrganizationRequest, slug: str) -> HttpResponse:
    client = get_object_or_404(Client, slug=slug)
    context = {
        "section": "clients",
        "client": client,
        "rules": PLATFORMS[Platform(client.platform)],
        "identifiers": client.origins or client.bundle_ids,
    }
    return htmx.render(
        request, "streams/client_detail.html", "streams/_client_detail.html", context
    )


@require_http_methods(["GET", "POST"])
@requires("clients.change")
def client_edit(request: OrganizationRequest, slug: str) -> HttpResponseBase:
    """Change a client; what somebody else saved meanwhile is shown, never overwritten unseen."""
    client = get_object_or_404(Client, slug=slug)
    initial = vars(ClientFields.of(client)) | {"version": client.version}
    form = ClientForm(
        request.POST or None, platform=client.platform, existing=True, initial=initial
    )
    if request.method == "POST" and form.is_valid():
        try:
            client_operations.update_client(
                client=client,
                fields=form.client_fields(),
                based_on=form.cleaned_data["version"] or 0,
                actor=Actor.of(request),
                at=timezone.now(),
            )
        except StaleVersion as error:
            return _conflict(request, client, error)
        except DomainError as error:
            add_errors(form, error)
        else:
            return htmx.redirect(request, _url(request, slug), toast="Saved")
    return _form(request, form, client)


@require_POST
@requires("clients.change")
def client_status(request: OrganizationRequest, slug: str, verb: str) -> HttpResponseBase:
    """Disable, enable, archive or restore a client."""
    if verb not in VERBS:
        raise Http404
    operation, toast, opposite = VERBS[verb]
    operation(
        client=get_object_or_404(Client, slug=slug), actor=Actor.of(request), at=timezone.now()
    )
    return htmx.redirect(
        request,
        _url(request, slug),
        toast=toast,
        undo_url=_status_url(request, slug, opposite) if opposite else "",
    )


def _typed(request: OrganizationRequest, platform: str) -> dict[str, str]:
    """Return what was typed before another platform was chosen."""
    kept = {name: request.GET[name] for name in ("name", "slug") if request.GET.get(name)}
    return {"platform": platform, **kept}


def _form(
    request: OrganizationRequest,
    form: ClientForm,
    client: Client | None,
    *,
    status: int = 422,
    conflict: DomainError | None = None,
) -> HttpResponse:
    context = {"section": "clients", "form": form, "client": client, "conflict": conflict}
    status = status if form.is_bound else 200
    return htmx.render(
        request, "streams/client_form.html", "streams/_client_form.html", context, status=status
    )


def _conflict(request: OrganizationRequest, client: Client, error: DomainError) -> HttpResponse:
    """Keep what was typed; saving again is then based on what is there now."""
    client.refresh_from_db()
    again = ClientForm(
        {**request.POST.dict(), "version": client.version},
        platform=client.platform,
        existing=True,
    )
    again.is_valid()
    return _form(request, again, client, status=409, conflict=error)


def _url(request: OrganizationRequest, slug: str) -> str:
    return reverse(
        "streams:client_detail", kwargs={"organization": request.organization.slug, "slug": slug}
    )


def _status_url(request: OrganizationRequest, slug: str, verb: str) -> str:
    return reverse(
        "streams:client_status",
        kwargs={"organization": request.organization.slug, "slug": slug, "verb": verb},
    )

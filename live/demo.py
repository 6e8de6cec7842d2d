"""What would a viewer see? A page that runs the JavaScript SDK against this server; demo only."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from core.access import public
from core.errors import NotFound
from core.tenancy import organization_context
from live.showcase import credentials
from streams.models import Client, Platform, Stream
from tenants.models import Organization


@require_GET
@public
def viewer(request: HttpRequest, org_slug: str, stream_slug: str) -> HttpResponse:
    """Show the viewer as one client of the demo; `?client=` chooses another."""
    keys = _demo_keys(org_slug)
    organization = get_object_or_404(Organization.objects.active(), slug=org_slug)
    with organization_context(organization.schema_name):
        stream = get_object_or_404(Stream, slug=stream_slug)
        clients = [client for client in Client.objects.current() if client.slug in keys]
    chosen = _chosen(clients, request.GET.get("client", ""))
    context = {
        "shown": organization,
        "stream": stream,
        "clients": clients,
        "chosen": chosen,
        "sdk_key": keys[chosen.slug],
    }
    return render(request, "demo/viewer.html", context)


def _demo_keys(org_slug: str) -> dict[str, str]:
    """Return the demo's keys by client; outside the demo the page does not exist."""
    if not settings.DEMO:
        raise Http404
    try:
        organizations: list[dict[str, Any]] = credentials.read()["organizations"]
    except credentials.NoDemo as error:
        raise Http404 from error
    seeded = next((each for each in organizations if each["slug"] == org_slug), None)
    if seeded is None:
        raise NotFound("The demo viewer is there for the demo's own organizations only.")
    return {client["slug"]: client["sdk_key"] for client in seeded["clients"]}


def _chosen(clients: list[Client], asked: str) -> Client:
    """Return the client asked for, else the first for the web, else the first."""
    if not clients:
        raise Http404
    by_slug = {client.slug: client for client in clients}
    on_web = next((client for client in clients if client.platform == Platform.WEB), clients[0])
    return by_slug.get(asked, on_web)

"""The parts of pages that show who is connected and how far a change has come."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from core.access import requires
from core.htmx import render
from core.tenancy import OrganizationRequest
from live import protocol, queries
from streams.models import Stream

QUICK_S = 20  # for so long after a publish the line is asked for twice a second
QUICK, SLOW = "every 500ms", "every 5s"


@require_GET
@requires("delivery.view")
def connected(request: OrganizationRequest, stream: str | None = None) -> HttpResponse:
    """Connected SDKs of a stream, or of the whole organization."""
    context: dict[str, object] = {"stream": _known(stream)}
    try:
        context["connected"] = queries.connected(request.organization.schema_name, stream=stream)
    except queries.DeliveryUnknown as error:
        context["unknown"] = error.message
    return _part(request, "live/_connected.html", "Connected SDKs", context)


@require_GET
@requires("delivery.view")
def home_connected(request: OrganizationRequest) -> HttpResponse:
    """The organization's connected SDKs as figures."""
    context: dict[str, object] = {}
    try:
        context["connected"] = queries.connected(request.organization.schema_name)
    except queries.DeliveryUnknown as error:
        context["unknown"] = error.message
    return _part(request, "live/_home_connected.html", "Connected SDKs", context)


@require_GET
@requires("delivery.view")
def reach(request: OrganizationRequest) -> HttpResponse:
    """How many connected SDKs a change at `?stream=&client=` reaches, as text."""
    context: dict[str, object] = {}
    try:
        context["reach"] = queries.reach(
            request.organization.schema_name,
            stream=request.GET.get("stream") or None,
            client=request.GET.get("client") or None,
        )
    except queries.DeliveryUnknown as error:
        context["unknown"] = error.message
    return _part(request, "live/_reach.html", "Reach", context)


@require_GET
@requires("delivery.view")
def delivery(request: OrganizationRequest, stream: str | None = None) -> HttpResponse:
    """How far the last change, or the one of `?version=`, has come; asks again until all have it.

    With a version it is the line alone, without one a panel with every client.
    """
    stream = _known(stream or request.GET.get("stream") or None)
    change = queries.last_change(stream=stream, version=_version(request))
    context: dict[str, object] = {"change": change, "stream": stream, "poll": ""}
    template = "live/_delivery_line.html" if "version" in request.GET else "live/_delivery.html"
    if change is None:
        return _part(request, template, "Delivery", context)
    try:
        found = queries.delivery(
            request.organization.schema_name,
            change,
            stream=stream,
            client=request.GET.get("client") or None,
        )
    except queries.DeliveryUnknown as error:
        return _part(request, template, "Delivery", context | {"unknown": error.message})
    is_new = (timezone.now() - change.at).total_seconds() < QUICK_S
    context["delivery"] = found
    if not found.is_complete or is_new:
        context["poll"] = QUICK if is_new else SLOW
    context["poll_url"] = request.get_full_path()
    return _part(request, template, "Delivery", context)


def _part(
    request: OrganizationRequest, part: str, title: str, context: dict[str, object]
) -> HttpResponse:
    """Answer htmx with the part alone and everybody else with a page around it."""
    context |= {"part": part, "title": title, "section": "streams"}
    return render(request, "live/part.html", part, context)


def _known(stream: str | None) -> str | None:
    return get_object_or_404(Stream, slug=stream).slug if stream is not None else None


def _version(request: OrganizationRequest) -> int | None:
    text = request.GET.get("version")
    if text is None:
        return None
    if not text.isdecimal() or not text.isascii() or len(text) > len(str(protocol.MAX_VERSION)):
        raise queries.UnknownChange("A config version is a whole number.")
    return int(text)

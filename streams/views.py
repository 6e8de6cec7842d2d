"""Pages about streams: parse, one call, answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.middleware import HtmxDetails

from core import htmx
from core.access import requires
from core.audit import Actor
from core.errors import DomainError
from core.lists import Column, sort_of
from core.tenancy import OrganizationRequest
from streams import operations, queries
from streams.forms import StreamFilterForm, StreamForm, TransitionForm, add_errors, stream_initial
from streams.local_time import wall_at
from streams.models import Client, Stream

COLUMNS = (
    Column(key="title", label="Stream", sortable=True),
    Column(key="state", label="State", sortable=True),
    Column(key="starts_at", label="Starts", sortable=True),
    Column(key="tags", label="Tags"),
    Column(key="menu", label="Actions", hidden=True),
)
MAX_UNDO = 50
MAX_CLIENT_LINKS = 50
DONE = {
    "scheduled": "Scheduled",
    "live": "Stream is live",
    "ended": "Stream ended",
    "archived": "Archived",
    "draft": "Restored",
}


@require_GET
@requires("streams.view")
def stream_list(request: OrganizationRequest) -> HttpResponse:
    """Show the streams that the address asks for."""
    form = StreamFilterForm(request.GET)
    wanted = form.wanted(sort_of(request, COLUMNS, queries.DEFAULT_SORT))
    counts = queries.stream_counts(wanted)
    page = Paginator(queries.find_streams(wanted), queries.PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    context = {
        "section": "streams",
        "wanted": wanted,
        "form": form,
        "columns": COLUMNS,
        "sort": wanted.sort,
        "page": page,
        "tags": queries.used_tags(),
        "tabs": _state_tabs(request, counts, wanted.state),
        "filtered": _is_filtered(wanted),
    }
    return htmx.render(request, "streams/list.html", "streams/_list.html", context)


@require_http_methods(["GET", "POST"])
@requires("streams.change")
def stream_new(request: OrganizationRequest) -> HttpResponseBase:
    """Make a draft."""
    form = StreamForm(request.POST or None, initial={"time_zone": "UTC"})
    if request.method == "POST" and form.is_valid():
        try:
            stream = operations.create_stream(
                fields=form.stream_fields(), actor=Actor.of(request), at=timezone.now()
            )
        except DomainError as error:
            add_errors(form, error)
        else:
            return htmx.redirect(request, _url(request, stream), toast="Draft created")
    return _form(request, form, None)


@require_GET
@requires("streams.view")
def stream_detail(request: OrganizationRequest, slug: str) -> HttpResponse:
    return _detail(request, get_object_or_404(Stream, slug=slug))


@require_http_methods(["GET", "POST"])
@requires("streams.change")
def stream_edit(request: OrganizationRequest, slug: str) -> HttpResponseBase:
    """Change a stream; what somebody else saved meanwhile is shown, never overwritten unseen."""
    stream = get_object_or_404(Stream, slug=slug)
    form = StreamForm(request.POST or None, stream=stream)
    if request.method == "POST" and form.is_valid():
        try:
            operations.update_stream(
                stream=stream,
                fields=form.stream_fields(),
                based_on=form.cleaned_data["version"] or 0,
                actor=Actor.of(request),
                at=timezone.now(),
            )
        except operations.StaleVersion as error:
            return _conflict(request, form, stream, error)
        except DomainError as error:
            add_errors(form, error)
        else:
            return htmx.redirect(request, _url(request, stream), toast="Saved")
    return _form(request, form, stream)


@require_POST
@requires("streams.change")
def stream_transition(request: OrganizationRequest, slug: str, to: str) -> HttpResponseBase:
    """Take a stream one step further."""
    stream = get_object_or_404(Stream, slug=slug)
    form = TransitionForm(request.POST)
    try:
        operations.transition_stream(
            stream=stream,
            to=to,
            actor=Actor.of(request),
            at=timezone.now(),
            comment=form.cleaned_data["comment"] if form.is_valid() else "",
        )
    except DomainError as error:
        return _detail(request, stream, refusal=error)
    undo = _transition_url(request, stream, stream.state) if to == Stream.State.ARCHIVED else ""
    return htmx.redirect(request, _url(request, stream), toast=DONE[to], undo_url=undo)


@require_POST
@requires("streams.change")
def stream_archive(request: OrganizationRequest) -> HttpResponseBase:
    """Archive the chosen streams that can be."""
    chosen = request.POST.getlist("stream")
    try:
        done, left = operations.archive_streams(
            slugs=chosen, actor=Actor.of(request), at=timezone.now()
        )
    except DomainError as error:
        return htmx.redirect(request, _back(request), toast=error.message[:30])
    undo = reverse("streams:restore", kwargs={"organization": request.organization.slug})
    query = urlencode([("stream", slug) for slug in done])
    return htmx.redirect(
        request,
        _back(request),
        toast=f"{len(done)} archived" + (f", {left} left" if left else ""),
        undo_url=f"{undo}?{query}" if 0 < len(done) <= MAX_UNDO else "",
    )


@require_POST
@requires("streams.change")
def stream_restore(request: OrganizationRequest) -> HttpResponseBase:
    """Bring back the streams named in the address: the undo of archiving many."""
    restored = operations.restore_streams(
        slugs=request.GET.getlist("stream")[:MAX_UNDO], actor=Actor.of(request), at=timezone.now()
    )
    return htmx.redirect(request, _back(request), toast=f"{restored} restored")


@require_GET
@requires("streams.view")
def home_live(request: OrganizationRequest) -> HttpResponse:
    """Show what is live and what starts soon: a part of the organization's home page."""
    live, soon = queries.live_and_soon(timezone.now())
    context = {"live": live, "soon": soon, "section": "home", "now": timezone.now()}
    return htmx.render(request, "streams/home_live.html", "streams/_home_live.html", context)


@require_GET
@requires("streams.view")
def home_attention(request: OrganizationRequest) -> HttpResponse:
    """Show streams somebody should look at: a part of the organization's home page."""
    streams = queries.streams_needing_attention(timezone.now())
    context = {"streams": streams, "section": "home"}
    return htmx.render(request, "streams/attention.html", "streams/_attention.html", context)


@require_GET
@requires("streams.view")
def palette(request: OrganizationRequest) -> HttpResponse:
    """Show streams and clients that match what was typed into the palette."""
    search = StreamFilterForm(request.GET).wanted(queries.DEFAULT_SORT).search
    streams, clients = queries.palette_matches(search) if search else ([], [])
    context = {"streams": streams, "clients": clients, "section": "streams"}
    return htmx.render(request, "streams/palette.html", "streams/_palette.html", context)


def _detail(
    request: OrganizationRequest, stream: Stream, refusal: DomainError | None = None
) -> HttpResponse:
    context = {
        "section": "streams",
        "stream": stream,
        "steps": queries.next_steps(stream),
        "transitions": queries.recent_transitions(stream),
        "clients": Client.objects.current().order_by("name")[:MAX_CLIENT_LINKS],
        "starts_there": _there(stream, "starts_at"),
        "ends_there": _there(stream, "ends_at"),
        "ran_s": _ran_s(stream),
        "refusal": refusal,
    }
    status = 409 if refusal else 200
    return htmx.render(
        request, "streams/detail.html", "streams/_detail.html", context, status=status
    )


def _form(
    request: OrganizationRequest,
    form: StreamForm,
    stream: Stream | None,
    *,
    status: int = 422,
    **extra: Any,
) -> HttpResponse:
    context = {"section": "streams", "form": form, "stream": stream, **extra}
    status = status if form.is_bound else 200
    return htmx.render(request, "streams/form.html", "streams/_form.html", context, status=status)


def _conflict(
    request: OrganizationRequest, form: StreamForm, stream: Stream, error: DomainError
) -> HttpResponse:
    """Show theirs beside mine; saving again is then based on theirs."""
    stream.refresh_from_db()
    theirs = stream_initial(stream)
    changes = [
        {
            "key": name,
            "label": form.fields[name].label or name.title(),
            "was": _shown(theirs[name]),
            "becomes": _shown(form.cleaned_data[name]),
        }
        for name in theirs
        if name in form.fields and name != "version" and theirs[name] != form.cleaned_data[name]
    ]
    again = StreamForm({**request.POST.dict(), "version": stream.version}, stream=stream)
    again.is_valid()
    return _form(request, again, stream, status=409, conflict=error, changes=changes)


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _state_tabs(
    request: OrganizationRequest, counts: Mapping[str, int], state: str
) -> list[dict[str, object]]:
    query = request.GET.copy()
    for name in ("page", "state"):
        query.pop(name, None)
    labels = [("", "Current"), *Stream.State.choices]
    tabs = []
    for value, label in labels:
        address = query.copy()
        if value:
            address["state"] = value
        tabs.append(
            {
                "label": label,
                "url": f"{request.path}?{address.urlencode()}",
                "current": value == state,
                "count": counts[value],
            }
        )
    return tabs


def _is_filtered(wanted: queries.StreamFilter) -> bool:
    parts = (wanted.search, wanted.tag, wanted.starts_from, wanted.starts_until, wanted.state)
    return any(parts)


def _there(stream: Stream, name: str) -> str:
    moment = getattr(stream, name)
    return wall_at(moment, stream.time_zone).strftime("%a %-d %b %Y, %H:%M") if moment else ""


def _ran_s(stream: Stream) -> float | None:
    if stream.live_at is None or stream.ended_at is None:
        return None
    return (stream.ended_at - stream.live_at).total_seconds()


def _url(request: OrganizationRequest, stream: Stream) -> str:
    # The slug may just have been changed, so it is read again.
    slug = Stream.objects.values_list("slug", flat=True).get(pk=stream.pk)
    return reverse(
        "streams:detail", kwargs={"organization": request.organization.slug, "slug": slug}
    )


def _transition_url(request: OrganizationRequest, stream: Stream, to: str) -> str:
    return reverse(
        "streams:transition",
        kwargs={"organization": request.organization.slug, "slug": stream.slug, "to": to},
    )


def _back(request: OrganizationRequest) -> str:
    """Return the list as the person had it, filters and page included."""
    listed = reverse("streams:list", kwargs={"organization": request.organization.slug})
    htmx_details: HtmxDetails | None = getattr(request, "htmx", None)
    current = (htmx_details and htmx_details.current_url_abs_path) or ""
    return current if current.partition("?")[0] == listed else listed

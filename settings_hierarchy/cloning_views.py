"""The page that clones a stream, and the same for programs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import htmx
from core.access import requires
from core.audit import Actor
from core.errors import DomainError
from core.idempotency import IdempotentPostMixin
from core.tenancy import OrganizationRequest
from settings_hierarchy.cloning import clone_stream_with_overrides
from streams.forms import StreamForm, add_errors, stream_initial
from streams.models import Stream
from streams.preconditions import etag
from streams.serializers import CloneSerializer, StreamSerializer
from streams.validation import MAX_TITLE, StreamFields

WEEK = timedelta(days=7)


@require_http_methods(["GET", "POST"])
@requires("streams.change")
def stream_clone(request: OrganizationRequest, slug: str) -> HttpResponseBase:
    """Make a draft with another stream's settings; it is offered for a week later."""
    source = get_object_or_404(Stream, slug=slug)
    form = StreamForm(request.POST or None, initial=_offered(source))
    if request.method == "POST" and form.is_valid():
        try:
            clone = clone_stream_with_overrides(
                source=source,
                fields=form.stream_fields(),
                actor=Actor.of(request),
                at=timezone.now(),
            )
        except DomainError as error:
            add_errors(form, error)
        else:
            return htmx.redirect(request, _url(request, clone.slug), toast="Cloned as a draft")
    return _page(request, form, source)


class StreamClone(IdempotentPostMixin, APIView):
    """Make a draft with another stream's settings."""

    required_permission = "streams.change"

    @extend_schema(
        operation_id="streams_clone",
        request=CloneSerializer,
        responses={201: StreamSerializer},
        description="What is left out is taken from the other stream, but for start and end.",
    )
    def post(self, request: Request, slug: str) -> Response:
        source = get_object_or_404(Stream, slug=slug)
        body = CloneSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        held = replace(StreamFields.of(source), slug="", starts_at=None, ends_at=None)
        clone = clone_stream_with_overrides(
            source=source, fields=body.fields_over(held), actor=Actor.of(request), at=timezone.now()
        )
        return Response(StreamSerializer(clone).data, status=201, headers=etag(clone.version))


def _page(request: OrganizationRequest, form: StreamForm, source: Stream) -> HttpResponse:
    return htmx.render(
        request,
        "streams/clone.html",
        "streams/_clone.html",
        {"section": "streams", "form": form, "source": source, "stream": None},
        status=422 if form.is_bound else 200,
    )


def _offered(source: Stream) -> dict[str, object]:
    """Return the source's fields, a week later on the same wall clock, with a name of its own."""
    offered = stream_initial(source)
    for name in ("starts_at", "ends_at"):
        offered[name] = offered[name] + WEEK if offered[name] else None
    title = f"{source.title} (copy)"
    return {**offered, "slug": "", "title": title[:MAX_TITLE], "version": None}


def _url(request: OrganizationRequest, slug: str) -> str:
    return reverse(
        "streams:detail", kwargs={"organization": request.organization.slug, "slug": slug}
    )

"""Which streams and clients does a list show, and what may happen to one next?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, Count, F, Func, Q, QuerySet, TextField, When
from django.db.models.functions import Lower

from streams.lifecycle import Step, steps_from
from streams.models import OPEN_STATES, Client, Stream, StreamQuerySet, Transition

PAGE_SIZE = 50
MAX_LISTED_TAGS = 200
STARTING_SOON = timedelta(hours=24)
HOME_ROWS = 12
HISTORY_ROWS = 20
PALETTE_ROWS = 6

_STARTS = F("starts_at")
SORTS = {
    "-starts_at": (_STARTS.desc(nulls_first=True), "-pk"),
    "starts_at": (_STARTS.asc(nulls_last=True), "pk"),
    "title": (Lower("title").asc(), "pk"),
    "-title": (Lower("title").desc(), "-pk"),
    "state": ("state", _STARTS.desc(nulls_first=True), "-pk"),
    "-state": ("-state", _STARTS.desc(nulls_first=True), "-pk"),
    "-created_at": ("-created_at", "-pk"),
    "created_at": ("created_at", "pk"),
}
DEFAULT_SORT = "-starts_at"


@dataclass(frozen=True, kw_only=True)
class StreamFilter:
    """Which streams are wanted; `state` "" means all that are not archived."""

    search: str = ""
    state: str = ""
    tag: str = ""
    starts_from: datetime | None = None
    starts_until: datetime | None = None
    sort: str = DEFAULT_SORT


@dataclass(frozen=True, kw_only=True)
class ClientFilter:
    """Which clients are wanted; status is "", enabled, disabled or archived."""

    search: str = ""
    platform: str = ""
    status: str = ""


def find_streams(wanted: StreamFilter) -> QuerySet[Stream]:
    """Return the streams that match, in the order asked for."""
    found = _matching(wanted)
    found = found.filter(state=wanted.state) if wanted.state else found.current()
    return found.order_by(*SORTS[wanted.sort])


def stream_counts(wanted: StreamFilter) -> dict[str, int]:
    """Return how many streams each state has under the other filters; "" is all not archived."""
    rows = _matching(wanted).order_by().values_list("state").annotate(Count("pk"))
    counts = dict.fromkeys(Stream.State.values, 0) | dict(rows)
    return {"": sum(counts.values()) - counts[Stream.State.ARCHIVED]} | counts


def used_tags() -> list[str]:
    """Return the tags in use on streams that are not archived, sorted."""
    each = Func(F("tags"), function="unnest", output_field=TextField())
    rows = Stream.objects.current().order_by().annotate(each=each).values_list("each", flat=True)
    return sorted(rows.distinct()[:MAX_LISTED_TAGS])


def archived_from(stream: Stream) -> str:
    """Return the state an archived stream came from, "" when it is not archived."""
    if stream.state != Stream.State.ARCHIVED:
        return ""
    last = Transition.objects.filter(stream=stream, after=Stream.State.ARCHIVED).first()
    return last.before if last else Stream.State.DRAFT


def next_steps(stream: Stream) -> tuple[Step, ...]:
    return steps_from(stream.state, archived_from(stream))


def recent_transitions(stream: Stream) -> Sequence[Transition]:
    return list(stream.transitions.all()[:HISTORY_ROWS])


def live_and_soon(at: datetime) -> tuple[list[Stream], list[Stream]]:
    """Return what is live, longest first, and what starts within a day or should have started."""
    until = at + STARTING_SOON
    scheduled = Q(state=Stream.State.SCHEDULED, starts_at__lte=until)
    rows = Stream.objects.filter(Q(state=Stream.State.LIVE) | scheduled)
    rows = rows.order_by("starts_at", "pk")[: 2 * HOME_ROWS]
    live = [row for row in rows if row.is_live]
    soon = [row for row in rows if not row.is_live]
    return sorted(live, key=lambda row: row.live_at or at)[:HOME_ROWS], soon[:HOME_ROWS]


def streams_needing_attention(at: datetime) -> Sequence[Stream]:
    """Return what should be live by now and is not, then drafts that start within a day."""
    late = Q(state=Stream.State.SCHEDULED, starts_at__lt=at)
    unready = Q(state=Stream.State.DRAFT, starts_at__gt=at, starts_at__lte=at + STARTING_SOON)
    return list(Stream.objects.filter(late | unready).order_by("starts_at", "pk")[:HOME_ROWS])


def example_stream() -> str:
    """Return the slug of a stream that SDKs may join: what is live before what comes next."""
    joinable = Stream.objects.filter(state__in=OPEN_STATES)
    live_first = Case(When(state=Stream.State.LIVE, then=0), default=1)
    slugs = joinable.order_by(live_first, "-starts_at").values_list("slug", flat=True)
    return slugs.first() or "your-stream"


def palette_matches(search: str) -> tuple[list[Stream], list[Client]]:
    """Return the few streams and clients that a search for a page may mean."""
    streams = find_streams(StreamFilter(search=search))[:PALETTE_ROWS]
    clients = find_clients(ClientFilter(search=search))[:PALETTE_ROWS]
    return list(streams), list(clients)


def find_clients(wanted: ClientFilter) -> QuerySet[Client]:
    """Return the clients that match, by name."""
    found = Client.objects.all()
    if wanted.search:
        found = found.filter(
            Q(name__icontains=wanted.search)
            | Q(slug__icontains=wanted.search)
            | Q(bundle_ids__icontains=wanted.search)
            | Q(origins__icontains=wanted.search)
        )
    if wanted.platform:
        found = found.filter(platform=wanted.platform)
    by_status = {
        "": Q(archived_at__isnull=True),
        "enabled": Q(archived_at__isnull=True, disabled_at__isnull=True),
        "disabled": Q(archived_at__isnull=True, disabled_at__isnull=False),
        "archived": Q(archived_at__isnull=False),
    }
    return found.filter(by_status[wanted.status]).order_by(Lower("name"), "pk")


def _matching(wanted: StreamFilter) -> StreamQuerySet:
    found = Stream.objects.all()
    if wanted.search:
        found = found.filter(
            Q(title__icontains=wanted.search)
            | Q(slug__icontains=wanted.search)
            | Q(tags__icontains=wanted.search)
        )
    if wanted.tag:
        found = found.filter(tags__contains=[wanted.tag])
    if wanted.starts_from:
        found = found.filter(starts_at__gte=wanted.starts_from)
    if wanted.starts_until:
        found = found.filter(starts_at__lt=wanted.starts_until)
    return found

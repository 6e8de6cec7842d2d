"""Charts that other pages load by htmx."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from analytics import queries
from analytics.clickhouse import AnalyticsUnavailable
from analytics.events import FAMILIES
from analytics.queries import WINDOWS, Activity
from core.access import requires
from core.htmx import render
from core.tenancy import OrganizationRequest
from streams.models import Stream

DEFAULT_WINDOW = "15m"


@requires("delivery.view")
def stream_chart(request: OrganizationRequest, stream: str) -> HttpResponse:
    """Show what a stream's audience does; the fragment asks for itself again every few seconds."""
    shown = get_object_or_404(Stream, slug=stream)
    window = WINDOWS.get(request.GET.get("window", ""), WINDOWS[DEFAULT_WINDOW])
    context: dict[str, Any] = {
        "section": "streams",
        "stream": shown,
        "window": window,
        "windows": WINDOWS.values(),
        "as_table": request.GET.get("table") == "1",
        "lag_s": queries.ingest_lag_s(),
        "at": timezone.now(),
    }
    try:
        activity = queries.stream_activity(
            request.organization.schema_name, shown.slug, window=window, at=context["at"]
        )
    except AnalyticsUnavailable as error:
        context["unavailable"] = error.message
    else:
        context |= {"activity": activity, "families": FAMILIES.values(), **_charts(activity)}
    return render(request, "analytics/stream_chart.html", "analytics/_stream_chart.html", context)


def _charts(activity: Activity) -> dict[str, object]:
    """Return both charts in the form that static/js/chart.js draws."""
    minutes = activity.minutes
    return {
        "viewers_chart": {
            "series": [{"label": "Viewers"}],
            "data": [
                [int(minute.at.timestamp()) for minute in minutes],
                [minute.viewers for minute in minutes],
            ],
        },
        "events_chart": {
            "series": [{"label": line.label} for line in activity.families],
            "data": [activity.buckets, *(line.values for line in activity.families)],
        },
    }

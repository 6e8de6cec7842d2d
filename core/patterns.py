"""The pattern page: every component of the kit in every state, on data made up for it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from core.access import public
from core.htmx import render
from core.lists import Column, sort_of

COLUMNS = (
    Column(key="title", label="Stream", sortable=True),
    Column(key="state", label="State"),
    Column(key="starts_at", label="Starts", sortable=True),
    Column(key="clients", label="SDKs", sortable=True, numeric=True),
    Column(key="menu", label="Actions", hidden=True),
)
TITLES = (
    ("Cup final: Harbour City – Northgate", "cup-final", "live", 415),
    ("Matchday 12 preview show", "matchday-12-preview", "scheduled", 0),
    ("Under-21 semi-final, second leg", "u21-semi-final-2", "scheduled", 0),
    ("Press conference", "press-conference", "draft", 0),
    ("League night, round 11", "league-night-11", "ended", 0),
    ("Charity match 2025", "charity-match-2025", "archived", 0),
)
CHANGES: list[dict[str, Any]] = [
    {
        "key": "overlays.games.enabled",
        "label": "Prediction games",
        "was": False,
        "becomes": True,
        "was_level": "organization",
        "becomes_level": "stream",
    },
    {
        "key": "chat.slow_mode_s",
        "label": "Slow mode",
        "was": 0,
        "becomes": 15,
        "was_level": "default",
        "becomes_level": "stream",
        "locked_by": "organization",
    },
]
SNIPPETS = [
    {
        "name": "JavaScript",
        "code": 'import { Gantry } from "./gantry.js";\n\n'
        'const gantry = new Gantry({ key: "gk_publishable_…", stream: "cup-final" });\n'
        'gantry.on("change", ({ settings }) => render(settings));\nawait gantry.start();',
    },
    {
        "name": "Python",
        "code": 'async with Gantry(key="gk_…", stream="cup-final") as gantry:\n    …',
    },
    {"name": "curl", "code": "curl -X POST https://…/sdk/v1/sessions \\\n  -H 'X-SDK-Key: gk_…'"},
]


class ExampleForm(forms.Form):
    """One field of each kind; it is shown empty and refused."""

    title = forms.CharField(max_length=120, help_text="Viewers never see it.")
    slug = forms.SlugField(help_text="Part of the address. It never changes after the draft.")
    starts_at = forms.CharField(label="Starts", widget=forms.DateTimeInput, required=False)
    platform = forms.ChoiceField(choices=[("web", "Web"), ("ios", "iOS"), ("roku", "Roku")])
    origins = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    notify = forms.BooleanField(label="Write to the owners", required=False)
    visibility = forms.ChoiceField(
        choices=[("client", "Sent to clients"), ("server", "Stays in the back office")],
        widget=forms.RadioSelect,
        initial="client",
    )


@public
def patterns(request: HttpRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404
    now = timezone.now()
    context = (
        _table(request, now) | _forms() | {"changes": CHANGES, "snippets": SNIPPETS, "now": now}
    )
    context |= {
        "live_since": now - timedelta(hours=1, minutes=2, seconds=14),
        "starts_at": now + timedelta(hours=5),
        "chart": _chart(now),
        "tabs": [
            {"label": "Overview", "url": "#", "current": True, "count": None},
            {"label": "Settings", "url": "#", "current": False, "count": 14},
            {"label": "Delivery", "url": "#", "current": False, "count": None},
        ],
        "consequences": ["3 apps use it.", "412 open connections close within a second."],
        "blocked_words": ["spoiler", "final score"],
    }
    return render(request, "patterns.html", "patterns/_list.html", context)


def _table(request: HttpRequest, now: datetime) -> dict[str, Any]:
    sort = sort_of(request, COLUMNS, "-starts_at")
    rows = [
        {
            "title": title,
            "slug": slug,
            "state": state,
            "clients": clients,
            "since": now - timedelta(minutes=62),
            "starts_at": now + timedelta(hours=5 + 40 * index),
        }
        for index, (title, slug, state, clients) in enumerate(TITLES)
    ]
    rows.sort(key=itemgetter(sort.removeprefix("-")), reverse=sort.startswith("-"))
    state_choices = [("", "Any state"), ("live", "Live"), ("scheduled", "Scheduled")]
    return {
        "columns": COLUMNS,
        "sort": sort,
        "page": Paginator(rows * 40, len(TITLES)).get_page(request.GET.get("page")),
        "no_rows": Paginator([], 50).get_page(1),
        "filters": [{"name": "state", "label": "State", "value": "", "choices": state_choices}],
    }


def _forms() -> dict[str, Any]:
    refused = ExampleForm({"title": "", "slug": "cup final", "platform": "web"}, prefix="refused")
    refused.add_error(None, "Somebody else changed this stream meanwhile. Look at both versions.")
    return {"form": ExampleForm(prefix="fresh"), "refused_form": refused}


def _chart(now: datetime) -> dict[str, Any]:
    start = int(now.timestamp()) - 3600
    times = [start + 60 * minute for minute in range(60)]
    viewers = [380 + round(40 * math.sin(minute / 7)) + minute for minute in range(60)]
    taps = [90 + round(60 * abs(math.sin(minute / 11))) for minute in range(60)]
    return {
        "series": [{"label": "Connected SDKs"}, {"label": "Events", "unit": "a minute"}],
        "data": [times, viewers, taps],
    }

"""One view serves the page and the fragment; toasts, redirects and lists follow the address."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.template import Context, Template
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from core import htmx
from core.lists import Column, page_of, sort_of
from tenants.models import User

COLUMNS = (
    Column(key="email", label="E-mail", sortable=True),
    Column(key="name", label="Name", sortable=True, order=("name", "email")),
    Column(key="menu", label="Actions", hidden=True),
)
PAGE, FRAGMENT = "errors/400.html", "components/_pill.html"


def request_to(path: str = "/", **headers: str):
    request: Any = RequestFactory().get(path, headers=headers)
    request.htmx = HtmxDetails(request)
    request.session = SessionStore()
    request._messages = FallbackStorage(request)
    return request


def rendered(source: str, **context: object) -> str:
    return Template("{% load gantry %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("headers", "is_page"),
    [
        ({}, True),
        ({"HX-Request": "true"}, False),
        ({"HX-Request": "true", "HX-Boosted": "true"}, True),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, True),
    ],
)
def test_render_answers_the_page_or_the_fragment(headers, is_page):
    response = htmx.render(request_to(**headers), PAGE, FRAGMENT, {"text": "Live"}, status=422)

    assert (b"<!doctype html>" in response.content) is is_page
    assert response.status_code == 422
    assert response["Vary"] == "HX-Request"


def test_render_without_the_middleware_answers_the_page():
    response = htmx.render(RequestFactory().get("/"), PAGE, FRAGMENT)

    assert b"<!doctype html>" in response.content


def test_a_toast_travels_in_a_header():
    response = htmx.toast(HttpResponse(), "Stream archived", undo_url="/undo")

    assert json.loads(response["HX-Trigger"]) == {
        "gantry:toast": {"text": "Stream archived", "undo_url": "/undo"}
    }


def test_a_long_toast_is_a_bug():
    with pytest.raises(AssertionError, match="at most 30"):
        htmx.toast(HttpResponse(), "The stream was archived and so on")
    with pytest.raises(AssertionError, match="at most 30"):
        htmx.redirect(request_to(), "/", toast="The stream was archived and so on")


def test_redirect_suits_who_asked():
    plain = htmx.redirect(request_to(), "/there")
    loaded = htmx.redirect(request_to(**{"HX-Request": "true"}), "/there")
    swapped = htmx.redirect(request_to(**{"HX-Request": "true"}), "/there", reload=False)

    assert (plain.status_code, plain["Location"]) == (302, "/there")
    assert (loaded.status_code, loaded["HX-Redirect"]) == (200, "/there")
    assert json.loads(swapped["HX-Location"]) == {"path": "/there"}


def test_a_redirect_keeps_its_toast_for_the_next_page():
    request = request_to()

    htmx.redirect(request, "/there", toast="Stream created", undo_url="/undo")

    [message] = get_messages(request)
    assert (message.message, message.extra_tags) == ("Stream created", "/undo")


def test_out_of_band_parts_name_their_target_and_escape():
    assert htmx.announce("<3 streams") == (
        '<div hx-swap-oob="innerHTML:#announcer">&lt;3 streams</div>'
    )
    part = htmx.out_of_band(request_to(), "count", FRAGMENT, {"text": "<b>"})
    assert part.startswith('<div hx-swap-oob="innerHTML:#count">')
    assert "&lt;b&gt;" in part


def test_closing_a_dialog_comes_after_the_swap():
    assert "gantry:close-dialog" in htmx.close_dialog(HttpResponse())["HX-Trigger-After-Swap"]


@pytest.mark.parametrize(
    ("query", "sort"),
    [
        ("", "-email"),
        ("?sort=name", "name"),
        ("?sort=-name", "-name"),
        ("?sort=menu", "-email"),
        ("?sort=password", "-email"),
        ("?sort=--name", "-email"),
    ],
)
def test_only_sortable_columns_sort(query, sort):
    assert sort_of(request_to(f"/{query}"), COLUMNS, "-email") == sort


@pytest.mark.parametrize(
    ("query", "number"), [("", 1), ("?page=2", 2), ("?page=99", 2), ("?page=x", 1)]
)
def test_a_page_that_does_not_exist_becomes_the_nearest(db, query, number):
    for name in ("bo", "al", "cy"):
        User.objects.create_user(email=f"{name}@lists.example", password="x" * 12)
    rows = User.objects.filter(email__endswith="@lists.example")

    page = page_of(request_to(f"/{query}"), rows, columns=COLUMNS, sort="-email", size=2)

    assert page.number == number
    expected = [["cy", "bo"], ["al"]][number - 1]
    assert [user.email.split("@")[0] for user in page.object_list] == expected


def test_hidden_query_repeats_the_address_without_the_named_parts():
    request = request_to("/?q=%22cup%22&tag=a&tag=b&page=3&state=")

    html = rendered('{% hidden_query without="page" %}', request=request)

    assert html == (
        '<input type="hidden" name="q" value="&quot;cup&quot;">'
        '<input type="hidden" name="tag" value="a"><input type="hidden" name="tag" value="b">'
    )


@pytest.mark.parametrize(
    ("sort", "aria", "following"),
    [("title", "ascending", "-title"), ("-title", "descending", "title"), ("", "none", "title")],
)
def test_a_sort_head_says_the_order_and_offers_the_other(sort, aria, following):
    html = rendered(
        '{% sort_th "title" "Stream" "streams-sort" %}', request=request_to(f"/?sort={sort}")
    )

    assert f'aria-sort="{aria}"' in html
    assert f'value="{following}"' in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not set"),
        (True, "On"),
        (False, "Off"),
        ("", "(empty)"),
        ("a b", "a b"),
        (15, "15"),
        ([], "(empty list)"),
        (["a", "b"], "a, b"),
        ({"a": 1}, "{&quot;a&quot;: 1}"),
    ],
)
def test_a_setting_value_reads_as_text(value, text):
    assert (
        rendered("{{ value|value_text }}", value=value).replace("\n", "").replace("  ", "") == text
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0:00"), (-5, "0:00"), (74, "1:14"), (5412, "1:30:12"), (273_600, "3 d 4 h")],
)
def test_a_duration_reads_as_a_clock(seconds, text):
    assert rendered("{{ seconds|clock }}", seconds=seconds) == text


def test_a_time_names_its_zone_before_the_browser_shows_it():
    at = datetime(2026, 11, 20, 21, 3, tzinfo=UTC)

    html = rendered('{% local_time at "ago" %}{% local_time none %}', at=at, none=None)

    assert html == (
        '<time datetime="2026-11-20T21:03:00Z" data-local="ago">20 Nov 2026, 21:03 UTC</time>–'
    )


def test_numbers_shares_levels_platforms_and_pages_read_well():
    paginator = Paginator(range(100), 5)

    assert rendered("{{ 12345|grouped }} {{ none|grouped }}", none=None) == "12,345 –"
    assert rendered("{{ 1|share_of:3 }} {{ 0|share_of:0 }} {{ 9|share_of:3 }}") == "33 100 100"
    assert (
        rendered("{{ 'client_on_stream'|level_name }} {{ 'x'|level_name }}") == "Client on stream x"
    )
    assert (
        rendered("{{ 'Fire TV'|platform_icon }} {{ 'abacus'|platform_icon }}") == "device-tv code"
    )
    assert rendered("{{ ' north'|initial }}{{ ''|initial }}") == "n?"
    assert rendered("{{ paginator|page_numbers:3 }}", paginator=paginator) == (
        "[1, 2, 3, 4, None, 20]"
    )


def test_an_icon_is_hidden_unless_it_is_named():
    assert 'aria-hidden="true"' in rendered('{% icon "lock" %}')
    assert 'role="img" aria-label="&lt;Locked&gt;"' in rendered(
        '{% icon "lock" label "lg" %}', label="<Locked>"
    )

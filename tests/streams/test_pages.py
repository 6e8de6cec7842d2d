"""The pages of streams: what they show, refuse and keep."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from core.models import AuditEntry
from core.tenancy import organization_context
from streams.models import Stream
from tests.counting import at_most
from tests.factories import make_client, make_stream

LIST = "/o/acme/streams/"
FORM = {
    "title": "Derby 2026",
    "slug": "",
    "time_zone": "Europe/London",
    "starts_at": "2026-12-01T20:00",
    "ends_at": "2026-12-01T22:00",
    "playback_url": "",
    "tags": "Cup, final",
}


def only(acme, **wanted):
    with organization_context(acme.schema_name):
        return Stream.objects.get(**wanted)


def text(response):
    return response.content.decode()


def test_list_shows_a_page_of_many_in_few_queries(acme, operator, browse):
    for number in range(60):
        make_stream(acme, f"match-{number:02}", tags=["cup"])
    browser = browse(operator)

    with at_most(8):
        page = browser.get(LIST)

    assert page.status_code == 200
    assert text(page).count('name="stream"') == 50
    assert "60 streams" in text(page)


def test_list_answers_htmx_with_the_table_and_the_state_chips_alone(acme, operator, browse):
    make_stream(acme, "cup-final", state="live")
    make_stream(acme, "league")

    part = browse(operator, htmx=True).get(f"{LIST}?q=cup")

    assert "<html" not in text(part)
    assert "cup-final" in text(part)
    assert "league" not in text(part)
    assert "innerHTML:#stream-states" in text(part)


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "state=x",
        "tag=%00",
        "starts_from=x",
        "starts_until=9999-12-31",
        "sort=x",
        "page=x",
        "page=99999999999999999999",
        "q=" + "x" * 300,
    ],
)
def test_addresses_that_make_no_sense_still_show_the_list(acme, operator, browse, query):
    assert browse(operator).get(f"{LIST}?{query}").status_code == 200


def test_chips_keep_the_other_filters(acme, operator, browse):
    page = browse(operator).get(f"{LIST}?q=cup&page=3")

    assert "?q=cup&amp;state=live" in text(page)


def test_viewer_sees_the_list_without_ways_to_change_it(acme, viewer, browse):
    make_stream(acme, "derby")

    page = text(browse(viewer).get(LIST))

    assert "derby" in page
    assert "New stream" not in page
    assert "data-bulk" not in page


def test_create_reads_wall_times_in_the_zone_chosen(acme, operator, browse):
    answer = browse(operator).post(f"{LIST}new/", FORM | {"time_zone": "Europe/Berlin"})

    assert answer.headers["Location"] == f"{LIST}derby-2026/"
    stream = only(acme)
    assert stream.starts_at == datetime(2026, 12, 1, 19, 0, tzinfo=UTC)
    assert stream.tags == ["cup", "final"]


def test_refused_form_keeps_what_was_typed_and_names_the_field(acme, operator, browse):
    answer = browse(operator).post(f"{LIST}new/", FORM | {"ends_at": "2026-12-01T19:00"})

    assert answer.status_code == 422
    assert "The end must be after the start." in text(answer)
    assert "Derby 2026" in text(answer)
    assert 'aria-invalid="true"' in text(answer)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("starts_at", "2026-03-29T01:30", "skip this time"),
        ("starts_at", "0001-01-01T00:00", "between 2000 and 2100"),
        ("starts_at", "soon", "valid date"),
        ("title", "a\x00b", "Null characters"),
        ("time_zone", "Mars/Olympus", "valid choice"),
        ("tags", "x" * 41, "40 characters"),
        ("playback_url", "javascript:alert(1)", "https://"),
    ],
)
def test_bad_values_are_refused_beside_their_field(acme, operator, browse, field, value, words):
    answer = browse(operator).post(f"{LIST}new/", FORM | {"ends_at": "", field: value})

    assert answer.status_code == 422
    assert words in text(answer)
    with organization_context(acme.schema_name):
        assert not Stream.objects.exists()


def test_edit_shows_the_wall_clock_of_the_zone(acme, operator, browse):
    starts_at = datetime(2026, 7, 1, 19, 0, tzinfo=UTC)
    make_stream(acme, "derby", starts_at=starts_at, time_zone="Europe/London")

    page = browse(operator).get(f"{LIST}derby/edit/")

    assert 'value="2026-07-01T20:00"' in text(page)


def test_edit_based_on_an_old_version_shows_both_and_loses_nothing(acme, operator, browse):
    make_stream(acme, "derby", title="Theirs", version=2)

    answer = browse(operator).post(f"{LIST}derby/edit/", FORM | {"title": "Mine", "version": "1"})

    assert answer.status_code == 409
    assert "Theirs" in text(answer)
    assert 'value="Mine"' in text(answer)
    assert 'name="version" value="2"' in text(answer)
    assert only(acme).title == "Theirs"
    again = browse(operator).post(f"{LIST}derby/edit/", FORM | {"title": "Mine", "version": "2"})
    assert again.status_code == 302
    assert only(acme).title == "Mine"


def test_edit_without_a_version_never_overwrites(acme, operator, browse):
    make_stream(acme, "derby")

    assert browse(operator).post(f"{LIST}derby/edit/", FORM).status_code == 409


def test_detail_offers_the_next_step_and_both_clocks(acme, operator, browse):
    starts_at = datetime(2026, 7, 1, 19, 0, tzinfo=UTC)
    make_stream(acme, "derby", starts_at=starts_at, time_zone="Asia/Tokyo")
    make_client(acme, "web")

    page = text(browse(operator).get(f"{LIST}derby/"))

    assert "Go live…" in page
    assert "2 Jul 2026, 04:00 there" in page
    assert 'datetime="2026-07-01T19:00:00Z"' in page


def test_transition_moves_and_tells(acme, operator, browse):
    make_stream(acme, "derby")

    answer = browse(operator).post(f"{LIST}derby/transitions/live/", {"comment": "Kick-off"})

    assert answer.headers["Location"] == f"{LIST}derby/"
    assert only(acme).is_live
    with organization_context(acme.schema_name):
        entry = AuditEntry.objects.get(action="stream.transition")
        assert (entry.comment, entry.actor_label) == ("Kick-off", operator.email)


def test_illegal_transition_says_why_on_the_page(acme, operator, browse):
    make_stream(acme, "derby", state="live")

    answer = browse(operator).post(f"{LIST}derby/transitions/archived/")

    assert answer.status_code == 409
    assert "End it first." in text(answer)
    assert only(acme).is_live


def test_step_to_nowhere_is_refused_not_broken(acme, operator, browse):
    make_stream(acme, "derby")

    answer = browse(operator).post(f"{LIST}derby/transitions/heaven/")

    assert answer.status_code == 409


def test_archiving_offers_undo(acme, operator, browse):
    make_stream(acme, "derby", state="ended")
    browser = browse(operator)

    page = browser.post(f"{LIST}derby/transitions/archived/", follow=True)

    assert f"{LIST}derby/transitions/ended/" in text(page)


def test_bulk_archive_counts_and_can_be_undone(acme, operator, browse):
    for slug, state in (("a", "ended"), ("b", "draft"), ("c", "live")):
        make_stream(acme, slug, state=state)
    browser = browse(operator)

    page = browser.post(f"{LIST}archive/", {"stream": ["a", "b", "c", "nope"]}, follow=True)

    assert "2 archived, 2 left" in text(page)
    with organization_context(acme.schema_name):
        assert Stream.objects.filter(state="archived").count() == 2
    browser.post(f"{LIST}restore/?stream=a&stream=b&stream=c")
    assert [only(acme, slug=slug).state for slug in "abc"] == ["ended", "draft", "live"]


def test_bulk_archive_returns_to_the_list_as_it_was_filtered(acme, operator, browse):
    browser = browse(operator, htmx=True)
    current = {"HX-Current-URL": f"http://testserver{LIST}?q=cup"}

    answer = browser.post(f"{LIST}archive/", {"stream": ["a"]}, headers=current)
    elsewhere = browser.post(
        f"{LIST}archive/", headers={"HX-Current-URL": "http://evil.example/o/acme/streams/"}
    )

    assert answer.headers["HX-Redirect"] == f"{LIST}?q=cup"
    assert elsewhere.headers["HX-Redirect"] == LIST


def test_home_part_shows_live_and_soon(acme, viewer, browse):
    make_stream(acme, "now", title="Now playing", state="live", live_at=timezone.now())
    make_stream(acme, "soon", title="Coming up")

    part = text(browse(viewer, htmx=True).get(f"{LIST}live-and-soon/"))

    assert part.index("Now playing") < part.index("Coming up")


def test_attention_names_late_streams(acme, viewer, browse):
    make_stream(acme, "late", title="Late one", starts_at=datetime(2026, 1, 1, tzinfo=UTC))

    assert "Late one should have gone live" in text(
        browse(viewer, htmx=True).get(f"{LIST}attention/")
    )


def test_palette_finds_streams_and_clients(acme, viewer, browse):
    make_stream(acme, "cup-final", title="Cup final")
    make_client(acme, "cup-app", name="Cup app")

    part = text(browse(viewer, htmx=True).get(f"{LIST}search/?q=cup"))

    assert "Cup final" in part
    assert "Cup app" in part


def test_titles_are_escaped(acme, viewer, browse):
    make_stream(acme, "x", title="<script>alert(1)</script>")

    for path in (LIST, f"{LIST}x/"):
        page = text(browse(viewer).get(path))
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_clone_copies_and_is_offered_a_week_later(acme, operator, browse):
    starts_at = datetime(2026, 3, 25, 20, 0, tzinfo=UTC)
    make_stream(acme, "derby", title="Derby", starts_at=starts_at, time_zone="Europe/London")
    browser = browse(operator)

    page = browser.get(f"{LIST}derby/clone/")
    assert 'value="2026-04-01T20:00"' in text(page)

    answer = browser.post(f"{LIST}derby/clone/", FORM | {"title": "Derby (copy)"})
    assert answer.headers["Location"] == f"{LIST}derby-copy/"
    assert only(acme, slug="derby-copy").state == "draft"


PAGES = [
    ("get", LIST, "streams.view"),
    ("get", f"{LIST}live-and-soon/", "streams.view"),
    ("get", f"{LIST}attention/", "streams.view"),
    ("get", f"{LIST}search/", "streams.view"),
    ("get", f"{LIST}derby/", "streams.view"),
    ("get", f"{LIST}new/", "streams.change"),
    ("post", f"{LIST}new/", "streams.change"),
    ("get", f"{LIST}derby/edit/", "streams.change"),
    ("post", f"{LIST}derby/edit/", "streams.change"),
    ("get", f"{LIST}derby/clone/", "streams.change"),
    ("post", f"{LIST}derby/clone/", "streams.change"),
    ("post", f"{LIST}derby/transitions/live/", "streams.change"),
    ("post", f"{LIST}archive/", "streams.change"),
    ("post", f"{LIST}restore/", "streams.change"),
    ("get", "/o/acme/clients/", "clients.view"),
    ("get", "/o/acme/clients/web/", "clients.view"),
    ("get", "/o/acme/clients/new/", "clients.change"),
    ("post", "/o/acme/clients/new/", "clients.change"),
    ("get", "/o/acme/clients/web/edit/", "clients.change"),
    ("post", "/o/acme/clients/web/edit/", "clients.change"),
    ("post", "/o/acme/clients/web/status/disable/", "clients.change"),
]


@pytest.mark.parametrize(("method", "path", "permission"), PAGES)
def test_access(acme, operator, viewer, stranger, browse, method, path, permission):
    make_stream(acme, "derby")
    make_client(acme, "web")

    def status(person=None):
        return getattr(browse(person), method)(path).status_code

    assert status() == 302
    assert status(stranger) == 404
    assert status(viewer) == (200 if permission.endswith(".view") else 403)
    assert status(operator) in {200, 302, 409, 422}


def test_stream_of_another_organization_is_not_found(acme, rival, operator, browse):
    make_stream(rival, "theirs")

    assert browse(operator).get(f"{LIST}theirs/").status_code == 404
    assert browse(operator).post(f"{LIST}theirs/transitions/live/").status_code == 404

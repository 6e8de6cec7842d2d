"""Lists: what search and filters find, how many, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streams.queries import (
    ClientFilter,
    StreamFilter,
    find_clients,
    find_streams,
    live_and_soon,
    stream_counts,
    used_tags,
)
from tests.factories import make_client, make_stream

NOW = datetime(2026, 11, 20, 21, 3, tzinfo=UTC)


def slugs(**wanted):
    return [stream.slug for stream in find_streams(StreamFilter(**wanted))]


def test_search_reads_title_slug_and_tags(in_acme):
    make_stream(in_acme, "a", title="The Derby")
    make_stream(in_acme, "derby-b", title="Other")
    make_stream(in_acme, "c", title="Other", tags=["derby day"])
    make_stream(in_acme, "d", title="Other")

    assert set(slugs(search="derby")) == {"a", "derby-b", "c"}
    assert slugs(search="100%") == []


def test_archived_streams_appear_only_when_asked_for(in_acme):
    make_stream(in_acme, "old", state="archived")
    make_stream(in_acme, "new", state="draft")

    assert slugs() == ["new"]
    assert slugs(state="archived") == ["old"]


def test_tag_dates_and_state_narrow_together(in_acme):
    make_stream(in_acme, "hit", state="live", tags=["cup"], starts_at=NOW)
    make_stream(in_acme, "late", state="live", tags=["cup"], starts_at=NOW + timedelta(days=2))
    make_stream(in_acme, "other", state="live", tags=["league"], starts_at=NOW)

    found = slugs(
        state="live",
        tag="cup",
        starts_from=NOW - timedelta(days=1),
        starts_until=NOW + timedelta(days=1),
    )

    assert found == ["hit"]


def test_counts_follow_the_other_filters(in_acme):
    make_stream(in_acme, state="live", tags=["cup"])
    make_stream(in_acme, state="archived", tags=["cup"])
    make_stream(in_acme, state="draft")

    counts = stream_counts(StreamFilter(tag="cup", state="draft"))

    assert counts == {"": 1, "draft": 0, "scheduled": 0, "live": 1, "ended": 0, "archived": 1}


def test_sorts_put_streams_without_a_start_on_top_of_newest_first(in_acme):
    make_stream(in_acme, "b", title="beta", starts_at=NOW)
    make_stream(in_acme, "a", title="Alpha", starts_at=NOW + timedelta(days=1))
    make_stream(in_acme, "none", title="gamma", state="draft", starts_at=None)

    assert slugs() == ["none", "a", "b"]
    assert slugs(sort="starts_at") == ["b", "a", "none"]
    assert slugs(sort="title") == ["a", "b", "none"]


def test_used_tags_are_those_of_current_streams(in_acme):
    make_stream(in_acme, tags=["cup", "final"])
    make_stream(in_acme, tags=["cup"])
    make_stream(in_acme, state="archived", tags=["gone"])

    assert used_tags() == ["cup", "final"]


def test_home_shows_what_is_live_and_what_starts_within_a_day(in_acme):
    make_stream(in_acme, "second", state="live", live_at=NOW - timedelta(minutes=5))
    make_stream(in_acme, "first", state="live", live_at=NOW - timedelta(hours=1))
    make_stream(in_acme, "soon", starts_at=NOW + timedelta(hours=2))
    make_stream(in_acme, "overdue", starts_at=NOW - timedelta(minutes=2))
    make_stream(in_acme, "tomorrow", starts_at=NOW + timedelta(hours=25))

    live, soon = live_and_soon(NOW)

    assert [stream.slug for stream in live] == ["first", "second"]
    assert [stream.slug for stream in soon] == ["overdue", "soon"]


def test_clients_are_found_by_identifier_platform_and_status(in_acme):
    make_client(in_acme, "web", origins=["https://play.example.com"])
    make_client(in_acme, "phone", platform="ios", bundle_ids=["com.example.app"])
    make_client(in_acme, "off", platform="ios", disabled_at=NOW)
    make_client(in_acme, "gone", platform="ios", archived_at=NOW)

    def found(**wanted):
        return {client.slug for client in find_clients(ClientFilter(**wanted))}

    assert found(search="play.example") == {"web"}
    assert found(search="com.example.app") == {"phone"}
    assert found(platform="ios") == {"phone", "off"}
    assert found(status="enabled") == {"web", "phone"}
    assert found(status="disabled") == {"off"}
    assert found(status="archived") == {"gone"}

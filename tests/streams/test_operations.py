"""Streams: what may be made, changed and moved, and what is written beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from core.models import AuditEntry, OutboxEntry
from streams.lifecycle import STEPS, IllegalTransition
from streams.models import Stream, Transition
from streams.operations import (
    StaleVersion,
    StreamArchived,
    archive_streams,
    clone_stream,
    create_stream,
    suggested_slug,
    transition_stream,
    update_stream,
)
from streams.queries import next_steps
from streams.validation import InvalidFields, StreamFields
from tests.factories import make_stream

NOW = datetime(2026, 11, 20, 21, 3, tzinfo=UTC)
DERBY = StreamFields(
    title="Derby 2026",
    slug="derby-2026",
    starts_at=NOW + timedelta(hours=1),
    ends_at=NOW + timedelta(hours=3),
    time_zone="Europe/London",
    playback_url="https://cdn.example.com/derby.m3u8",
    tags=("football", "derby"),
)


@pytest.fixture
def derby(in_acme, actor) -> Stream:
    return create_stream(fields=DERBY, actor=actor, at=NOW)


def walk(stream, actor, *states, comment="because"):
    for state in states:
        stream = transition_stream(stream=stream, to=state, actor=actor, at=NOW, comment=comment)
    return stream


def audit(action):
    return list(AuditEntry.objects.filter(action=action))


def test_create_makes_a_draft_with_an_audit_row(derby, actor):
    derby.refresh_from_db()

    assert StreamFields.of(derby) == DERBY
    assert derby.state == Stream.State.DRAFT
    (entry,) = audit("stream.create")
    assert (entry.actor_label, entry.target_id, entry.at) == (actor.label, "derby-2026", NOW)
    assert entry.after["tags"] == ["football", "derby"]
    assert not OutboxEntry.objects.exists()


def test_create_normalizes_title_and_tags(in_acme, actor):
    fields = replace(DERBY, title="  Derby\n 2026 ", tags=(" Football ", "football", ""))

    stream = create_stream(fields=fields, actor=actor, at=NOW)

    assert (stream.title, stream.tags) == ("Derby 2026", ["football"])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("title", " ", "required"),
        ("title", "x" * 161, "160"),
        ("title", "a\u202eb", "control"),
        ("slug", "Derby", "lower-case"),
        ("slug", "a--b", "single hyphens"),
        ("slug", "x" * 64, "63"),
        ("starts_at", datetime(1999, 1, 1, tzinfo=UTC), "2000"),
        ("ends_at", NOW, "after the start"),
        ("time_zone", "Mars/Olympus", "list"),
        ("playback_url", "ftp://example.com/a", "https://"),
        ("playback_url", "javascript:alert(1)", "https://"),
        ("playback_url", "https://e.com/" + "a" * 500, "500"),
        ("tags", tuple(f"t{number}" for number in range(21)), "20 tags"),
        ("tags", ("x" * 41,), "40"),
        ("tags", ("a,b",), "comma"),
        ("tags", ("a\x7fb",), "control"),
    ],
)
def test_create_refuses_a_bad_field_by_name(in_acme, actor, field, value, words):
    with pytest.raises(InvalidFields) as refused:
        create_stream(fields=replace(DERBY, **{field: value}), actor=actor, at=NOW)

    ((named, message),) = refused.value.errors
    assert named == field
    assert words in message
    assert not Stream.objects.exists()


def test_create_names_every_bad_field_at_once(in_acme, actor):
    fields = replace(DERBY, title="", time_zone="", starts_at=None)

    with pytest.raises(InvalidFields) as refused:
        create_stream(fields=fields, actor=actor, at=NOW)

    assert [field for field, _ in refused.value.errors] == ["title", "ends_at", "time_zone"]


def test_taken_slug_is_refused_next_to_its_field(derby, actor):
    with pytest.raises(InvalidFields) as refused:
        create_stream(fields=DERBY, actor=actor, at=NOW)

    assert refused.value.errors == [("slug", "Another stream has this slug.")]


def test_empty_slug_is_made_from_the_title_and_numbered_when_taken(in_acme, actor):
    first, second = (
        create_stream(fields=replace(DERBY, slug=""), actor=actor, at=NOW) for _ in range(2)
    )

    assert (first.slug, second.slug) == ("derby-2026", "derby-2026-2")


def test_title_without_latin_letters_still_gets_a_slug(in_acme):
    assert suggested_slug("ダービー") == "stream"


def test_update_records_before_and_after_and_counts_up(derby, actor):
    changed = update_stream(
        stream=derby, fields=replace(DERBY, title="The derby"), based_on=1, actor=actor, at=NOW
    )

    assert (changed.title, changed.version) == ("The derby", 2)
    (entry,) = audit("stream.update")
    assert (entry.before["title"], entry.after["title"]) == ("Derby 2026", "The derby")


def test_unchanged_update_does_nothing(derby, actor):
    same = update_stream(stream=derby, fields=DERBY, based_on=1, actor=actor, at=NOW)

    assert same.version == 1
    assert not audit("stream.update")


def test_stale_update_is_refused_and_says_who_changed_what(derby, actor):
    update_stream(stream=derby, fields=replace(DERBY, tags=()), based_on=1, actor=actor, at=NOW)

    with pytest.raises(StaleVersion) as refused:
        update_stream(
            stream=derby, fields=replace(DERBY, title="Mine"), based_on=1, actor=actor, at=NOW
        )

    assert "tester@acme.example changed tags meanwhile" in refused.value.message
    assert refused.value.extra["current_version"] == 2
    assert refused.value.extra["changed_fields"] == ["tags"]


def test_slug_is_fixed_once_sdks_may_know_it(derby, actor):
    renamed = update_stream(
        stream=derby, fields=replace(DERBY, slug="derby"), based_on=1, actor=actor, at=NOW
    )
    walk(renamed, actor, "scheduled")

    with pytest.raises(InvalidFields, match="SDKs know"):
        update_stream(stream=renamed, fields=DERBY, based_on=None, actor=actor, at=NOW)


def test_scheduled_stream_keeps_a_start(derby, actor):
    walk(derby, actor, "scheduled")

    with pytest.raises(InvalidFields, match="needs a start"):
        update_stream(
            stream=derby,
            fields=replace(DERBY, starts_at=None, ends_at=None),
            based_on=None,
            actor=actor,
            at=NOW,
        )


def test_archived_stream_is_not_edited(derby, actor):
    walk(derby, actor, "archived")

    with pytest.raises(StreamArchived):
        update_stream(
            stream=derby, fields=replace(DERBY, title="x"), based_on=None, actor=actor, at=NOW
        )


def test_whole_life_writes_a_transition_and_an_audit_row_each(derby, actor):
    walk(derby, actor, "scheduled", "live", "ended", "archived")

    rows = Transition.objects.filter(stream=derby).values_list("before", "after")
    assert list(rows) == [
        ("ended", "archived"),
        ("live", "ended"),
        ("scheduled", "live"),
        ("draft", "scheduled"),
    ]
    assert len(audit("stream.transition")) == 4


def test_only_the_steps_of_the_table_are_possible(in_acme, actor):
    for state in Stream.State.values:
        legal = {step.to for step in STEPS[state]}
        for to in set(Stream.State.values) - legal:
            stream = make_stream(in_acme, state=state)
            if state == "archived" and to == "draft":
                continue  # archived without a history is restored to draft
            with pytest.raises(IllegalTransition, match=f"{state} cannot become {to}"):
                walk(stream, actor, to)
            assert not Transition.objects.filter(stream=stream).exists()


def test_refused_step_says_what_to_do_first(in_acme, actor):
    stream = make_stream(in_acme, state="live")

    with pytest.raises(IllegalTransition, match="End it first") as refused:
        walk(stream, actor, "archived")

    assert refused.value.extra["allowed"] == ["ended"]


def test_draft_without_a_start_is_not_scheduled(in_acme, actor):
    stream = make_stream(in_acme, state="draft", starts_at=None)

    with pytest.raises(InvalidFields, match="start before scheduling"):
        walk(stream, actor, "scheduled")


def test_reopening_needs_a_reason_and_keeps_the_first_live_moment(derby, actor):
    ended = walk(derby, actor, "scheduled", "live", "ended")
    with pytest.raises(InvalidFields, match="Say why"):
        walk(ended, actor, "live", comment=" ")

    again = walk(ended, actor, "live", comment="Extra time")

    assert (again.live_at, again.ended_at) == (NOW, None)
    assert Transition.objects.filter(stream=derby)[0].comment == "Extra time"


@pytest.mark.parametrize("path", [(), ("scheduled",), ("scheduled", "live", "ended")])
def test_archived_stream_returns_only_to_where_it_came_from(derby, actor, path):
    before = walk(derby, actor, *path).state
    archived = walk(derby, actor, "archived")

    assert [step.to for step in next_steps(archived)] == [before]
    assert walk(archived, actor, before).state == before


def test_sdks_are_told_when_a_stream_opens_or_closes_for_them(derby, actor):
    walk(derby, actor, "scheduled", "live", "ended", "archived")

    payloads = [entry.payload for entry in OutboxEntry.objects.filter(kind="stream")]
    assert payloads == [
        {"stream": "derby-2026", "open": True},
        {"stream": "derby-2026", "open": False},
    ]


def test_archiving_many_leaves_those_that_are_live(in_acme, actor):
    ended, live = make_stream(in_acme, state="ended"), make_stream(in_acme, state="live")

    done, left = archive_streams(slugs=[ended.slug, live.slug, "unknown"], actor=actor, at=NOW)

    assert (done, left) == ([ended.slug], 2)
    assert Stream.objects.get(slug=live.slug).is_live
    assert len(audit("stream.transition")) == 1


def test_archiving_too_many_at_once_is_refused(in_acme, actor):
    with pytest.raises(InvalidFields, match="200"):
        archive_streams(slugs=[f"s{n}" for n in range(201)], actor=actor, at=NOW)


def test_clone_is_a_draft_that_names_its_source(derby, actor):
    live = walk(derby, actor, "scheduled", "live")
    fields = replace(DERBY, slug="derby-2027", title="Derby 2027")

    clone = clone_stream(source=live, fields=fields, actor=actor, at=NOW)

    assert (clone.state, clone.live_at) == ("draft", None)
    (entry,) = audit("stream.clone")
    assert entry.after["cloned_from"] == "derby-2026"


def test_database_itself_refuses_an_end_before_the_start(in_acme, actor):
    stream = make_stream(in_acme)

    with pytest.raises(Exception, match="stream_ends_after_start"), connection.cursor() as cursor:
        cursor.execute("UPDATE streams_stream SET ends_at = starts_at WHERE id = %s", [stream.pk])

"""Cloning a stream: the row and its overrides, both or neither."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.utils import timezone

from core.tenancy import organization_context
from settings_hierarchy import cloning
from settings_hierarchy.cloning import clone_stream_with_overrides
from settings_hierarchy.models import Override, Scope
from settings_hierarchy.operations import set_override
from streams.models import Stream
from streams.validation import InvalidFields, StreamFields
from tests.factories import make_client, make_stream

KEY = "overlays.games.enabled"
CLONE = "/api/v1/organizations/acme/streams/derby/clone"


@pytest.fixture
def derby(in_acme, actor):
    """A stream with an override of its own and one of a client on it."""
    stream, client = make_stream(in_acme, "derby", state="live"), make_client(in_acme, "web")
    for scope in (Scope(stream=stream), Scope(stream=stream, client=client)):
        set_override(scope=scope, key=KEY, value=False, actor=actor, at=timezone.now())
    return stream


def copy(derby, actor, slug="derby-2"):
    fields = replace(StreamFields.of(derby), slug=slug)
    return clone_stream_with_overrides(source=derby, fields=fields, actor=actor, at=timezone.now())


def overrides_of(slug):
    rows = Override.objects.filter(stream__slug=slug).order_by("client__slug")
    return [(row.client.slug if row.client else None, row.key, row.value) for row in rows]


def test_clone_has_every_override_of_the_stream(derby, actor):
    clone = copy(derby, actor)

    assert clone.state == Stream.State.DRAFT
    assert overrides_of("derby-2") == overrides_of("derby")
    assert len(overrides_of("derby-2")) == 2


def test_later_changes_of_the_source_do_not_reach_the_clone(derby, actor):
    copy(derby, actor)
    set_override(
        scope=Scope(stream=derby),
        key=KEY,
        value=True,
        actor=actor,
        at=timezone.now(),
    )

    assert overrides_of("derby-2") != overrides_of("derby")


def test_taken_slug_copies_nothing(derby, actor):
    before = Override.objects.count()

    with pytest.raises(InvalidFields):
        copy(derby, actor, slug="derby")

    assert Override.objects.count() == before


def test_failed_copy_leaves_no_stream(derby, actor, monkeypatch):
    def fail(**_):
        raise RuntimeError("no room")

    monkeypatch.setattr(cloning, "copy_overrides", fail)

    with pytest.raises(RuntimeError):
        copy(derby, actor)
    assert not Stream.objects.filter(slug="derby-2").exists()


def test_program_clones_with_what_it_leaves_out_taken_from_the_source(acme, api):
    make_stream(acme, "derby", title="Derby", tags=["cup"], time_zone="Europe/London")

    answer = api().post(
        CLONE, data=json.dumps({"title": "Replay"}), content_type="application/json"
    )

    assert answer.status_code == 201
    body = answer.json()
    assert (body["slug"], body["tags"], body["time_zone"]) == ("replay", ["cup"], "Europe/London")
    assert (body["starts_at"], body["state"]) == (None, "draft")
    assert answer["ETag"] == '"1"'


def test_program_is_told_what_is_wrong(acme, api):
    make_stream(acme, "derby")

    bad = api().post(CLONE, data='{"slug": "derby"}', content_type="application/json")
    unknown = api().post(CLONE.replace("derby", "nope"), data="{}", content_type="application/json")
    refused = api("viewer").post(CLONE, data="{}", content_type="application/json")

    assert bad.json()["errors"] == [{"field": "slug", "message": "Another stream has this slug."}]
    assert (unknown.status_code, refused.status_code) == (404, 403)
    with organization_context(acme.schema_name):
        assert Stream.objects.count() == 1

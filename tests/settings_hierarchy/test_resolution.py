"""Resolution: the most specific level wins unless a weaker one has locked; deltas are exact."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.resolution import (
    Delta,
    Outline,
    SourcedValue,
    catalogue_record,
    delivered_settings,
    delta,
    resolve,
    trace,
    value_without,
)
from settings_hierarchy.schema import OVERRIDE_LEVELS, Catalogue, Level, Visibility
from settings_hierarchy.values import JSONValue, identical

OUTLINE = Outline.of(CATALOGUE)
GAMES = "overlays.games.enabled"
# A busy machine must not fail a test that is about logic.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sourced(key: str, value, level: Level, *, locked: bool = False, version: int = 1):
    return SourcedValue(key=key, value=value, level=level, locked=locked, version=version)


def layers_of(*values: SourcedValue, outline: Outline = OUTLINE):
    return [
        outline.layer(level, [value for value in values if value.level is level])
        for level in OVERRIDE_LEVELS
    ]


def test_default_wins_without_overrides():
    resolved = resolve(OUTLINE.defaults, layers_of())

    assert resolved[GAMES].value is True
    assert resolved[GAMES].is_default
    assert set(resolved) == set(CATALOGUE.settings)


def test_most_specific_level_wins():
    values = [sourced(GAMES, n % 2 == 0, level) for n, level in enumerate(OVERRIDE_LEVELS)]

    for count in range(1, 5):
        resolved = resolve(OUTLINE.defaults, layers_of(*values[:count]))
        assert resolved[GAMES] is values[count - 1]


def test_lock_above_makes_stronger_overrides_ineffective():
    organization = sourced(GAMES, False, Level.ORGANIZATION, locked=True)
    stream = sourced(GAMES, True, Level.STREAM)
    client = sourced(GAMES, True, Level.CLIENT, locked=True)
    other = sourced("ui.theme_mode", "dark", Level.STREAM)
    layers = layers_of(organization, stream, client, other)

    assert resolve(OUTLINE.defaults, layers)[GAMES] is organization
    assert resolve(OUTLINE.defaults, layers)["ui.theme_mode"] is other
    told = trace(GAMES, OUTLINE.defaults, layers)
    assert told.winner is organization
    assert told.ignored == (stream, client)


def test_trace_of_a_plain_override_ignores_nothing():
    organization = sourced(GAMES, False, Level.ORGANIZATION)
    stream = sourced(GAMES, True, Level.STREAM)

    told = trace(GAMES, OUTLINE.defaults, layers_of(organization, stream))

    assert told.winner is stream
    assert told.ignored == ()


def test_value_without_an_override_is_what_it_hides():
    organization = sourced(GAMES, False, Level.ORGANIZATION)
    stream = sourced(GAMES, True, Level.STREAM)
    layers = layers_of(organization, stream)

    assert value_without(GAMES, Level.STREAM, OUTLINE.defaults, layers) is organization
    assert value_without(GAMES, Level.ORGANIZATION, OUTLINE.defaults, layers) is stream


def test_rows_the_catalogue_does_not_know_or_allow_are_left_out():
    unknown = sourced("ui.gone", True, Level.ORGANIZATION)
    forbidden = sourced("live.save_replay", False, Level.CLIENT)

    resolved = resolve(OUTLINE.defaults, layers_of(unknown, forbidden))

    assert "ui.gone" not in resolved
    assert resolved["live.save_replay"].is_default


def test_delivered_settings_hold_no_server_setting():
    settings = delivered_settings(resolve(OUTLINE.defaults, layers_of()), OUTLINE.delivered)

    assert settings == CATALOGUE.delivered()
    assert "auth.jwks_url" not in settings


def test_outline_survives_its_record():
    record = json.loads(json.dumps(catalogue_record(CATALOGUE)))

    assert Outline.read(record) == OUTLINE
    assert record["digest"] == CATALOGUE.digest()


def test_delta_tells_changed_added_and_removed():
    old: dict[str, JSONValue] = {"a": 1, "b": True, "c": "x"}
    new: dict[str, JSONValue] = {"a": 1, "b": 1, "d": []}

    found = delta(old, new)

    assert found == Delta(changes={"b": 1, "d": []}, removed=["c"])
    assert not found.is_empty
    assert found.apply(old) == new
    assert delta(new, new).is_empty
    assert not delta(old, {"a": 1, "b": True}).is_empty


# --- over random catalogues, levels, locks and edits --------------------------------------------

SCOPES = [(stream, client) for stream in (None, "s1", "s2") for client in (None, "c1", "c2")]
PAIRS = [(stream, client) for stream in ("s1", "s2") for client in ("c1", "c2")]


def level_of(scope) -> Level:
    stream, client = scope
    if stream is None:
        return Level.ORGANIZATION if client is None else Level.CLIENT
    return Level.STREAM if client is None else Level.CLIENT_ON_STREAM


@st.composite
def catalogues(draw) -> Catalogue:
    keys = st.sampled_from(list(CATALOGUE.settings))
    chosen = draw(st.lists(keys, min_size=1, max_size=8, unique=True))
    levels = st.lists(
        st.sampled_from([Level.ORGANIZATION, Level.STREAM, Level.CLIENT]), min_size=1, unique=True
    )
    rows = [
        dataclasses.replace(
            CATALOGUE.setting(key),
            levels=tuple(draw(levels)),
            lockable=True,
            visibility=draw(st.sampled_from(Visibility)),
        )
        for key in chosen
    ]
    return Catalogue(groups={}, sources={}, settings={row.key: row for row in rows})


values = st.sampled_from([True, False, 0, 1, 1.0, 2, "", "a", [], ["a"], {"a": True}, {"a": 1}])
edits = st.lists(
    st.tuples(
        st.sampled_from(SCOPES),
        st.integers(0, 7),
        st.sampled_from(["set", "set", "clear", "lock", "release"]),
        values,
    ),
    max_size=25,
)


class Organization:
    """The same state machine as the database's, in three dictionaries."""

    def __init__(self, catalogue: Catalogue):
        self.rows: dict[Any, SourcedValue] = {}
        self.changed: dict[Any, int] = {(None, None): 1}
        self.version = 1
        self.publish(catalogue)

    def publish(self, catalogue: Catalogue):
        self.outline = Outline.of(catalogue)
        self.keys = list(catalogue.settings)
        self.version += 1
        self.changed[None, None] = self.version

    def edit(self, scope, number: int, verb: str, value):
        key = self.keys[number % len(self.keys)]
        if key not in self.outline.allowed[level_of(scope)]:
            return
        if verb == "clear":
            if self.rows.pop((scope, key), None) is None:
                return
        else:
            row = sourced(key, value, level_of(scope), locked=verb == "lock")
            if self.rows.get((scope, key)) == row:
                return
            self.rows[scope, key] = row
        self.version += 1
        self.changed[scope] = self.version

    def path(self, pair):
        stream, client = pair
        return [(None, None), (stream, None), (None, client), (stream, client)]

    def layers(self, pair):
        return [
            self.outline.layer(
                level_of(scope), [row for (at, _), row in self.rows.items() if at == scope]
            )
            for scope in self.path(pair)
        ]

    def snapshot(self, pair):
        resolved = resolve(self.outline.defaults, self.layers(pair))
        version = max(self.changed.get(scope, 0) for scope in self.path(pair))
        return version, delivered_settings(resolved, self.outline.delivered)


def winner_by_the_book(organization: Organization, pair, key: str):
    """Walk down the levels; stop at the first lock."""
    winner = organization.outline.defaults[key]
    for scope in organization.path(pair):
        row = organization.rows.get((scope, key))
        if row is None or key not in organization.outline.allowed[level_of(scope)]:
            continue
        winner = row
        if row.locked:
            break
    return winner


@UNHURRIED
@given(before=catalogues(), after=catalogues(), first=edits, second=edits)
def test_old_snapshot_plus_delta_is_new_snapshot(before, after, first, second):
    organization = Organization(before)
    held = {pair: organization.snapshot(pair) for pair in PAIRS}

    for step in [*first, "publish", *second]:
        if step == "publish":
            organization.publish(after)
        else:
            organization.edit(*step)
        for pair in PAIRS:
            old_version, old = held[pair]
            new_version, new = organization.snapshot(pair)
            assert new_version >= old_version
            step_delta = delta(old, new)
            assert identical(step_delta.apply(old), new)
            if not step_delta.is_empty:
                assert new_version > old_version
            held[pair] = (new_version, new)


@UNHURRIED
@given(catalogue=catalogues(), steps=edits)
def test_most_specific_wins_unless_locked_above(catalogue, steps):
    organization = Organization(catalogue)
    for step in steps:
        organization.edit(*step)

    for pair in PAIRS:
        layers = organization.layers(pair)
        resolved = resolve(organization.outline.defaults, layers)
        for key in catalogue.settings:
            expected = winner_by_the_book(organization, pair, key)
            assert resolved[key] is expected or resolved[key] == expected
            assert trace(key, organization.outline.defaults, layers).winner == expected


@pytest.mark.parametrize("level", OVERRIDE_LEVELS)
def test_levels_have_names_for_people(level):
    assert "_" not in level.label

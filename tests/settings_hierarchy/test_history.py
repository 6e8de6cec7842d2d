"""History: undo, restore, copies, catalogue releases, and every past snapshot again."""

from __future__ import annotations

import dataclasses

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import DomainError
from core.models import AuditEntry, OutboxEntry
from core.tenancy import organization_context
from settings_hierarchy import operations, queries
from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.models import Change, ConfigState, Override, Scope
from settings_hierarchy.operations import (
    BasedOn,
    LockedAbove,
    NotUndoable,
    StaleVersion,
    clear_override,
    copy_overrides,
    publish_catalogue,
    restore_change,
    set_override,
    undo_change,
)
from settings_hierarchy.queries import (
    UnknownVersion,
    current_version,
    history,
    live_streams,
    path_at,
    resolved,
    snapshot,
    snapshot_at,
)
from settings_hierarchy.resolution import Outline, delta
from settings_hierarchy.schema import Level
from settings_hierarchy.values import JSONValue, identical
from streams.models import Stream
from tests.counting import at_most
from tests.factories import make_client, make_stream
from tests.settings_hierarchy.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_acme(in_acme):
    """These tests speak to operations and queries, inside acme."""


GAMES = "overlays.games.enabled"


def value_of(scope: Scope, key: str = GAMES):
    return resolved(scope).setting(key).current.value


class TestSnapshot:
    def test_it_holds_the_delivered_settings_and_nothing_else(self, in_acme, final, ios):
        found = snapshot(organization="acme", stream=final, client=ios)

        assert found["settings"] == CATALOGUE.delivered()
        assert (found["organization"], found["stream"], found["client"]) == ("acme", "final", "ios")
        assert found["version"] == 1
        assert found["published_at"].endswith("Z")

    def test_a_server_setting_stays_home_but_moves_the_version(self, put, final, ios):
        put("auth.jwks_url", "https://id.example.com/keys")

        found = snapshot(organization="acme", stream=final, client=ios)

        assert "auth.jwks_url" not in found["settings"]
        assert found["version"] == 2
        assert found["published_at"] == "2026-11-20T21:03:17.000Z"

    def test_only_scopes_on_the_path_move_its_version(self, put, final, semifinal, ios, web):
        put(GAMES, False, Scope(stream=final, client=ios))
        put(GAMES, False, Scope(stream=semifinal))
        put(GAMES, False, Scope(client=web))

        def version(stream, client):
            return snapshot(organization="acme", stream=stream, client=client)["version"]

        assert version(final, ios) == 2
        assert version(semifinal, ios) == 3
        assert version(final, web) == 4
        assert version(semifinal, web) == 4

    def test_a_clear_moves_the_version_on(self, put, actor, final, ios):
        put(GAMES, False, Scope(stream=final))
        clear_override(scope=Scope(stream=final), key=GAMES, actor=actor, at=NOW)

        found = snapshot(organization="acme", stream=final, client=ios)

        assert found["version"] == 3
        assert found["settings"] == CATALOGUE.delivered()

    def test_it_costs_one_statement(self, put, final, ios):
        for scope in (Scope(), Scope(stream=final), Scope(client=ios)):
            put(GAMES, False, scope)

        with at_most(1):
            snapshot(organization="acme", stream=final, client=ios)
        with at_most(1):
            resolved(Scope(stream=final, client=ios))
        with at_most(3):
            snapshot_at(organization="acme", stream=final, client=ios, version=2)


class TestProvenance:
    def test_a_value_tells_level_who_when_version_and_why(self, put, actor, final, ios):
        put(GAMES, False, Scope(stream=final), comment="Feed is wrong")

        row = resolved(Scope(stream=final, client=ios)).setting(GAMES)

        assert row.current.level is Level.STREAM
        assert row.current.version == 2
        assert row.current.changed_at == NOW
        assert row.current.changed_by == actor.label
        assert row.current.comment == "Feed is wrong"
        assert row.own is None
        assert not row.is_overridden_here

    def test_a_value_tells_what_it_would_be_without(self, put, final):
        put("chat.slow_mode_s", 5)
        put("chat.slow_mode_s", 30, Scope(stream=final))

        row = resolved(Scope(stream=final)).setting("chat.slow_mode_s")

        assert row.own is row.current
        assert row.inherited.value == 5
        assert row.inherited.level is Level.ORGANIZATION

    def test_every_type_of_value_survives_the_database(self, put):
        values = {
            "sdk.applied_ack_sample_pct": 12.0,
            "overlays.menu_order": ["chat", "games"],
            "chat.non_moderator_delay_s": 4,
            "branding.share_text": "Así – 日本 🎉",
            "ui.theme_mode": "dark",
        }
        for key, value in values.items():
            put(key, value)

        for key, value in values.items():
            assert identical(value_of(Scope(), key), value)


class TestPast:
    def test_every_past_snapshot_is_rebuilt_exactly(self, put, actor, final, ios):
        seen = {1: snapshot(organization="acme", stream=final, client=ios)}

        def remember():
            seen[current_version()] = snapshot(organization="acme", stream=final, client=ios)

        put(GAMES, False)
        remember()
        put("ui.theme_mode", "dark", Scope(stream=final), comment="One minute on")
        remember()
        put(GAMES, False, locked=True)
        remember()
        clear_override(scope=Scope(), key=GAMES, actor=actor, at=NOW)
        remember()

        assert len(seen) == 5
        for version, then in seen.items():
            again = snapshot_at(organization="acme", stream=final, client=ios, version=version)
            assert again == then

    @pytest.mark.parametrize("version", [0, -1, 2, 10**30])
    def test_a_version_that_never_was_is_not_found(self, in_acme, version):
        with pytest.raises(UnknownVersion, match="the current one is 1"):
            path_at(Scope(), version)

    def test_history_tells_one_scope_newest_first(self, put, final):
        put(GAMES, False)
        put(GAMES, False, Scope(stream=final))
        put(GAMES, True, Scope(stream=final))
        put("ui.theme_mode", "dark", Scope(stream=final))

        assert [change.version for change in history(Scope(stream=final), GAMES)] == [4, 3]

    def test_a_past_moment_is_resolved_with_its_provenance(self, put, final):
        put(GAMES, False)
        put(GAMES, True)

        row = resolved(Scope(stream=final), version=2).setting(GAMES)

        assert row.current.value is False
        assert row.current.version == 2


class TestUndo:
    def test_undo_puts_back_what_was_inherited(self, put, actor):
        put(GAMES, False)

        written = undo_change(version=2, actor=actor, at=NOW)

        assert written.version == 3
        assert written.change is not None
        assert written.change.kind == "clear"
        assert written.change.undoes_id == 2
        assert written.change.comment == "Undo of version 2"
        assert not Override.objects.exists()
        assert AuditEntry.objects.count() == 2
        assert OutboxEntry.objects.count() == 2

    def test_undo_puts_back_value_and_lock(self, put, actor):
        put(GAMES, False, locked=True)
        put(GAMES, True, locked=False)

        undo_change(version=3, actor=actor, at=NOW)

        override = Override.objects.get()
        assert (override.value, override.locked) == (False, True)

    def test_undo_of_a_clear_sets_again(self, put, actor):
        put(GAMES, False)
        clear_override(scope=Scope(), key=GAMES, actor=actor, at=NOW)

        undo_change(version=3, actor=actor, at=NOW)

        assert value_of(Scope()) is False

    def test_undo_is_refused_once_the_setting_changed_again(self, put, actor):
        put("chat.slow_mode_s", 5)
        put("chat.slow_mode_s", 10)

        with pytest.raises(StaleVersion) as refused:
            undo_change(version=2, actor=actor, at=NOW)

        assert [change.version for change in refused.value.changes] == [3]
        assert current_version() == 3

    def test_undo_of_a_catalogue_or_of_nothing_is_refused(self, in_acme, actor):
        with pytest.raises(NotUndoable):
            undo_change(version=1, actor=actor, at=NOW)
        with pytest.raises(UnknownVersion):
            undo_change(version=2, actor=actor, at=NOW)


class TestRestore:
    def test_restoring_is_a_new_change(self, put, actor):
        put("chat.slow_mode_s", 5)
        put("chat.slow_mode_s", 10)

        written = restore_change(version=2, actor=actor, at=NOW)

        assert written.version == 4
        assert written.change is not None
        assert written.change.comment == "Restored from version 2"
        assert value_of(Scope(), "chat.slow_mode_s") == 5

    def test_restoring_what_holds_already_does_nothing(self, put, actor):
        put("chat.slow_mode_s", 5)

        assert restore_change(version=2, actor=actor, at=NOW).change is None
        assert current_version() == 2

    def test_restoring_a_clear_inherits_again(self, put, actor):
        put(GAMES, False)
        clear_override(scope=Scope(), key=GAMES, actor=actor, at=NOW)
        put(GAMES, False)

        restore_change(version=3, actor=actor, at=NOW, comment="As in rehearsal")

        assert not Override.objects.exists()
        assert Change.objects.latest("version").comment == "As in rehearsal"

    def test_restoring_below_a_lock_is_refused(self, put, actor, final):
        put(GAMES, True, Scope(stream=final))
        clear_override(scope=Scope(stream=final), key=GAMES, actor=actor, at=NOW)
        put(GAMES, False, locked=True)

        with pytest.raises(LockedAbove):
            restore_change(version=2, actor=actor, at=NOW)

    def test_a_stale_restore_is_refused(self, put, actor):
        put("chat.slow_mode_s", 5)
        put("chat.slow_mode_s", 10)

        with pytest.raises(StaleVersion):
            restore_change(version=2, actor=actor, at=NOW, based_on=BasedOn(version=2))


class TestCopy:
    def test_a_clone_gets_the_streams_overrides_and_its_clients(
        self, put, actor, final, semifinal, ios
    ):
        put(GAMES, False, Scope(stream=final), locked=True)
        put("ui.theme_mode", "dark", Scope(stream=final, client=ios))
        pushed = OutboxEntry.objects.count()

        written = copy_overrides(from_stream=final, to_stream=semifinal, actor=actor, at=NOW)

        assert written.version == 5
        copied = resolved(Scope(stream=semifinal, client=ios))
        assert copied.setting(GAMES).current.value is False
        assert copied.setting(GAMES).current.locked
        assert copied.setting("ui.theme_mode").current.level is Level.CLIENT_ON_STREAM
        assert Change.objects.latest("version").comment == "Copied from The Final"
        assert AuditEntry.objects.count() == 4
        assert OutboxEntry.objects.count() == pushed + 1

    def test_copying_nothing_writes_nothing(self, in_acme, actor, final, semifinal):
        written = copy_overrides(from_stream=final, to_stream=semifinal, actor=actor, at=NOW)

        assert written.change is None
        assert current_version() == 1
        assert not OutboxEntry.objects.exists()

    def test_what_the_target_overrides_already_is_kept(self, put, actor, final, semifinal):
        put(GAMES, False, Scope(stream=final))
        put(GAMES, True, Scope(stream=semifinal))

        copy_overrides(from_stream=final, to_stream=semifinal, actor=actor, at=NOW)

        assert value_of(Scope(stream=semifinal)) is True


@pytest.fixture
def release(monkeypatch):
    """Return `release(key=fields…)`: run with a catalogue whose rows differ; None drops a row."""

    def install(**rows):
        changed = dict(CATALOGUE.settings)
        for name, fields in rows.items():
            key = name.replace("__", ".")
            if fields is None:
                del changed[key]
                continue
            rules = dataclasses.replace(changed[key].rules, **fields.pop("rules", {}))
            changed[key] = dataclasses.replace(changed[key], rules=rules, **fields)
        catalogue = dataclasses.replace(CATALOGUE, settings=changed)
        outline = Outline.of(catalogue)
        for module in (operations, queries):
            monkeypatch.setattr(module, "CATALOGUE", catalogue)
            monkeypatch.setattr(module, "OUTLINE", outline)
        return catalogue

    return install


class TestCatalogue:
    def test_publishing_the_same_catalogue_does_nothing(self, in_acme, actor):
        assert publish_catalogue(actor=actor, at=NOW).change is None
        assert current_version() == 1

    def test_a_new_catalogue_is_a_version_for_everybody(self, put, actor, release, final, ios):
        put(GAMES, False, Scope(stream=final))
        before = snapshot(organization="acme", stream=final, client=ios)
        catalogue = release(ui__theme_mode={"default": "dark"}, ui__tooltips_enabled=None)

        written = publish_catalogue(actor=actor, at=NOW)

        after = snapshot(organization="acme", stream=final, client=ios)
        assert written.version == after["version"] == 3
        found = delta(before["settings"], after["settings"])
        assert found.changes == {"ui.theme_mode": "dark"}
        assert found.removed == ["ui.tooltips_enabled"]
        assert ConfigState.objects.get().catalogue_digest == catalogue.digest()
        assert AuditEntry.objects.filter(action="settings.publish_catalogue").count() == 1
        assert OutboxEntry.objects.latest("pk").payload["level"] == "organization"
        assert snapshot_at(organization="acme", stream=final, client=ios, version=2) == before
        assert publish_catalogue(actor=actor, at=NOW).change is None

    def test_overrides_no_longer_legal_are_cleared_first(self, put, actor, release, final):
        put("chat.slow_mode_s", 100, Scope(stream=final))
        put("ui.tooltips_enabled", False)
        release(chat__slow_mode_s={"rules": {"maximum": 60}}, ui__tooltips_enabled=None)

        publish_catalogue(actor=actor, at=NOW)

        kinds = list(Change.objects.order_by("version").values_list("kind", "key")[3:])
        assert kinds == [("clear", "chat.slow_mode_s"), ("catalogue", "")]
        assert "at most 60" in Change.objects.get(version=4).comment
        assert Override.objects.get().key == "ui.tooltips_enabled"
        with pytest.raises(NotUndoable):
            undo_change(version=3, actor=actor, at=NOW)

    def test_the_command_publishes_everywhere_once(self, acme, rival, release, capsys):
        release(ui__theme_mode={"default": "dark"})

        call_command("publish_catalogue")
        call_command("publish_catalogue")

        assert capsys.readouterr().out.count("catalogue is version 2") == 2
        for organization in (acme, rival):
            with organization_context(organization.schema_name):
                assert current_version() == 2

    def test_the_command_can_be_held_to_one_organization(self, acme, rival, release):
        release(ui__theme_mode={"default": "dark"})

        call_command("publish_catalogue", organization="acme", verbosity=0)

        with organization_context(rival.schema_name):
            assert current_version() == 1


def test_live_streams_are_those_a_change_reaches(in_acme, acme, final, ios):
    derby = make_stream(acme, "derby", state=Stream.State.LIVE)

    assert list(live_streams(Scope())) == [derby]
    assert list(live_streams(Scope(client=ios))) == [derby]
    assert list(live_streams(Scope(stream=final))) == []
    assert list(live_streams(Scope(stream=derby, client=ios))) == [derby]


KEYS = ["overlays.games.enabled", "chat.slow_mode_s", "ui.theme_mode", "moderation.automod_level"]
VALUES: dict[str, list[JSONValue]] = {
    "overlays.games.enabled": [True, False],
    "chat.slow_mode_s": [0, 5, 30],
    "ui.theme_mode": ["light", "dark"],
    "moderation.automod_level": [0, 4],
}
steps = st.lists(
    st.tuples(
        st.sampled_from(["s1", "s2", None]),
        st.sampled_from(["c1", "c2", None]),
        st.sampled_from(KEYS),
        st.sampled_from(["set", "clear", "lock", "undo"]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps)
def test_stored_history_obeys_the_same_law(acme, actor, steps):
    """old snapshot + delta = new snapshot, versions never go back, every past is rebuilt."""
    with organization_context(acme.schema_name), transaction.atomic():
        streams = {slug: make_stream(acme, slug) for slug in ("s1", "s2")}
        clients = {slug: make_client(acme, slug) for slug in ("c1", "c2")}
        pairs = [(stream, client) for stream in streams.values() for client in clients.values()]
        seen = {pair: [snapshot_of(pair)] for pair in pairs}
        for stream, client, key, verb, number in steps:
            scope = Scope(stream=streams.get(stream), client=clients.get(client))
            attempt(scope, key, verb, number, actor)
            for pair in pairs:
                old, new = seen[pair][-1], snapshot_of(pair)
                found = delta(old["settings"], new["settings"])
                assert identical(found.apply(old["settings"]), new["settings"])
                assert new["version"] > old["version"] or new == old
                seen[pair].append(new)
        for (stream, client), snapshots in seen.items():
            for then in snapshots:
                assert then == snapshot_at(
                    organization="acme", stream=stream, client=client, version=then["version"]
                )
        transaction.set_rollback(True)


def snapshot_of(pair):
    stream, client = pair
    return snapshot(organization="acme", stream=stream, client=client)


def attempt(scope: Scope, key: str, verb: str, number: int, actor) -> None:
    """Do one step; a refusal is a legal outcome that changes nothing."""
    legal = VALUES[key]
    before = current_version()
    try:
        if verb == "clear":
            clear_override(scope=scope, key=key, actor=actor, at=NOW)
        elif verb == "undo":
            undo_change(version=before, actor=actor, at=NOW)
        else:
            set_override(
                scope=scope,
                key=key,
                value=legal[number % len(legal)],
                locked=verb == "lock" or None,
                actor=actor,
                at=NOW,
            )
    except DomainError:
        assert current_version() == before

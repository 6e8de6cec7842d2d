"""Setting an override: one version, one history row, one audit row, one push, or nothing."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from core.models import AuditEntry, OutboxEntry
from core.tenancy import organization_context
from settings_hierarchy.models import Change, ConfigState, Override, Scope, ScopeVersion
from settings_hierarchy.operations import (
    BasedOn,
    CommentTooLong,
    LevelNotAllowed,
    LockedAbove,
    NotLockable,
    StaleVersion,
    clear_override,
)
from settings_hierarchy.queries import current_version, resolved
from settings_hierarchy.schema import InvalidValue, Level, UnknownSetting
from tests.counting import at_most
from tests.settings_hierarchy.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_acme(in_acme):
    """These tests speak to operations and queries, inside acme."""


GAMES = "overlays.games.enabled"


def value_of(scope: Scope, key: str = GAMES):
    return resolved(scope).setting(key).current.value


def nothing_was_written() -> bool:
    written = Override.objects.exists() or AuditEntry.objects.exists()
    return current_version() == 1 and not written and not OutboxEntry.objects.exists()


def test_a_set_value_is_a_version_with_history_audit_and_push(put, actor, final):
    written = put(GAMES, False, Scope(stream=final), comment="Feed is wrong")

    assert written.version == 2
    change = Change.objects.get(version=2)
    assert written.change == change
    assert (change.kind, change.key, change.level) == ("set", GAMES, Level.STREAM)
    assert (change.value_before, change.value_after) == (None, False)
    assert (change.at, change.actor_label, change.comment) == (NOW, actor.label, "Feed is wrong")
    override = Override.objects.get()
    assert (override.value, override.locked, override.change_id) == (False, False, 2)
    assert ScopeVersion.objects.get(stream=final).change_id == 2
    assert ConfigState.objects.get().version == 2
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target_id) == ("settings.set", GAMES)
    assert (entry.before, entry.after) == (None, {"value": False, "locked": False})
    assert (entry.actor_label, entry.address) == (actor.label, actor.address)
    outbox = OutboxEntry.objects.get()
    assert outbox.kind == "config"
    assert outbox.payload == {
        "level": "stream",
        "stream": "final",
        "client": None,
        "key": GAMES,
        "version": 2,
    }


@pytest.mark.parametrize("level", ["organization", "stream", "client", "client_on_stream"])
def test_every_level_reaches_what_lies_below_it(put, final, semifinal, ios, web, level):
    scope = {
        "organization": Scope(),
        "stream": Scope(stream=final),
        "client": Scope(client=ios),
        "client_on_stream": Scope(stream=final, client=ios),
    }[level]

    put(GAMES, False, scope)

    reached = {
        (stream.slug, client.slug)
        for stream in (final, semifinal)
        for client in (ios, web)
        if value_of(Scope(stream=stream, client=client)) is False
    }
    expected = {
        "organization": {
            ("final", "ios"),
            ("final", "web"),
            ("semifinal", "ios"),
            ("semifinal", "web"),
        },
        "stream": {("final", "ios"), ("final", "web")},
        "client": {("final", "ios"), ("semifinal", "ios")},
        "client_on_stream": {("final", "ios")},
    }[level]
    assert reached == expected


def test_setting_the_same_again_does_nothing(put):
    put(GAMES, False)

    again = put(GAMES, False)

    assert again.change is None
    assert again.version == 2
    assert AuditEntry.objects.count() == 1
    assert OutboxEntry.objects.count() == 1


def test_a_write_takes_few_statements_however_many_levels_hold_it(put, final, ios):
    for scope in (Scope(), Scope(stream=final), Scope(client=ios)):
        put(GAMES, False, scope)

    with at_most(10):
        put(GAMES, False, Scope(stream=final, client=ios))


def test_setting_the_default_explicitly_is_an_override(put, final):
    written = put(GAMES, True, Scope(stream=final))

    assert written.change is not None
    put(GAMES, False)
    assert value_of(Scope(stream=final)) is True


def test_a_colour_in_other_case_is_unchanged(put):
    put("branding.primary_color", "#AABBCC")

    assert put("branding.primary_color", "#aabbcc").change is None


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("ui.nothing", True, UnknownSetting),
        (GAMES, "yes", InvalidValue),
        (GAMES, None, InvalidValue),
        ("chat.slow_mode_s", True, InvalidValue),
        ("chat.slow_mode_s", 121, InvalidValue),
        ("games.leaderboard.pinned_id", "a\x00", InvalidValue),
        ("triggers.hmac_secret_ref", "hunter2", InvalidValue),
    ],
)
def test_an_illegal_value_writes_nothing(put, key, value, error):
    with pytest.raises(error):
        put(key, value)

    assert nothing_was_written()


def test_a_level_that_may_not_set_it_is_refused(put, final, ios):
    with pytest.raises(LevelNotAllowed, match="only at: organization, stream") as refused:
        put("live.save_replay", False, Scope(client=ios))
    with pytest.raises(LevelNotAllowed):
        put("live.save_replay", False, Scope(stream=final, client=ios))

    assert refused.value.field == "level"
    assert nothing_was_written()


def test_locking_what_is_not_lockable_is_refused(put):
    with pytest.raises(NotLockable):
        put("ui.theme_mode", "dark", locked=True)

    assert nothing_was_written()


def test_locked_setting_refuses_stream_override(put, final, actor):
    put(GAMES, False, locked=True)

    with pytest.raises(LockedAbove, match="locked by tester") as refused:
        put(GAMES, True, Scope(stream=final))

    assert refused.value.lock.level is Level.ORGANIZATION
    assert current_version() == 2


def test_a_lock_on_the_stream_refuses_every_client_there(put, final, semifinal, ios):
    put(GAMES, False, Scope(stream=final), locked=True)

    with pytest.raises(LockedAbove, match="The Final"):
        put(GAMES, True, Scope(stream=final, client=ios))
    put(GAMES, True, Scope(stream=semifinal, client=ios))
    put(GAMES, True, Scope(client=ios))

    assert value_of(Scope(stream=final, client=ios)) is False
    assert value_of(Scope(stream=semifinal, client=ios)) is True


def test_a_lock_keeps_overrides_below_and_releasing_it_revives_them(put, final):
    put(GAMES, True, Scope(stream=final))

    put(GAMES, False, locked=True)

    row = resolved(Scope(stream=final)).setting(GAMES)
    assert row.current.value is False
    assert row.locked_above is row.current
    assert [value.level for value in row.ignored] == [Level.STREAM]
    assert row.own is row.ignored[0]
    put(GAMES, False, locked=False)
    assert value_of(Scope(stream=final)) is True


def test_lock_and_release_are_changes_of_their_own(put):
    put(GAMES, False)
    put(GAMES, False, locked=True)
    put(GAMES, False, locked=False)

    assert [change.kind for change in Change.objects.order_by("version")[1:]] == [
        "set",
        "lock",
        "unlock",
    ]


def test_a_value_alone_keeps_the_lock(put):
    put(GAMES, False, locked=True)
    put(GAMES, True)

    assert Override.objects.get().locked


def test_an_ignored_override_below_a_lock_may_be_cleared(put, final, actor):
    put(GAMES, True, Scope(stream=final))
    put(GAMES, False, locked=True)

    clear_override(scope=Scope(stream=final), key=GAMES, actor=actor, at=NOW)

    assert resolved(Scope(stream=final)).setting(GAMES).ignored == ()


def test_versions_are_gapless(put, final, ios):
    for number in range(5):
        put("chat.slow_mode_s", number, Scope(stream=final))
        put("chat.slow_mode_s", number, Scope(stream=final))
        with pytest.raises(InvalidValue):
            put("chat.slow_mode_s", -1)

    versions = Change.objects.order_by("version").values_list("version", flat=True)
    assert list(versions) == list(range(1, 7))


def test_a_comment_over_the_limit_is_refused(put):
    with pytest.raises(CommentTooLong):
        put(GAMES, False, comment="x" * 501)

    assert nothing_was_written()


class TestStale:
    """A write that is based on an old version."""

    def test_another_setting_meanwhile_does_not_matter_to_a_page(self, put):
        put("ui.theme_mode", "dark")

        assert put(GAMES, False, based_on=BasedOn(version=1)).version == 3

    def test_the_same_setting_meanwhile_is_refused_with_who_and_what(self, put, final):
        put(GAMES, False)

        with pytest.raises(StaleVersion, match="changed by tester") as refused:
            put(GAMES, False, Scope(stream=final), based_on=BasedOn(version=1))

        assert [change.version for change in refused.value.changes] == [2]
        assert refused.value.extra["current_version"] == 2
        assert refused.value.changes[0].value_after is False
        assert current_version() == 2

    def test_a_change_below_or_beside_does_not_matter(self, put, final, semifinal, ios):
        put(GAMES, False, Scope(stream=semifinal))
        put(GAMES, False, Scope(stream=final, client=ios))

        put(GAMES, False, Scope(stream=final), based_on=BasedOn(version=1))

        assert current_version() == 4

    def test_exact_refuses_any_change_meanwhile(self, put):
        put("ui.theme_mode", "dark")

        with pytest.raises(StaleVersion) as refused:
            put(GAMES, False, based_on=BasedOn(version=1, exact=True))

        assert [change.key for change in refused.value.changes] == ["ui.theme_mode"]

    def test_exact_refuses_a_version_of_the_future(self, put):
        with pytest.raises(StaleVersion):
            put(GAMES, False, based_on=BasedOn(version=9, exact=True))

        assert nothing_was_written()


class TestRelations:
    """Rules between two numbers, on resolved values."""

    P90, P95 = "slo.interaction_p90_ms", "slo.interaction_p95_ms"

    def test_a_value_that_breaks_a_rule_is_refused_with_the_reason(self, put):
        with pytest.raises(InvalidValue, match="95 % would be 200 ms, below Interaction goal, 90"):
            put(self.P90, 250)

        assert nothing_was_written()

    def test_raising_the_upper_one_first_is_accepted(self, put):
        put(self.P95, 260)
        put(self.P90, 250)

        assert value_of(Scope(), self.P90) == 250

    def test_a_rule_broken_on_a_stream_below_is_refused(self, put, final):
        put(self.P90, 180, Scope(stream=final))

        with pytest.raises(InvalidValue, match="on The Final"):
            put(self.P95, 170)

    def test_clearing_may_break_a_rule_too(self, put, actor):
        put(self.P95, 260)
        put(self.P90, 250)

        with pytest.raises(InvalidValue, match="would be 200 ms"):
            clear_override(scope=Scope(), key=self.P95, actor=actor, at=NOW)

        assert current_version() == 3

    def test_an_equality_rule_is_only_a_hint(self, put):
        put("ui.layout.lbar_mode", "fullFlexible")

        row = resolved(Scope()).setting("ui.layout.lbar_mode")
        assert row.idle_because is not None
        assert row.idle_because.key == "ui.layout.mode"
        put("ui.layout.mode", "l-bar")
        assert resolved(Scope()).setting("ui.layout.lbar_mode").idle_because is None


class TestClear:
    def test_clearing_is_a_version_and_the_value_is_inherited_again(self, put, actor, final):
        put(GAMES, False, Scope(stream=final))

        written = clear_override(scope=Scope(stream=final), key=GAMES, actor=actor, at=NOW)

        assert written.change is not None
        assert written.change.kind == "clear"
        assert written.version == 3
        assert not Override.objects.exists()
        assert ScopeVersion.objects.get(stream=final).change_id == 3
        assert AuditEntry.objects.filter(action="settings.clear").count() == 1
        assert OutboxEntry.objects.count() == 2
        assert value_of(Scope(stream=final)) is True

    def test_clearing_what_is_inherited_does_nothing(self, in_acme, actor):
        written = clear_override(scope=Scope(), key=GAMES, actor=actor, at=NOW)

        assert written.change is None
        assert nothing_was_written()

    def test_clearing_an_unknown_key_is_refused(self, in_acme, actor):
        with pytest.raises(UnknownSetting):
            clear_override(scope=Scope(), key="ui.nothing", actor=actor, at=NOW)

    def test_a_stale_clear_is_refused(self, put, actor):
        put(GAMES, False)

        with pytest.raises(StaleVersion):
            clear_override(
                scope=Scope(), key=GAMES, actor=actor, at=NOW, based_on=BasedOn(version=1)
            )


class TestIntegrity:
    """What the database itself refuses."""

    def test_history_is_append_only(self, put):
        change = put(GAMES, False).change

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Change.objects.filter(pk=change.pk).update(comment="never mind")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Change.objects.filter(pk=change.pk)._raw_delete("default")

    def test_a_scope_holds_a_setting_once(self, put):
        change = put(GAMES, False).change

        with pytest.raises(IntegrityError), transaction.atomic():
            Override.objects.create(key=GAMES, value=True, change=change)

    def test_there_is_one_config_state(self, in_acme):
        with pytest.raises(IntegrityError), transaction.atomic():
            ConfigState.objects.create(id=2, version=1, catalogue_digest="")

    def test_a_change_needs_what_its_kind_means(self, in_acme):
        with pytest.raises(IntegrityError), transaction.atomic():
            Change.objects.create(version=2, kind="set", key=GAMES, at=NOW)


def test_another_organization_sees_nothing_of_it(put, rival):
    put(GAMES, False)

    assert Override.objects.count() == 1
    with organization_context(rival.schema_name):
        assert nothing_was_written()
        assert value_of(Scope()) is True

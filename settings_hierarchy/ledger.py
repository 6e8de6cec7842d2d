"""How does one accepted change become the organization's next config version?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import audit, push
from core.audit import Actor, Target
from settings_hierarchy.models import Change, ConfigState, Override, Scope, ScopeVersion
from settings_hierarchy.schema import OVERRIDE_LEVELS
from settings_hierarchy.values import JSONValue

MAX_LABEL_LENGTH = 254


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Who changes, when and why."""

    actor: Actor
    at: datetime
    comment: str = ""
    undoes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a scope holds for one setting."""

    value: JSONValue
    locked: bool


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One write's turn: the config version is locked, the setting's overrides are read."""

    state: ConfigState
    scope: Scope
    key: str
    held: Held | None  # what the scope holds now
    lock: Override | None  # the weakest override above that locks the setting


def locked_state() -> ConfigState:
    """Lock the organization's config version, so that writes follow one another."""
    return ConfigState.objects.select_for_update().get()


def take_turn(state: ConfigState, scope: Scope, key: str) -> Turn:
    """Read what a write of this setting must know, in one statement."""
    rows = Override.objects.on_path(scope).filter(key=key)
    found = list(rows.select_related("change", "stream", "client"))
    own = next((row for row in found if row.level is scope.level), None)
    locks = [row for row in found if row.locked and row is not own]
    return Turn(
        state=state,
        scope=scope,
        key=key,
        held=None if own is None else Held(value=own.value, locked=own.locked),
        lock=min(locks, key=lambda row: OVERRIDE_LEVELS.index(row.level), default=None),
    )


def store(turn: Turn, after: Held | None, origin: Origin) -> Change:
    """Append the change, move the override and write the audit row; push is the caller's."""
    before, scope = turn.held, turn.scope
    change = Change(
        kind=_kind(before, after),
        stream=scope.stream,
        client=scope.client,
        key=turn.key,
        value_before=before.value if before else None,
        locked_before=before is not None and before.locked,
        value_after=after.value if after else None,
        locked_after=after is not None and after.locked,
    )
    append(turn.state, change, origin)
    _move_override(change, after)
    audit.record(
        action=f"settings.{change.kind}",
        actor=origin.actor,
        target=Target(
            type="setting",
            id=turn.key,
            label=f"{turn.key} · {place_name(scope)}"[:MAX_LABEL_LENGTH],
        ),
        at=origin.at,
        before=_as_json(before),
        after=_as_json(after),
        comment=origin.comment,
    )
    return change


def append(state: ConfigState, change: Change, origin: Origin) -> None:
    """Give the change the next version and move its scope there."""
    state.version += 1
    change.version = state.version
    change.at = origin.at
    change.comment = origin.comment
    change.undoes_id = origin.undoes
    change.actor_kind = origin.actor.kind
    change.actor_id = origin.actor.id
    change.actor_label = origin.actor.label
    change.save(force_insert=True)
    ScopeVersion.objects.bulk_create(
        [ScopeVersion(stream=change.stream, client=change.client, change=change)],
        update_conflicts=True,
        unique_fields=["stream", "client"],
        update_fields=["change"],
    )
    state.save(update_fields=["version"])


def _move_override(change: Change, after: Held | None) -> None:
    if after is None:
        Override.objects.at(change.scope).filter(key=change.key).delete()
        return
    Override.objects.bulk_create(
        [
            Override(
                stream=change.stream,
                client=change.client,
                key=change.key,
                value=after.value,
                locked=after.locked,
                change=change,
            )
        ],
        update_conflicts=True,
        unique_fields=["stream", "client", "key"],
        update_fields=["value", "locked", "change"],
    )


def push_change(scope: Scope, key: str, version: int) -> None:
    """Tell every live process after the commit; an empty key stands for several settings."""
    push.enqueue(
        "config",
        {
            "level": scope.level,
            "stream": scope.stream.slug if scope.stream else None,
            "client": scope.client.slug if scope.client else None,
            "key": key,
            "version": version,
        },
    )


def place_name(scope: Scope) -> str:
    return scope.label if scope.stream or scope.client else "the organization"


def _kind(before: Held | None, after: Held | None) -> Change.Kind:
    if after is None:
        return Change.Kind.CLEAR
    was_locked = before is not None and before.locked
    if after.locked == was_locked:
        return Change.Kind.SET
    return Change.Kind.LOCK if after.locked else Change.Kind.UNLOCK


def _as_json(held: Held | None) -> dict[str, Any] | None:
    return None if held is None else {"value": held.value, "locked": held.locked}

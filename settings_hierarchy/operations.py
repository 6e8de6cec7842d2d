"""How does a setting change? Each change is checked, stored, audited and pushed as one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from core import audit
from core.audit import Actor, Target
from core.errors import DomainError
from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.ledger import (
    Held,
    Origin,
    Turn,
    append,
    locked_state,
    place_name,
    push_change,
    store,
    take_turn,
)
from settings_hierarchy.models import (
    MAX_COMMENT_LENGTH,
    Change,
    ConfigState,
    Override,
    Scope,
)
from settings_hierarchy.queries import CONFLICT_LIMIT, OUTLINE, UnknownVersion, changes_since
from settings_hierarchy.relations import broken_rule
from settings_hierarchy.resolution import SourcedValue, catalogue_record
from settings_hierarchy.schema import InvalidValue, Setting
from streams.models import Stream


@dataclass(frozen=True, kw_only=True)
class BasedOn:
    """The config version that the writer had read.

    A page is refused when the same setting changed on the scope's path since; `exact`, as the
    API's If-Match, when anything in the organization did.
    """

    version: int
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write came to; `change` is None when there was nothing to change."""

    version: int  # the organization's config version now
    change: Change | None


class StaleVersion(DomainError):
    """Somebody else changed it meanwhile; `changes` says who and what, newest first."""

    slug = "stale-version"
    status = 412
    title = "Changed meanwhile"

    def __init__(self, current: int, changes: list[Change]) -> None:
        who = f" by {changes[0].actor_label}" if changes else ""
        super().__init__(
            f"This was changed{who} since you read it; the current version is {current}.",
            current_version=current,
            changes=[change_as_json(change) for change in changes],
        )
        self.current = current
        self.changes = changes


class LockedAbove(DomainError):
    """A weaker level forbids overriding."""

    slug = "locked-above"
    status = 409
    title = "Locked above"

    def __init__(self, setting: Setting, lock: Override) -> None:
        super().__init__(
            f"{setting.label} is locked by {lock.change.actor_label} at {place_name(lock.scope)}.",
            field="key",
            locked_by={"level": lock.level, "version": lock.change_id, "value": lock.value},
        )
        self.lock = lock


class LevelNotAllowed(DomainError):
    slug = "level-not-allowed"
    title = "Not settable at this level"

    def __init__(self, setting: Setting, scope: Scope) -> None:
        levels = ", ".join(level.label for level in setting.levels)
        super().__init__(
            f"{setting.label} cannot be set at the level {scope.level.label}, only at: {levels}.",
            field="level",
        )


class NotLockable(DomainError):
    slug = "not-lockable"
    title = "Not lockable"

    def __init__(self, setting: Setting) -> None:
        super().__init__(f"{setting.label} cannot be locked.", field="locked")


class CommentTooLong(DomainError):
    slug = "invalid-comment"
    title = "Comment too long"

    def __init__(self) -> None:
        super().__init__(f"A comment has at most {MAX_COMMENT_LENGTH} characters.", field="comment")


class NotUndoable(DomainError):
    slug = "not-undoable"
    status = 409
    title = "Cannot be undone"


def set_override(
    *,
    scope: Scope,
    key: str,
    value: object,
    actor: Actor,
    at: datetime,
    locked: bool | None = None,
    based_on: BasedOn | None = None,
    comment: str = "",
) -> Written:
    """Let a scope hold a value for a setting, and lock it or release the lock.

    `locked` None keeps the lock as it is. Holding the same already does nothing. Raises
    UnknownSetting, InvalidValue, LevelNotAllowed, NotLockable, LockedAbove, StaleVersion.
    """
    setting = CATALOGUE.setting(key)
    legal = setting.parse(value)
    _check_place(setting, scope, locked)
    origin = Origin(actor=actor, at=at, comment=_checked_comment(comment))
    with transaction.atomic():
        turn = take_turn(_begin(based_on, scope, key), scope, key)
        _check_lock_above(setting, turn)
        if locked is None:
            locked = turn.held is not None and turn.held.locked
        after = Held(value=legal, locked=locked)
        if turn.held is not None and _same(setting, turn.held, after):
            return Written(version=turn.state.version, change=None)
        return _write(turn, after, origin)


def clear_override(
    *,
    scope: Scope,
    key: str,
    actor: Actor,
    at: datetime,
    based_on: BasedOn | None = None,
    comment: str = "",
) -> Written:
    """Let a scope inherit a setting again; one that inherits already is left alone."""
    setting = CATALOGUE.setting(key)
    origin = Origin(actor=actor, at=at, comment=_checked_comment(comment))
    with transaction.atomic():
        turn = take_turn(_begin(based_on, scope, key), scope, setting.key)
        if turn.held is None:
            return Written(version=turn.state.version, change=None)
        return _write(turn, None, origin)


def undo_change(*, version: int, actor: Actor, at: datetime) -> Written:
    """Put a setting back to what it was before one change.

    Raises UnknownVersion, NotUndoable, StaleVersion when the scope changed it again since.
    """
    with transaction.atomic():
        state = locked_state()
        undone = setting_change(version)
        later = Change.objects.at(undone.scope).filter(key=undone.key, version__gt=version)
        if later.exists():
            raise StaleVersion(state.version, list(later[:CONFLICT_LIMIT]))
        held = _held_before(undone)
        origin = Origin(actor=actor, at=at, comment=f"Undo of version {version}", undoes=version)
        return _return_to(take_turn(state, undone.scope, undone.key), held, origin)


def restore_change(
    *, version: int, actor: Actor, at: datetime, based_on: BasedOn | None = None, comment: str = ""
) -> Written:
    """Put a setting to what one past change of the same scope had made it."""
    comment = _checked_comment(comment) or f"Restored from version {version}"
    with transaction.atomic():
        restored = setting_change(version)
        state = _begin(based_on, restored.scope, restored.key)
        origin = Origin(actor=actor, at=at, comment=comment)
        turn = take_turn(state, restored.scope, restored.key)
        return _return_to(turn, _held_after(restored), origin)


def copy_overrides(
    *, from_stream: Stream, to_stream: Stream, actor: Actor, at: datetime
) -> Written:
    """Copy every override of a stream, and of clients on it, to another stream that has none.

    Each is a version of its own; one push tells of the last.
    """
    comment = f"Copied from {from_stream.title}"[:MAX_COMMENT_LENGTH]
    origin = Origin(actor=actor, at=at, comment=comment)
    change = None
    with transaction.atomic():
        state = locked_state()
        rows = Override.objects.filter(stream=from_stream, key__in=CATALOGUE.settings)
        for row in rows.select_related("client").order_by("pk"):
            turn = take_turn(state, Scope(stream=to_stream, client=row.client), row.key)
            if turn.held is None:
                change = store(turn, Held(value=row.value, locked=row.locked), origin)
        if change is not None:
            push_change(Scope(stream=to_stream), "", state.version)
    return Written(version=state.version, change=change)


def publish_catalogue(*, actor: Actor, at: datetime) -> Written:
    """Make this release's catalogue a config version; the same catalogue is not published twice.

    Overrides that it no longer allows are cleared first, each as a version of its own.
    """
    record = catalogue_record(CATALOGUE)
    with transaction.atomic():
        state = locked_state()
        if state.catalogue_digest == record["digest"]:
            return Written(version=state.version, change=None)
        _clear_illegal(state, actor, at)
        change = Change(kind=Change.Kind.CATALOGUE, catalogue=record)
        append(state, change, Origin(actor=actor, at=at))
        state.catalogue_digest = record["digest"]
        state.save(update_fields=["catalogue_digest"])
        audit.record(
            action="settings.publish_catalogue",
            actor=actor,
            target=Target(type="catalogue", id=record["digest"][:12], label="Settings catalogue"),
            at=at,
            after={"digest": record["digest"], "version": state.version},
        )
        push_change(Scope(), "", state.version)
    return Written(version=state.version, change=change)


# --- checks ------------------------------------------------------------------------------------


def _check_place(setting: Setting, scope: Scope, locked: bool | None) -> None:
    if not setting.allows(scope.level):
        raise LevelNotAllowed(setting, scope)
    if locked and not setting.lockable:
        raise NotLockable(setting)


def _checked_comment(comment: str) -> str:
    comment = comment.strip()
    if len(comment) > MAX_COMMENT_LENGTH:
        raise CommentTooLong
    return comment


def _begin(based_on: BasedOn | None, scope: Scope, key: str) -> ConfigState:
    """Lock the config version and refuse a write that is based on an old one."""
    state = locked_state()
    if based_on is None:
        return state
    if based_on.exact and based_on.version != state.version:
        since = Change.objects.filter(version__gt=based_on.version)
        rows = since.select_related("stream", "client")[:CONFLICT_LIMIT]
        raise StaleVersion(state.version, list(rows))
    changes = list(changes_since(based_on.version, scope, key))
    if changes:
        raise StaleVersion(state.version, changes)
    return state


def _check_lock_above(setting: Setting, turn: Turn) -> None:
    if turn.lock is not None:
        raise LockedAbove(setting, turn.lock)


def _check_rules(turn: Turn, after: Held | None) -> None:
    scope, key = turn.scope, turn.key
    value = None
    if after is not None:
        value = SourcedValue(key=key, value=after.value, level=scope.level, locked=after.locked)
    broken = broken_rule(scope, key, value, OUTLINE)
    if broken is None:
        return
    stream_id, _ = broken.place
    where = ""
    if stream_id is not None and scope.stream is None:
        where = f" on {Stream.objects.get(pk=stream_id).title}"
    raise InvalidValue(CATALOGUE.setting(key), f"is refused: {broken.text}{where}")


def _same(setting: Setting, one: Held, other: Held) -> bool:
    return one.locked == other.locked and setting.rules.same(one.value, other.value)


def setting_change(version: int) -> Change:
    """Return one change of a present setting, or raise UnknownVersion or NotUndoable."""
    change = Change.objects.filter(pk=version).select_related("stream", "client").first()
    if change is None:
        raise UnknownVersion(f"There is no version {version}.")
    if change.kind == Change.Kind.CATALOGUE or change.key not in CATALOGUE.settings:
        raise NotUndoable(f"Version {version} is not the change of a present setting.")
    return change


# --- writing -----------------------------------------------------------------------------------


def _held_before(change: Change) -> Held | None:
    if change.value_before is None:
        return None
    return Held(value=change.value_before, locked=change.locked_before)


def _held_after(change: Change) -> Held | None:
    if change.value_after is None:
        return None
    return Held(value=change.value_after, locked=change.locked_after)


def _return_to(turn: Turn, held: Held | None, origin: Origin) -> Written:
    """Write a past value again, under the rules of today."""
    setting = CATALOGUE.setting(turn.key)
    if held is not None:
        held = Held(value=setting.parse(held.value), locked=held.locked)
        _check_place(setting, turn.scope, held.locked)
        _check_lock_above(setting, turn)
    if turn.held == held:
        return Written(version=turn.state.version, change=None)
    return _write(turn, held, origin)


def _write(turn: Turn, after: Held | None, origin: Origin) -> Written:
    _check_rules(turn, after)
    change = store(turn, after, origin)
    push_change(turn.scope, turn.key, turn.state.version)
    return Written(version=turn.state.version, change=change)


def _clear_illegal(state: ConfigState, actor: Actor, at: datetime) -> None:
    rows = Override.objects.filter(key__in=CATALOGUE.settings).select_related("stream", "client")
    for row in rows.order_by("pk"):
        try:
            CATALOGUE.setting(row.key).parse(row.value)
        except InvalidValue as invalid:
            comment = f"No longer legal: {invalid.reason}"[:MAX_COMMENT_LENGTH]
            turn = take_turn(state, row.scope, row.key)
            store(turn, None, Origin(actor=actor, at=at, comment=comment))


def change_as_json(change: Change) -> dict[str, Any]:
    """Return who changed what, as the API and conflict answers tell it."""
    return {
        "version": change.version,
        "kind": change.kind,
        "level": change.level,
        "stream": change.stream.slug if change.stream else None,
        "client": change.client.slug if change.client else None,
        "key": change.key,
        "value_before": change.value_before,
        "value_after": change.value_after,
        "locked_after": change.locked_after,
        "by": change.actor_label,
        "at": change.at.isoformat(),
        "comment": change.comment,
    }

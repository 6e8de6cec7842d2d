"""What does somebody at the settings page want to change, and what would come of it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import QueryDict

from core.audit import Actor
from settings_hierarchy.forms import ChangeForm, Verb, posted_value
from settings_hierarchy.models import Override, Scope
from settings_hierarchy.operations import (
    BasedOn,
    NotUndoable,
    Written,
    clear_override,
    restore_change,
    set_override,
    setting_change,
    undo_change,
)
from settings_hierarchy.queries import Resolved, overrides_below
from settings_hierarchy.schema import Setting

LOCKS = {Verb.LOCK: True, Verb.UNLOCK: False, Verb.RESET: False}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A posted change of one setting at one scope, read but not yet done."""

    scope: Scope
    setting: Setting
    verb: Verb
    value: object  # None: the setting is to be inherited again
    locked: bool | None  # the lock it would leave; None leaves it as it is
    version: int  # of the change to restore or undo, else 0
    based_on: BasedOn | None
    comment: str
    reviewed: bool
    texts: tuple[str, ...]  # the value as it was posted, to be repeated by a form

    def changes(self, own: Override | None) -> bool:
        """Say whether it would change what the scope holds."""
        if self.value is None or own is None:
            return self.value is not None or own is not None
        same_lock = self.locked is None or self.locked == own.locked
        return not (same_lock and self.setting.rules.same(self.value, own.value))

    def do(self, *, actor: Actor, at: datetime) -> Written:
        """Do it, whatever it is, with one operation."""
        key = self.setting.key
        if self.verb is Verb.UNDO:
            return undo_change(version=self.version, actor=actor, at=at)
        common: dict[str, Any] = {
            "based_on": self.based_on,
            "comment": self.comment,
            "actor": actor,
            "at": at,
        }
        if self.verb is Verb.RESTORE:
            return restore_change(version=self.version, **common)
        if self.verb is Verb.RESET:
            return clear_override(scope=self.scope, key=key, **common)
        return set_override(
            scope=self.scope, key=key, value=self.value, locked=self.locked, **common
        )


def read_wish(scope: Scope, setting: Setting, form: ChangeForm, posted: QueryDict) -> Wish:
    """Read a valid form into a wish.

    Raises InvalidValue for an illegal value, UnknownVersion or NotUndoable for a change that is
    not one of this setting at this scope.
    """
    sent = form.cleaned_data
    verb = form.verb
    wish = Wish(
        scope=scope,
        setting=setting,
        verb=verb,
        value=None,
        locked=LOCKS.get(verb),
        version=sent["version"] or 0,
        based_on=None if sent["based_on"] is None else BasedOn(version=sent["based_on"]),
        comment=sent["comment"],
        reviewed=sent["reviewed"],
        texts=tuple(posted.getlist("value")),
    )
    if verb.takes_value:
        return replace(wish, value=setting.parse(posted_value(setting, posted)))
    return _from_history(wish) if verb in {Verb.RESTORE, Verb.UNDO} else wish


def _from_history(wish: Wish) -> Wish:
    change = setting_change(wish.version)
    if change.scope != wish.scope or change.key != wish.setting.key:
        raise NotUndoable(f"Version {wish.version} changed something else.")
    if wish.verb is Verb.UNDO:
        return replace(wish, value=change.value_before, locked=change.locked_before)
    return replace(wish, value=change.value_after, locked=change.locked_after)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a reviewer reads before a wish is done on a live stream."""

    changes: list[dict[str, object]]  # as components/_diff.html takes them
    notes: list[str]


def preview(wish: Wish, now: Resolved) -> Preview:
    """Return before → after of a wish and what it means for scopes below."""
    row = now.setting(wish.setting.key)
    inherits = wish.value is None
    becomes = row.inherited.value if inherits else wish.value
    level = row.inherited.level if inherits else wish.scope.level
    change: dict[str, object] = {
        "key": wish.setting.key,
        "label": wish.setting.label,
        "was": row.current.value,
        "becomes": becomes,
        "was_level": row.current.level,
        "becomes_level": level,
        "locked_by": level if wish.locked else None,
    }
    return Preview(changes=[change], notes=_notes(wish, row.own is not None and row.own.locked))


def _notes(wish: Wish, was_locked: bool) -> list[str]:
    below = overrides_below(wish.scope).get(wish.setting.key, 0)
    if wish.locked and not was_locked:
        return [f"Locks it. More specific overrides that lose their effect: {below}."]
    if was_locked and wish.locked is False:
        return [f"Releases the lock. More specific overrides that take effect again: {below}."]
    return [f"More specific overrides that keep their own value: {below}."] if below else []

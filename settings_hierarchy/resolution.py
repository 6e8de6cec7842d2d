"""Which value wins for each setting, and where does it come from? Pure: rows in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from settings_hierarchy.schema import OVERRIDE_LEVELS, Catalogue, Level
from settings_hierarchy.values import JSONValue, identical


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcedValue:
    """A value with its provenance: the level that set it, who, when, at which config version."""

    key: str
    value: JSONValue
    level: Level
    locked: bool = False  # the level forbids stronger levels to override
    version: int = 0  # 0: the catalogue's default
    changed_at: datetime | None = None
    changed_by: str = ""
    comment: str = ""

    @property
    def is_default(self) -> bool:
        return self.level is Level.DEFAULT


Values = dict[str, SourcedValue]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """What one level on the path overrides; immutable, so it can be kept and shared."""

    level: Level
    values: Values
    locked: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """How one setting got its value."""

    winner: SourcedValue
    ignored: tuple[SourcedValue, ...]  # overrides below a lock, weakest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """What turns one snapshot's settings into another's."""

    changes: dict[str, JSONValue] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.changes and not self.removed

    def apply(self, settings: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
        """Return the new settings, as an SDK computes them."""
        kept = {key: value for key, value in settings.items() if key not in self.removed}
        return kept | self.changes


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What resolving must know of a catalogue; history keeps it for every published release."""

    defaults: Values
    delivered: tuple[str, ...]
    allowed: Mapping[Level, frozenset[str]]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Outline:
        return cls.read(catalogue_record(catalogue))

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Outline:
        """Return the outline of a recorded catalogue, present or past."""
        rows: Mapping[str, Mapping[str, Any]] = record["settings"]
        return cls(
            defaults={
                key: SourcedValue(key=key, value=row["default"], level=Level.DEFAULT)
                for key, row in rows.items()
            },
            delivered=tuple(key for key, row in rows.items() if row["delivered"]),
            allowed={
                level: frozenset(key for key, row in rows.items() if level in row["levels"])
                for level in OVERRIDE_LEVELS
            },
        )

    def layer(self, level: Level, values: Iterable[SourcedValue]) -> Layer:
        """Build a level's layer; a row that this catalogue does not allow there is left out.

        Such rows stay stored after a release drops a setting, and count again if it comes back.
        """
        allowed = self.allowed[level]
        known = {value.key: value for value in values if value.key in allowed}
        locked = frozenset(key for key, value in known.items() if value.locked)
        return Layer(level=level, values=known, locked=locked)


def catalogue_record(catalogue: Catalogue) -> dict[str, Any]:
    """Return what history keeps of a catalogue, as JSON."""
    return {
        "digest": catalogue.digest(),
        "settings": {
            setting.key: {
                "default": setting.default,
                "delivered": setting.is_delivered,
                "levels": [level for level in OVERRIDE_LEVELS if setting.allows(level)],
            }
            for setting in catalogue
        },
    }


def resolve(defaults: Values, layers: Sequence[Layer]) -> Values:
    """Return the winning value of every setting; layers come weakest first.

    The most specific level wins, unless a weaker one has locked the setting.
    """
    resolved = defaults.copy()
    locked: frozenset[str] = frozenset()
    for each in layers:
        if locked:
            resolved.update({key: value for key, value in each.values.items() if key not in locked})
        else:
            resolved.update(each.values)
        if each.locked:
            locked |= each.locked
    return resolved


def trace(key: str, defaults: Values, layers: Sequence[Layer]) -> Trace:
    """Explain one setting: the value that wins and the overrides that a lock made ineffective."""
    winner = defaults[key]
    ignored: list[SourcedValue] = []
    for each in layers:
        value = each.values.get(key)
        if value is None:
            continue
        if winner.locked:
            ignored.append(value)
        else:
            winner = value
    return Trace(winner=winner, ignored=tuple(ignored))


def value_without(
    key: str, level: Level, defaults: Values, layers: Sequence[Layer]
) -> SourcedValue:
    """Return what the setting would be without the override of this level."""
    others = [each for each in layers if each.level is not level]
    return trace(key, defaults, others).winner


def delivered_settings(resolved: Values, keys: Iterable[str]) -> dict[str, JSONValue]:
    """Return key → value for the settings that leave the back office."""
    return {key: resolved[key].value for key in keys}


def delta(old: Mapping[str, JSONValue], new: Mapping[str, JSONValue]) -> Delta:
    """Return what changed between two snapshots' settings."""
    missing = object()
    changes = {}
    for key, value in new.items():
        before = old.get(key, missing)
        if before is not value and not identical(before, value):
            changes[key] = value
    return Delta(changes=changes, removed=[key for key in old if key not in new])

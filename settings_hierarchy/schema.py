"""What is a setting, and what is a catalogue of them?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.errors import DomainError, NotFound
from settings_hierarchy.values import JSONValue, RuleBroken, SettingType, ValueRules

MAX_KEY_LENGTH = 64


class Level(StrEnum):
    """Where a value comes from, weakest first."""

    DEFAULT = "default"
    ORGANIZATION = "organization"
    STREAM = "stream"
    CLIENT = "client"
    CLIENT_ON_STREAM = "client_on_stream"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ")


OVERRIDE_LEVELS = (Level.ORGANIZATION, Level.STREAM, Level.CLIENT, Level.CLIENT_ON_STREAM)


class Visibility(StrEnum):
    CLIENT = "client"
    SERVER = "server"


class CatalogueError(ValueError):
    """The catalogue is wrong; the text names the row and the field."""


class UnknownSetting(NotFound):
    slug = "unknown-setting"
    title = "Unknown setting"

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no setting {key[:MAX_KEY_LENGTH]!r}.", field="key")


class InvalidValue(DomainError):
    """A value breaks the rules of its setting."""

    slug = "invalid-value"
    title = "Invalid value"

    def __init__(self, setting: Setting, reason: str) -> None:
        super().__init__(f"{setting.label} {reason}.", field="value", key=setting.key)
        self.reason = reason


class Relation(StrEnum):
    EQUALS = "="
    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A rule about another setting: "=" tells when a setting has effect, the others are enforced."""

    relation: Relation
    key: str
    value: JSONValue | None = None

    @property
    def is_enforced(self) -> bool:
        return self.relation is not Relation.EQUALS

    def holds(self, own: JSONValue, other: JSONValue) -> bool:
        """Judge the resolved values of the setting itself and of the one the rule names."""
        if self.relation is Relation.EQUALS:
            return other == self.value
        assert isinstance(own, int | float)
        assert isinstance(other, int | float)
        return own >= other if self.relation is Relation.AT_LEAST else own <= other


@dataclass(frozen=True, kw_only=True)
class Group:
    """A heading of the settings page."""

    key: str
    order: int
    title: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the catalogue."""

    key: str
    group: str
    rules: ValueRules
    default: JSONValue
    levels: tuple[Level, ...]
    lockable: bool
    visibility: Visibility
    requires: Requirement | None
    label: str
    help: str
    source: str
    since: str

    @property
    def type(self) -> SettingType:
        return self.rules.type

    @property
    def unit(self) -> str:
        return self.rules.unit

    @property
    def is_delivered(self) -> bool:
        return self.visibility is Visibility.CLIENT

    def parse(self, value: object) -> JSONValue:
        """Return the legal value in its stored form, or raise InvalidValue."""
        try:
            return self.rules.parse(value)
        except RuleBroken as broken:
            raise InvalidValue(self, str(broken)) from broken

    def allows(self, level: Level) -> bool:
        """Say whether the level may override; a client may do on one stream what it may on all."""
        return (Level.CLIENT if level is Level.CLIENT_ON_STREAM else level) in self.levels

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a legal value with its texts and default."""
        texts = {"title": self.label, "description": self.help, "default": self.default}
        return self.rules.json_schema() | texts


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Every setting by key, in the order of the file."""

    groups: Mapping[str, Group]
    settings: Mapping[str, Setting]
    sources: Mapping[str, str]

    def __iter__(self) -> Iterator[Setting]:
        return iter(self.settings.values())

    def __len__(self) -> int:
        return len(self.settings)

    def setting(self, key: str) -> Setting:
        """Return the setting or raise UnknownSetting."""
        try:
            return self.settings[key]
        except KeyError:
            raise UnknownSetting(key) from None

    @property
    def headings(self) -> tuple[Group, ...]:
        return tuple(self.groups.values())

    @property
    def rows(self) -> tuple[Setting, ...]:
        return tuple(self.settings.values())

    def in_group(self, group: str) -> tuple[Setting, ...]:
        return tuple(setting for setting in self if setting.group == group)

    def delivered(self) -> dict[str, JSONValue]:
        """Return the defaults of everything that SDKs receive."""
        return {setting.key: setting.default for setting in self if setting.is_delivered}

    def enforced(self) -> Iterator[tuple[Setting, Requirement]]:
        """Yield every rule between two settings that resolved values must keep."""
        for setting in self:
            if setting.requires is not None and setting.requires.is_enforced:
                yield setting, setting.requires

    def digest(self) -> str:
        """Return a hash of all that decides what SDKs get; texts for people are left out."""
        rows = [
            [
                setting.key,
                setting.default,
                sorted(setting.levels),
                setting.lockable,
                setting.visibility,
                setting.rules.json_schema(),
            ]
            for setting in self
        ]
        return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()

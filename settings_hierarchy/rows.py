"""What does one row of the settings page show, and what may be done with it?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.models import Scope
from settings_hierarchy.queries import Resolved, ResolvedSetting
from settings_hierarchy.schema import Group, Level
from settings_hierarchy.values import SettingType

CONTROLS = {
    SettingType.BOOL: "toggle",
    SettingType.INT: "number",
    SettingType.FLOAT: "number",
    SettingType.ENUM: "select",
    SettingType.COLOR: "color",
    SettingType.OBJECT: "json",
    SettingType.LIST: "list",
}
URL_NAMES = {
    Level.ORGANIZATION: "organization",
    Level.STREAM: "stream",
    Level.CLIENT: "client",
    Level.CLIENT_ON_STREAM: "client_on_stream",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A scope's address among the pages, and what its reader may do there."""

    organization: str
    scope: Scope
    may: frozenset[str]
    is_live: bool  # a change reaches viewers of a live stream, so it is reviewed first

    @property
    def url(self) -> str:
        return self._reverse("")

    def setting_url(self, key: str) -> str:
        return self._reverse("_setting", key=key)

    def change_url(self, key: str) -> str:
        return self._reverse("_change", key=key)

    def _reverse(self, suffix: str, **arguments: str) -> str:
        arguments["organization"] = self.organization
        if self.scope.stream is not None:
            arguments["stream"] = self.scope.stream.slug
        if self.scope.client is not None:
            arguments["client"] = self.scope.client.slug
        name = URL_NAMES[self.scope.level]
        return reverse(f"settings_hierarchy:{name}{suffix}", kwargs=arguments)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What somebody typed that is not stored: refused, or waiting for its review."""

    value: object
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class SettingRow:
    """One setting at one scope, ready for its template."""

    resolved: ResolvedSetting
    place: Place
    based_on: int
    below: int  # more specific scopes with an override of their own
    draft: Draft | None = None

    @property
    def id(self) -> str:
        return row_id(self.resolved.setting.key)

    @property
    def control(self) -> str:
        setting = self.resolved.setting
        if setting.rules.items is SettingType.ENUM:
            return "checks"
        return CONTROLS.get(setting.type, "text")

    @property
    def value(self) -> object:
        return self.draft.value if self.draft is not None else self.resolved.current.value

    @property
    def input_text(self) -> str:
        """Return the value as an input holds it."""
        value = self.value
        if isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=False, indent=2)
        return str(value)

    @property
    def error(self) -> str:
        return self.draft.error if self.draft is not None else ""

    @property
    def errors(self) -> list[str]:
        return [self.error] if self.error else []

    @property
    def choices(self) -> Sequence[tuple[str, bool]]:
        chosen = self.value if isinstance(self.value, list) else [self.value]
        choices = self.resolved.setting.rules.choices
        return [(str(choice), choice in chosen) for choice in choices]

    @property
    def is_allowed(self) -> bool:
        return self.resolved.setting.allows(self.place.scope.level)

    @property
    def is_editable(self) -> bool:
        allowed = self.is_allowed and self.resolved.locked_above is None
        return allowed and "settings.change" in self.place.may

    @property
    def may_lock(self) -> bool:
        return (
            self.resolved.setting.lockable
            and self.is_editable
            and "settings.lock" in self.place.may
            and self.place.scope.level is not Level.CLIENT_ON_STREAM
        )

    @property
    def is_locked_here(self) -> bool:
        return self.resolved.own is not None and self.resolved.own.locked

    @property
    def may_reset(self) -> bool:
        right = "settings.lock" if self.is_locked_here else "settings.change"
        return self.resolved.own is not None and right in self.place.may

    @property
    def is_ignored(self) -> bool:
        """Say whether this scope's own override has no effect because of a lock above."""
        return self.resolved.own is not None and self.resolved.locked_above is not None

    @property
    def url(self) -> str:
        return self.place.setting_url(self.resolved.setting.key)

    @property
    def change_url(self) -> str:
        return self.place.change_url(self.resolved.setting.key)


def row_id(key: str) -> str:
    """Return the id of a setting's element; a dot would read as a class in a selector."""
    return "setting-" + key.replace(".", "--")


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    group: Group
    rows: Sequence[SettingRow]


def grouped_rows(rows: Sequence[SettingRow]) -> list[RowGroup]:
    """Return the rows under their headings; a heading without rows is left out."""
    found = []
    for group in CATALOGUE.headings:
        inside = [row for row in rows if row.resolved.setting.group == group.key]
        if inside:
            found.append(RowGroup(group=group, rows=inside))
    return found


def rows_of(resolved: Resolved, place: Place, below: dict[str, int]) -> list[SettingRow]:
    return [
        SettingRow(
            resolved=row,
            place=place,
            based_on=resolved.config_version,
            below=below.get(row.setting.key, 0),
        )
        for row in resolved.settings
    ]

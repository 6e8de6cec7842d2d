"""Which settings are there? Reads catalogue.toml and refuses to start when a row is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from settings_hierarchy.schema import (
    MAX_KEY_LENGTH,
    Catalogue,
    CatalogueError,
    Group,
    Level,
    Relation,
    Requirement,
    Setting,
    Visibility,
)
from settings_hierarchy.values import JSONValue, RuleBroken, SettingType, ValueRules

PATH = Path(__file__).with_name("catalogue.toml")
KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
RELEASE = re.compile(r"\d+\.\d+\.\d+")
REQUIREMENT = re.compile(r"(?:(?P<relation>>=|<=) *)?(?P<key>[a-z0-9_.]+)(?: *= *(?P<value>.+))?")
Member = TypeVar("Member", bound=StrEnum)

REQUIRED = {
    "group": str,
    "type": str,
    "levels": list,
    "lockable": bool,
    "visibility": str,
    "label": str,
    "help": str,
    "source": str,
    "since": str,
}
OPTIONAL = {
    "min": (int, float),
    "max": (int, float),
    "choices": list,
    "pattern": str,
    "max_length": int,
    "items": str,
    "max_items": int,
    "unique": bool,
    "requires": str,
    "unit": str,
}
LIMITS = {
    SettingType.INT: {"min", "max"},
    SettingType.FLOAT: {"min", "max"},
    SettingType.STRING: {"pattern", "max_length"},
    SettingType.ENUM: {"choices"},
    SettingType.LIST: {"items", "choices", "max_items", "unique"},
}
NEEDED_LIMITS = {
    SettingType.INT: {"min", "max"},
    SettingType.FLOAT: {"min", "max"},
    SettingType.ENUM: {"choices"},
    SettingType.LIST: {"items"},
}
COMMON_FIELDS = {*REQUIRED, "default", "requires", "unit"}


def load_catalogue(text: str) -> Catalogue:
    """Read the catalogue or raise CatalogueError naming the row and the field that is wrong."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"catalogue.toml: {error}") from error
    unknown = sorted(set(content) - {"groups", "settings", "sources"})
    if unknown:
        raise CatalogueError(f"catalogue.toml: unknown table {unknown[0]!r}")
    sources = content.get("sources", {})
    groups = {key: _group(key, row) for key, row in content.get("groups", {}).items()}
    rows = {key: _setting(key, row) for key, row in content.get("settings", {}).items()}
    catalogue = Catalogue(groups=groups, settings=rows, sources=sources)
    for setting in catalogue:
        _check_references(catalogue, setting)
    return catalogue


def _group(key: str, row: Mapping[str, Any]) -> Group:
    where = f"groups.{key}"
    kinds: dict[str, Any] = {"order": int, "title": str, "description": str}
    _check_fields(where, row, required=kinds, optional={})
    return Group(key=key, **row)


def _setting(key: str, row: Mapping[str, Any]) -> Setting:
    where = f'settings."{key}"'
    if not KEY.fullmatch(key) or len(key) > MAX_KEY_LENGTH:
        raise CatalogueError(f"{where}: a key is lower-case words joined by dots")
    if "default" not in row:
        raise CatalogueError(f"{where}.default: is missing")
    fields = {name: value for name, value in row.items() if name != "default"}
    _check_fields(where, fields, required=REQUIRED, optional=OPTIONAL)
    rules = _rules(where, row)
    try:
        default = rules.parse(row["default"])
    except RuleBroken as broken:
        raise CatalogueError(f"{where}.default: {broken}") from broken
    return Setting(
        key=key,
        group=row["group"],
        rules=rules,
        default=default,
        levels=_levels(where, row["levels"]),
        lockable=row["lockable"],
        visibility=_member(Visibility, f"{where}.visibility", row["visibility"]),
        requires=_requirement(f"{where}.requires", row.get("requires")),
        label=row["label"],
        help=row["help"],
        source=row["source"],
        since=_release(f"{where}.since", row["since"]),
    )


def _check_fields(
    where: str, row: Mapping[str, Any], *, required: Mapping[str, Any], optional: Mapping[str, Any]
) -> None:
    kinds = {**required, **optional}
    for name, value in row.items():
        if name not in kinds:
            raise CatalogueError(f"{where}.{name}: unknown field")
        kind = kinds[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise CatalogueError(f"{where}.{name}: {value!r} is of the wrong type")
        if value == "" and name in required:
            raise CatalogueError(f"{where}.{name}: is empty")
    for name in required:
        if name not in row:
            raise CatalogueError(f"{where}.{name}: is missing")


def _rules(where: str, row: Mapping[str, Any]) -> ValueRules:
    kind = _member(SettingType, f"{where}.type", row["type"])
    for name in row.keys() - COMMON_FIELDS - LIMITS.get(kind, set()):
        raise CatalogueError(f"{where}.{name}: means nothing for a {kind}")
    for name in sorted(NEEDED_LIMITS.get(kind, set()) - row.keys()):
        raise CatalogueError(f"{where}.{name}: is missing")
    if "min" in row and row["min"] > row["max"]:
        raise CatalogueError(f"{where}.min: is above max")
    choices = tuple(row.get("choices", ()))
    items = None
    if kind is SettingType.LIST:
        items = _member(SettingType, f"{where}.items", row["items"])
        if items not in {SettingType.STRING, SettingType.ENUM}:
            raise CatalogueError(f"{where}.items: must be string or enum")
    of_choices = SettingType.ENUM in {kind, items}
    _check_choices(f"{where}.choices", choices, needed=of_choices)
    _check_pattern(f"{where}.pattern", row.get("pattern"))
    if kind is SettingType.LIST and not of_choices and "max_items" not in row:
        raise CatalogueError(f"{where}.max_items: is missing")
    return ValueRules(
        type=kind,
        minimum=row.get("min"),
        maximum=row.get("max"),
        choices=choices,
        pattern=row.get("pattern"),
        max_length=row.get("max_length"),
        items=items,
        # A list of choices names each at most once.
        max_items=row.get("max_items", len(choices) or None),
        unique=row.get("unique", items is SettingType.ENUM),
        unit=row.get("unit", ""),
    )


def _check_choices(where: str, choices: tuple[object, ...], *, needed: bool) -> None:
    if needed != bool(choices):
        raise CatalogueError(f"{where}: {'is empty' if needed else 'means nothing here'}")
    for choice in choices:
        if isinstance(choice, bool) or not isinstance(choice, str | int):
            raise CatalogueError(f"{where}: {choice!r} is neither text nor a whole number")
    if len(set(choices)) != len(choices):
        raise CatalogueError(f"{where}: names one twice")


def _check_pattern(where: str, pattern: str | None) -> None:
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise CatalogueError(f"{where}: {error}") from error


def _levels(where: str, names: list[object]) -> tuple[Level, ...]:
    levels = tuple(_member(Level, f"{where}.levels", name) for name in names)
    legal = (Level.ORGANIZATION, Level.STREAM, Level.CLIENT)
    if not levels or levels != tuple(level for level in legal if level in levels):
        raise CatalogueError(f"{where}.levels: must be some of {[*map(str, legal)]}, in this order")
    return levels


def _release(where: str, text: str) -> str:
    if not RELEASE.fullmatch(text):
        raise CatalogueError(f"{where}: {text!r} is not a release such as 0.1.0")
    return text


def _member(kind: type[Member], where: str, name: object) -> Member:
    try:
        return kind(name)  # type: ignore[arg-type]  # a wrong type is refused like a wrong name
    except ValueError:
        names = ", ".join(kind)
        raise CatalogueError(f"{where}: {name!r} is none of {names}") from None


def _requirement(where: str, text: str | None) -> Requirement | None:
    if text is None:
        return None
    found = REQUIREMENT.fullmatch(text)
    if found is None or (found["relation"] is None) == (found["value"] is None):
        raise CatalogueError(f'{where}: {text!r} is neither "key = value" nor ">= key"')
    if found["relation"] is not None:
        return Requirement(relation=Relation(found["relation"]), key=found["key"])
    return Requirement(
        relation=Relation.EQUALS, key=found["key"], value=_written_value(found["value"])
    )


def _written_value(text: str) -> JSONValue:
    """Read the value as TOML would, or as plain text: `true` is a bool, `l-bar` a string."""
    try:
        value: JSONValue = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value


def _check_references(catalogue: Catalogue, setting: Setting) -> None:
    where = f'settings."{setting.key}"'
    if setting.group not in catalogue.groups:
        raise CatalogueError(f"{where}.group: there is no group {setting.group!r}")
    if setting.source not in catalogue.sources:
        raise CatalogueError(f"{where}.source: there is no source {setting.source!r}")
    if setting.requires is not None:
        _check_requirement(f"{where}.requires", catalogue, setting, setting.requires)


def _check_requirement(
    where: str, catalogue: Catalogue, setting: Setting, requirement: Requirement
) -> None:
    other = catalogue.settings.get(requirement.key)
    if other is None or other is setting:
        raise CatalogueError(f"{where}: {requirement.key!r} is no other setting")
    if requirement.relation is Relation.EQUALS:
        try:
            other.rules.parse(requirement.value)
        except RuleBroken as broken:
            raise CatalogueError(f"{where}: {other.key} {broken}") from broken
        return
    if not {setting.type, other.type} <= {SettingType.INT, SettingType.FLOAT}:
        raise CatalogueError(f"{where}: only numbers can be compared")
    if not requirement.holds(setting.default, other.default):
        raise CatalogueError(f"{where}: the defaults already break it")


CATALOGUE = load_catalogue(PATH.read_text(encoding="utf-8"))

"""Is this JSON value legal for a setting of this type and these limits?"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias
from urllib.parse import urlsplit

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue]"

MAX_INTEGER = 2**53 - 1  # beyond it JavaScript SDKs would round
MAX_TEXT_LENGTH = 500
MAX_URL_LENGTH = 2000
MAX_ITEM_LENGTH = 200
MAX_OBJECT_BYTES = 8192
MAX_OBJECT_DEPTH = 5
SHOWN_LENGTH = 40

COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
SECRET_REFERENCE = re.compile(r"env:[A-Z_][A-Z0-9_]{0,63}|vault:[A-Za-z0-9][A-Za-z0-9_./-]{0,199}")
URL_TEXT = re.compile(r"[^\s\x00-\x20<>\"'\\^`{|}]+")


class SettingType(StrEnum):
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STRING = "string"
    ENUM = "enum"
    COLOR = "color"
    URL = "url"
    LIST = "list"
    OBJECT = "object"
    SECRET = "secret"  # noqa: S105  the name of a type


class RuleBroken(ValueError):
    """A value is not legal; the text says what would be."""


@dataclass(frozen=True, kw_only=True)
class ValueRules:
    """Type and limits of one setting, the part of its catalogue row that judges values."""

    type: SettingType
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[str | int, ...] = ()
    pattern: str | None = None
    max_length: int | None = None
    items: SettingType | None = None
    max_items: int | None = None
    unique: bool = False
    unit: str = ""

    def parse(self, value: object) -> JSONValue:
        """Return the value in its one stored form, or raise RuleBroken."""
        return _PARSERS[self.type](self, value)

    def same(self, one: object, other: object) -> bool:
        """Say whether two legal values mean the same; colours ignore case."""
        if self.type is SettingType.COLOR and isinstance(one, str) and isinstance(other, str):
            return one.lower() == other.lower()
        return identical(one, other)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of a legal value."""
        return _SCHEMAS[self.type](self)


def identical(one: object, other: object) -> bool:
    """Compare JSON values as an SDK would: true is not 1, and 1.0 is not 1."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict | list):
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return one == other


def shown(value: object) -> str:
    """Return a value as short text for a message."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"


def _parse_bool(rules: ValueRules, value: object) -> JSONValue:
    if not isinstance(value, bool):
        raise RuleBroken(f"must be true or false, not {shown(value)}")
    return value


def _parse_int(rules: ValueRules, value: object) -> JSONValue:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RuleBroken(f"must be a whole number, not {shown(value)}")
    if abs(value) > MAX_INTEGER:
        raise RuleBroken("is too large for a whole number")
    _check_bounds(rules, value)
    return value


def _parse_float(rules: ValueRules, value: object) -> JSONValue:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RuleBroken(f"must be a number, not {shown(value)}")
    if abs(value) > MAX_INTEGER or not math.isfinite(value):
        raise RuleBroken("must be a finite number of ordinary size")
    number = float(value) + 0.0  # -0.0 becomes 0.0
    _check_bounds(rules, number)
    return number


def _check_bounds(rules: ValueRules, number: float) -> None:
    unit = f" {rules.unit}" if rules.unit else ""
    if rules.minimum is not None and number < rules.minimum:
        raise RuleBroken(f"must be at least {rules.minimum}{unit}, not {number}")
    if rules.maximum is not None and number > rules.maximum:
        raise RuleBroken(f"must be at most {rules.maximum}{unit}, not {number}")


def _parse_text(rules: ValueRules, value: object) -> str:
    if not isinstance(value, str):
        raise RuleBroken(f"must be text, not {shown(value)}")
    for character in value:
        if "\ud800" <= character <= "\udfff":
            raise RuleBroken("contains half of a surrogate pair")
        if character < " " or "\x7f" <= character <= "\x9f":
            raise RuleBroken(f"contains the control character U+{ord(character):04X}")
    limit = rules.max_length or MAX_TEXT_LENGTH
    if len(value) > limit:
        raise RuleBroken(f"must have at most {limit} characters, not {len(value)}")
    return value


def _parse_string(rules: ValueRules, value: object) -> JSONValue:
    text = _parse_text(rules, value)
    if rules.pattern is not None and not re.fullmatch(rules.pattern, text, re.ASCII):
        raise RuleBroken(f"must match {rules.pattern}, not {shown(text)}")
    return text


def _parse_enum(rules: ValueRules, value: object) -> JSONValue:
    for choice in rules.choices:
        if identical(choice, value):
            return choice
    raise RuleBroken(f"must be one of {_listed(rules.choices)}, not {shown(value)}")


def _listed(choices: tuple[str | int, ...]) -> str:
    return ", ".join(str(choice) for choice in choices)


def _parse_color(rules: ValueRules, value: object) -> JSONValue:
    if not isinstance(value, str) or not COLOR.fullmatch(value):
        raise RuleBroken(f"must be a colour such as #1E6FFF, not {shown(value)}")
    return value


def _parse_url(rules: ValueRules, value: object) -> JSONValue:
    text = _parse_text(ValueRules(type=SettingType.URL, max_length=MAX_URL_LENGTH), value)
    if text == "":
        return text
    try:
        parts = urlsplit(text)
        legal = parts.scheme in {"http", "https"} and bool(parts.hostname)
        legal = legal and (parts.port is None or parts.port > 0)
    except ValueError:
        legal = False
    if not legal or not URL_TEXT.fullmatch(text):
        raise RuleBroken("must be a web address that starts with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise RuleBroken("must not carry a user name or password")
    return text


def _parse_list(rules: ValueRules, value: object) -> JSONValue:
    if not isinstance(value, list):
        raise RuleBroken(f"must be a list, not {shown(value)}")
    if rules.max_items is not None and len(value) > rules.max_items:
        raise RuleBroken(f"must have at most {rules.max_items} items, not {len(value)}")
    item_rules = ValueRules(
        type=rules.items or SettingType.STRING, choices=rules.choices, max_length=MAX_ITEM_LENGTH
    )
    items: list[JSONValue] = []
    for position, item in enumerate(value, start=1):
        try:
            parsed = item_rules.parse(item)
        except RuleBroken as broken:
            raise RuleBroken(f"item {position} {broken}") from broken
        if parsed == "":
            raise RuleBroken(f"item {position} is empty")
        if rules.unique and parsed in items:
            raise RuleBroken(f"names {shown(parsed)} twice")
        items.append(parsed)
    return items


def _parse_object(rules: ValueRules, value: object) -> JSONValue:
    if not isinstance(value, dict):
        raise RuleBroken(f"must be an object, not {shown(value)}")
    _check_tree(value, MAX_OBJECT_DEPTH)
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > MAX_OBJECT_BYTES:
        raise RuleBroken(f"must have at most {MAX_OBJECT_BYTES} bytes as JSON, not {size}")
    return value


def _check_tree(value: object, depth: int) -> None:
    if depth < 0:
        raise RuleBroken(f"must not nest deeper than {MAX_OBJECT_DEPTH} levels")
    if isinstance(value, dict):
        for name, item in value.items():
            _parse_string(_ANY_TEXT, name)
            _check_tree(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check_tree(item, depth - 1)
    elif isinstance(value, str):
        _parse_string(_ANY_TEXT, value)
    elif not isinstance(value, bool):
        _parse_float(_ANY_NUMBER, value)


_ANY_TEXT = ValueRules(type=SettingType.STRING, max_length=MAX_OBJECT_BYTES)
_ANY_NUMBER = ValueRules(type=SettingType.FLOAT)


def _parse_secret(rules: ValueRules, value: object) -> JSONValue:
    # The refused text is not repeated: somebody may have pasted the secret itself.
    if not isinstance(value, str) or (value and not SECRET_REFERENCE.fullmatch(value)):
        raise RuleBroken("must be a reference such as env:NAME or vault:path, never the secret")
    return value


_PARSERS: dict[SettingType, Callable[[ValueRules, object], JSONValue]] = {
    SettingType.BOOL: _parse_bool,
    SettingType.INT: _parse_int,
    SettingType.FLOAT: _parse_float,
    SettingType.STRING: _parse_string,
    SettingType.ENUM: _parse_enum,
    SettingType.COLOR: _parse_color,
    SettingType.URL: _parse_url,
    SettingType.LIST: _parse_list,
    SettingType.OBJECT: _parse_object,
    SettingType.SECRET: _parse_secret,
}


def _number_schema(rules: ValueRules) -> dict[str, Any]:
    kind = "integer" if rules.type is SettingType.INT else "number"
    return {"type": kind, "minimum": rules.minimum, "maximum": rules.maximum}


def _string_schema(rules: ValueRules) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "maxLength": rules.max_length or MAX_TEXT_LENGTH}
    if rules.pattern is not None:
        schema["pattern"] = rules.pattern
    return schema


def _list_schema(rules: ValueRules) -> dict[str, Any]:
    items: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_ITEM_LENGTH}
    if rules.items is SettingType.ENUM:
        items = {"enum": list(rules.choices)}
    schema: dict[str, Any] = {"type": "array", "items": items, "maxItems": rules.max_items}
    if rules.unique:
        schema["uniqueItems"] = True
    return schema


_SCHEMAS: dict[SettingType, Callable[[ValueRules], dict[str, Any]]] = {
    SettingType.BOOL: lambda rules: {"type": "boolean"},
    SettingType.INT: _number_schema,
    SettingType.FLOAT: _number_schema,
    SettingType.STRING: _string_schema,
    SettingType.ENUM: lambda rules: {"enum": list(rules.choices)},
    SettingType.COLOR: lambda rules: {"type": "string", "pattern": f"^{COLOR.pattern}$"},
    SettingType.URL: lambda rules: {
        "type": "string",
        "maxLength": MAX_URL_LENGTH,
        "anyOf": [{"const": ""}, {"pattern": "^https?://"}],
    },
    SettingType.LIST: _list_schema,
    SettingType.OBJECT: lambda rules: {"type": "object"},
    SettingType.SECRET: lambda rules: {
        "type": "string",
        "anyOf": [{"const": ""}, {"pattern": f"^({SECRET_REFERENCE.pattern})$"}],
    },
}

"""Is this JSON something we are willing to store? Parsed once, strictly, for every entry point."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from core.errors import DomainError

MAX_BYTES = 262_144
MAX_DEPTH = 16
MAX_DIGITS = 18
# Whole strings, so that brackets inside them are not counted, or one bracket.
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


class InvalidJSON(DomainError):
    slug = "invalid-body"
    status = 400
    title = "Invalid JSON"


class TooLarge(DomainError):
    slug = "too-large"
    status = 413
    title = "Body too large"


def loads(raw: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """Parse a body or raise InvalidJSON or TooLarge.

    Refused: bytes that are not UTF-8, depth over 16, duplicate keys, NaN and infinities,
    integers over 18 digits, NUL characters and lone surrogates.
    """
    if len(raw) > max_bytes:
        raise TooLarge(f"The body has {len(raw)} bytes; at most {max_bytes} are accepted.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJSON("The body is not UTF-8.") from error
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except ValueError as error:
        raise InvalidJSON(f"The body is not JSON: {error}.") from error
    _check_text(value)
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in BRACKETS.findall(text):
        if bracket[0] == '"':
            continue
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidJSON(f"The body nests deeper than {MAX_DEPTH} levels.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJSON(f"The key {twice[:64]!r} appears twice.")
    return found


def _constant(name: str) -> float:
    raise InvalidJSON(f"{name} is not a JSON number.")


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise InvalidJSON(f"A number has more than {MAX_DIGITS} digits.")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidJSON("A number is too large.")
    return number


def _check_text(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidJSON("A text contains a NUL character.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidJSON("A text contains half of a surrogate pair.")
    elif isinstance(value, list):
        for item in value:
            _check_text(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check_text(item)


class StrictJSONParser(BaseParser):
    """DRF's way into `loads`."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = stream.read(MAX_BYTES + 1)
        if not raw:
            raise ParseError("The body is empty.")
        return loads(raw)

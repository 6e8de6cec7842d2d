"""Is this something we are willing to store as a stream or a client? Normalized or refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from core.errors import DomainError
from streams.models import Client, Platform, Stream, valid_slug
from streams.platforms import PLATFORMS

MAX_TITLE = 160
MAX_NAME = 120
MAX_URL = 500
MAX_TAGS = 20
MAX_TAG = 40
MAX_IDENTIFIERS = 50
MAX_IDENTIFIER = 200
# Words of addresses that stand where a slug could: /streams/new/.
RESERVED_SLUGS = frozenset(
    {"new", "archive", "restore", "live-and-soon", "attention", "search", "tallies"}
)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_valid_url = URLValidator(schemes=["http", "https"])
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
# C0, C1, and the marks that turn the reading direction and so let a title pose as another.
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class InvalidFields(DomainError):
    """Some fields were refused; `extra["errors"]` says which and why."""

    slug = "invalid-body"
    status = 400
    title = "Invalid input"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        assert errors, "a refusal names at least one field"
        rows = [{"field": field, "message": message} for field, message in errors]
        super().__init__(errors[0][1] if len(errors) == 1 else "Some fields were refused.")
        self.errors = list(errors)
        self.extra = {"errors": rows}


@dataclass(frozen=True, kw_only=True)
class StreamFields:
    """What a person may set on a stream."""

    title: str
    slug: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    time_zone: str = "UTC"
    playback_url: str = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, stream: Stream) -> Self:
        return cls(
            title=stream.title,
            slug=stream.slug,
            starts_at=stream.starts_at,
            ends_at=stream.ends_at,
            time_zone=stream.time_zone,
            playback_url=stream.playback_url,
            tags=tuple(stream.tags),
        )


@dataclass(frozen=True, kw_only=True)
class ClientFields:
    """What a person may set on a client after it was made."""

    name: str
    bundle_ids: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, client: Client) -> Self:
        return cls(
            name=client.name, bundle_ids=tuple(client.bundle_ids), origins=tuple(client.origins)
        )


@cache
def time_zones() -> tuple[str, ...]:
    """Return the names an operator may choose from, sorted."""
    odd = {"Factory", "localtime", "posixrules"}
    return tuple(sorted(available_timezones() - odd))


def checked_stream(fields: StreamFields) -> StreamFields:
    """Return the fields trimmed and normalized, or raise InvalidFields naming every bad one."""
    fields = replace(
        fields,
        title=" ".join(fields.title.split()),
        playback_url=fields.playback_url.strip(),
        tags=normalized_tags(fields.tags),
    )
    problems = [
        ("title", _text_problem(fields.title, MAX_TITLE)),
        ("slug", slug_problem(fields.slug)),
        ("starts_at", _moment_problem(fields.starts_at)),
        ("ends_at", _moment_problem(fields.ends_at) or _end_problem(fields)),
        ("time_zone", _zone_problem(fields.time_zone)),
        ("playback_url", _url_problem(fields.playback_url)),
        ("tags", _tags_problem(fields.tags)),
    ]
    refuse(problems)
    return fields


def checked_client(fields: ClientFields, platform: str) -> ClientFields:
    """Return the fields normalized for this platform, or raise InvalidFields."""
    fields = replace(
        fields,
        name=" ".join(fields.name.split()),
        bundle_ids=_unique(fields.bundle_ids),
        origins=_unique(fields.origins),
    )
    if platform not in Platform.values:
        raise InvalidFields([("platform", "Choose one of the platforms.")])
    origins, origins_problem = checked_origins(fields.origins)
    problems = [
        ("name", _text_problem(fields.name, MAX_NAME)),
        ("bundle_ids", bundle_ids_problem(fields.bundle_ids, platform)),
        ("origins", origins_problem or _no_origins_problem(fields.origins, platform)),
    ]
    refuse(problems)
    return replace(fields, origins=origins)


def refuse(problems: Sequence[tuple[str, str]]) -> None:
    """Raise InvalidFields for the pairs whose message is not empty."""
    found = [(field, message) for field, message in problems if message]
    if found:
        raise InvalidFields(found)


def normalized_tags(tags: Sequence[str]) -> tuple[str, ...]:
    return _unique(" ".join(tag.lower().split()) for tag in tags)


def checked_origins(origins: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the origins as a browser sends them, and what is wrong with the first bad one."""
    if len(origins) > MAX_IDENTIFIERS:
        return (), f"Use at most {MAX_IDENTIFIERS} origins."
    found = []
    for origin in origins:
        normal, problem = _checked_origin(origin)
        if problem:
            return (), f"“{origin[:80]}”: {problem}"
        found.append(normal)
    return _unique(found), ""


def bundle_ids_problem(bundle_ids: Sequence[str], platform: str) -> str:
    rules = PLATFORMS[Platform(platform)]
    if not bundle_ids:
        return ""
    if rules.id_pattern is None:
        return f"A {rules.label} client has origins, not app ids."
    if len(bundle_ids) > MAX_IDENTIFIERS:
        return f"Use at most {MAX_IDENTIFIERS} ids."
    for bundle_id in bundle_ids:
        if len(bundle_id) > MAX_IDENTIFIER or not rules.id_pattern.fullmatch(bundle_id):
            return (
                f"“{bundle_id[:80]}” is not a {rules.id_label}. It looks like {rules.id_example}."
            )
    return ""


def slug_problem(slug: str) -> str:
    if slug in RESERVED_SLUGS:
        return "Gantry uses this word in its own addresses."
    try:
        valid_slug(slug)
    except ValidationError as error:
        return str(error.messages[0])
    return ""


def _no_origins_problem(origins: Sequence[str], platform: str) -> str:
    rules = PLATFORMS[Platform(platform)]
    if origins and not rules.has_origins:
        return f"A {rules.label} client has a {rules.id_label}, not origins."
    return ""


def _checked_origin(origin: str) -> tuple[str, str]:
    try:
        parts = urlsplit(origin)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        return "", "this is not an origin."
    problem = _origin_problem(origin, parts.scheme, host)
    if not problem and (parts.path not in {"", "/"} or parts.query or parts.fragment):
        problem = "an origin ends after the host or port, without a path."
    if not problem and "@" in parts.netloc:
        problem = "an origin names no user."
    if problem:
        return "", problem
    shown = "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{host}{shown}", ""


def _origin_problem(origin: str, scheme: str, host: str) -> str:
    if "*" in origin:
        return "wildcards are not supported; name each origin."
    if scheme not in _DEFAULT_PORTS:
        return "start with https:// or http://."
    if len(origin) > MAX_IDENTIFIER or not _HOST.match(host):
        return "the host is missing or malformed."
    return ""


def _text_problem(text: str, longest: int) -> str:
    if not text:
        return "This is required."
    return f"Use at most {longest} characters." if len(text) > longest else _control_problem(text)


def _control_problem(text: str) -> str:
    return "Remove the control characters." if _CONTROL.search(text) else ""


def _moment_problem(moment: datetime | None) -> str:
    if moment is None or EARLIEST <= moment < LATEST:
        return ""
    return "Choose a time between 2000 and 2100."


def _end_problem(fields: StreamFields) -> str:
    if fields.ends_at is None:
        return ""
    if fields.starts_at is None:
        return "Give a start before an end."
    return "" if fields.ends_at > fields.starts_at else "The end must be after the start."


def _zone_problem(name: str) -> str:
    return "" if name in time_zones() else "Choose a time zone from the list."


def _url_problem(url: str) -> str:
    if not url:
        return ""
    if len(url) > MAX_URL:
        return f"Use at most {MAX_URL} characters."
    try:
        _valid_url(url)
    except ValidationError:
        return "Enter a whole address that starts with https:// or http://."
    return ""


def _tags_problem(tags: Sequence[str]) -> str:
    if len(tags) > MAX_TAGS:
        return f"Use at most {MAX_TAGS} tags."
    checks: tuple[tuple[Callable[[str], bool], str], ...] = (
        (lambda tag: len(tag) > MAX_TAG, f"Use at most {MAX_TAG} characters for a tag."),
        (lambda tag: "," in tag, "A tag holds no comma."),
        (lambda tag: bool(_CONTROL.search(tag)), "Remove the control characters."),
    )
    return next((text for test, text in checks if any(map(test, tags))), "")


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    stripped = (text.strip() for text in texts)
    return tuple(dict.fromkeys(text for text in stripped if text))

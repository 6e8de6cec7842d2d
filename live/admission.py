"""May this SDK come in, and may it stay? The SDK plane's only questions to PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar

import msgspec
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections, transaction

from core.errors import DomainError
from core.tenancy import organization_context, public_context
from live.snapshots import Resolved
from live.store import Pair
from sdk_keys.models import SdkKey
from settings_hierarchy import queries
from settings_hierarchy.models import Scope
from streams.models import Client, Stream
from tenants.models import Organization

DATABASE_TIMEOUT_S = 0.9  # an operator or an SDK hears "unavailable" within a second
PATIENT_TIMEOUT_S = 3.0
SEEN_EVERY = timedelta(minutes=1)
KEY = re.compile(r"gk_(publishable|secret)_([0-9A-Za-z]{12})_([0-9A-Za-z_-]{16,128})")
ORIGIN_SETTING = "sdk.allowed_origins"
P = ParamSpec("P")
R = TypeVar("R")


class Refused(DomainError):
    """The SDK plane's refusals; the slugs are those of docs/sdk-protocol.md."""

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug
        self.status, self.title = REFUSALS[slug]


REFUSALS: Mapping[str, tuple[int, str]] = {
    "missing-key": (401, "SDK key missing"),
    "invalid-key": (401, "SDK key unknown"),
    "key-revoked": (401, "SDK key revoked"),
    "key-expired": (401, "SDK key expired"),
    "wrong-origin": (403, "Origin not allowed"),
    "organization-suspended": (403, "Organization suspended"),
    "client-disabled": (403, "Client disabled"),
    "stream-not-open": (403, "Stream not open"),
    "unknown-stream": (404, "Unknown stream"),
    "unavailable": (503, "Not available now"),
}
MESSAGES: Mapping[str, str] = {
    "missing-key": "Send the SDK key in the X-SDK-Key header.",
    "invalid-key": "No such SDK key.",
    "key-revoked": "This SDK key was revoked.",
    "key-expired": "This SDK key has expired.",
    "wrong-origin": "This origin is not among those the key or its client allows.",
    "organization-suspended": "The organization is suspended.",
    "client-disabled": "The client this key belongs to is disabled.",
    "stream-not-open": "The stream is a draft or archived.",
    "unknown-stream": "The organization has no such stream.",
    "unavailable": "The storage is not reachable. Try again later.",
}


def refused(slug: str) -> Refused:
    return Refused(slug, MESSAGES[slug])


class StorageAway(Exception):
    """PostgreSQL refused (`certain`), or did not answer in time: then this process may be busy."""

    def __init__(self, reason: str, *, certain: bool = True) -> None:
        super().__init__(reason)
        self.certain = certain


@dataclass(frozen=True, kw_only=True)
class Application:
    """What an SDK presents to be let in."""

    key: str
    stream: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What the application earned."""

    organization: str
    schema_name: str
    stream: str
    client: str
    platform: str
    key: str
    key_expires_at: datetime | None
    origin: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Who of those already inside may stay, and the organization's config version."""

    head: int
    organization: str | None  # slug of a refusal
    keys: Mapping[str, str]  # key → slug of a refusal
    pairs: Mapping[Pair, str]


async def ask(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run one synchronous question from the event loop, or raise StorageAway within a second."""
    return await _asked(DATABASE_TIMEOUT_S, partial(function, *args, **kwargs))


async def ask_patiently(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Ask and wait so long that a busy process is not taken for an absent database."""
    return await _asked(PATIENT_TIMEOUT_S, partial(function, *args, **kwargs))


async def _asked(patience_s: float, function: Callable[[], R]) -> R:
    answer = sync_to_async(partial(_try_twice, function), thread_sensitive=True)
    try:
        return await asyncio.wait_for(answer(), patience_s)
    except TimeoutError as error:
        raise StorageAway("no answer in time", certain=False) from error
    except (OperationalError, InterfaceError) as error:
        raise StorageAway(str(error), certain=True) from error


def _try_twice(function: Callable[[], R]) -> R:
    """Replace, once, a connection that died while it lay in the pool."""
    try:
        try:
            return function()
        except (OperationalError, InterfaceError):
            close_old_connections()
            return function()
    finally:
        close_old_connections()


def admit(application: Application, at: datetime) -> Admission:
    """Let an SDK in, or raise Refused; notes when the key was last seen."""
    with public_context():
        key = _usable_key(application.key, at)
        organization = key.organization
        _check_organization(organization)
    with organization_context(organization.schema_name):
        client = Client.objects.filter(slug=key.client_slug).first()
        if client is None or not client.is_enabled:
            raise refused("client-disabled")
        origin = _checked_origin(application.origin, key, client)
        stream = Stream.objects.filter(slug=application.stream).first()
        _check_stream(stream)
    with public_context():
        _note_seen(key, at)
    return Admission(
        organization=organization.slug,
        schema_name=organization.schema_name,
        stream=application.stream,
        client=client.slug,
        platform=client.platform,
        key=key.public_id,
        key_expires_at=key.expires_at,
        origin=origin,
    )


def _usable_key(text: str, at: datetime) -> SdkKey:
    if not text:
        raise refused("missing-key")
    parts = KEY.fullmatch(text)
    if parts is None:
        raise refused("invalid-key")
    kind, public_id, secret = parts.groups()
    key = SdkKey.objects.select_related("organization").filter(public_id=public_id).first()
    expected = key.secret_sha256 if key is not None else "0" * 64
    given = hashlib.sha256(secret.encode()).hexdigest()
    if not hmac.compare_digest(given, expected) or key is None or key.kind != kind:
        raise refused("invalid-key")
    if key.revoked_at is not None:
        raise refused("key-revoked")
    if not key.is_usable(at):
        raise refused("key-expired")
    return key


def _check_organization(organization: Organization) -> None:
    if organization.is_suspended:
        raise refused("organization-suspended")
    if not organization.is_ready:
        raise refused("unavailable")


def _check_stream(stream: Stream | None) -> None:
    if stream is None:
        raise refused("unknown-stream")
    if not stream.is_open:
        raise refused("stream-not-open")


def _checked_origin(origin: str, key: SdkKey, client: Client) -> str:
    """Return the origin the session is bound to; native apps and servers send none."""
    if not origin:
        return ""
    allowed = {*key.origins, *client.origins, *_configured_origins(client)}
    if not allowed:
        return ""
    if origin.lower() not in {each.rstrip("/").lower() for each in allowed}:
        raise refused("wrong-origin")
    return origin


def _configured_origins(client: Client) -> Iterable[str]:
    value = queries.load_path(Scope(client=client)).resolve()[ORIGIN_SETTING].value
    return [str(item) for item in value] if isinstance(value, list) else []


def _note_seen(key: SdkKey, at: datetime) -> None:
    """Write when the key was last used, at most once a minute; a row somebody holds is let be."""
    if key.last_seen_at is not None and at - key.last_seen_at < SEEN_EVERY:
        return
    with transaction.atomic():
        rows = SdkKey.objects.select_for_update(skip_locked=True, of=("self",))
        if rows.filter(pk=key.pk).exists():
            SdkKey.objects.filter(pk=key.pk).update(last_seen_at=at)


def standing(schema_name: str, pairs: Iterable[Pair], keys: Iterable[str]) -> Standing:
    """Answer, for everybody inside one organization at once, who may stay."""
    pairs, keys = list(pairs), list(keys)
    with public_context():
        organization = Organization.objects.filter(schema_name=schema_name).first()
        refused_keys = _refused_keys(schema_name, keys, datetime.now(UTC))
    if organization is None or not organization.is_ready:
        return Standing(head=0, organization="organization-suspended", keys={}, pairs={})
    with organization_context(schema_name):
        return Standing(
            head=queries.current_version(),
            organization=None,
            keys=refused_keys,
            pairs=_refused_pairs(pairs),
        )


def _refused_keys(schema_name: str, keys: list[str], at: datetime) -> dict[str, str]:
    found = SdkKey.objects.filter(public_id__in=keys, organization__schema_name=schema_name)
    known = {key.public_id: key for key in found}
    answers: dict[str, str] = {}
    for public_id in keys:
        key = known.get(public_id)
        if key is None or key.revoked_at is not None:
            answers[public_id] = "key-revoked"
        elif not key.is_usable(at):
            answers[public_id] = "key-expired"
    return answers


def _refused_pairs(pairs: list[Pair]) -> dict[Pair, str]:
    streams = {
        stream.slug: stream
        for stream in Stream.objects.filter(slug__in={stream for stream, _ in pairs})
    }
    clients = {
        client.slug: client
        for client in Client.objects.filter(slug__in={client for _, client in pairs})
    }
    answers: dict[Pair, str] = {}
    for pair in pairs:
        stream, client = streams.get(pair[0]), clients.get(pair[1])
        if stream is None:
            answers[pair] = "unknown-stream"
        elif client is None or not client.is_enabled:
            answers[pair] = "client-disabled"
        elif not stream.is_open:
            answers[pair] = "stream-not-open"
    return answers


def resolve_pairs(schema_name: str, organization: str, pairs: Iterable[Pair]) -> list[Resolved]:
    """Return the snapshots of these pairs; those whose stream or client is gone are left out."""
    with organization_context(schema_name):
        return resolve_here(organization, pairs)


def resolve_here(organization: str, pairs: Iterable[Pair]) -> list[Resolved]:
    """Return the snapshots of these pairs of the organization whose schema is entered."""
    pairs = list(pairs)
    # Read first: a change that lands in between makes the snapshots newer than it says.
    head = queries.current_version()
    streams = Stream.objects.in_bulk({stream for stream, _ in pairs}, field_name="slug")
    clients = Client.objects.in_bulk({client for _, client in pairs}, field_name="slug")
    return [
        _resolve(organization, head, streams[stream], clients[client])
        for stream, client in pairs
        if stream in streams and client in clients
    ]


def _resolve(organization: str, head: int, stream: Stream, client: Client) -> Resolved:
    snapshot = queries.snapshot(organization=organization, stream=stream, client=client)
    version = snapshot["version"]
    return Resolved(
        stream=stream.slug,
        client=client.slug,
        version=version,
        head=max(head, version),
        payload=msgspec.json.encode(snapshot),
    )

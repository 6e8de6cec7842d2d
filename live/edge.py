"""How are the hot SDK calls answered without Django? Raw ASGI: bytes in memory, one lookup."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from analytics.intake import Source
from core import strict_json
from core.errors import DomainError, problem_of
from live import admission, direct
from live.admission import Admission, Application, StorageAway
from live.hub import Hub
from live.metrics import ANSWERS
from live.process import current_hub
from live.snapshots import CORS_HEADERS, EMPTY_BODY, Answer, Header
from sdk_keys import tokens
from sdk_keys.tokens import Session

logger = logging.getLogger(__name__)

MAX_SESSION_BODY = 16_384
MAX_EVENTS_BODY = 1_048_576
MAX_VIEWER_TOKEN = 8192
MAX_DEVICE_FIELDS = 20
MAX_DEVICE_TEXT = 200
MAX_OPENING = 256  # sessions being opened at once in this process
RETRY_AFTER_S = b"2"
JWKS_MAX_AGE_S = 300
MINIMUM_SESSION = timedelta(seconds=1)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

STREAM_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
JSON = b"application/json"
PROBLEM = b"application/problem+json"
NO_STORE: Header = (b"cache-control", b"no-store")
PREFLIGHT_HEADERS: list[Header] = [
    CORS_HEADERS[0],
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Content-Encoding, If-None-Match, Last-Event-ID, X-SDK-Key",
    ),
    (b"access-control-max-age", b"86400"),
    (b"content-length", b"0"),
]


class Refusal(DomainError):
    """A request the edge cannot read."""

    def __init__(self, slug: str, status: int, title: str, message: str) -> None:
        super().__init__(message)
        self.slug, self.status, self.title = slug, status, title


def config_at_once(scope: Scope, send: Send) -> bool:
    """Answer a token this process knows from prepared bytes; False when more is needed."""
    authorization, wanted, jose = _config_request(scope)
    entry = current_hub().registry.entries.get(authorization)
    if entry is None or entry.expires <= time.time():
        return False
    answers = entry.pair.answers
    if answers is None:
        return False
    answer = answers.jose if jose else answers.json
    if wanted and _matches(wanted, answer):
        status, wire = 304, answer.wire_not_modified
    else:
        status, wire = 200, answer.wire
    if not direct.answer(send, status, wire):
        return False
    ANSWERS["config", status] += 1
    return True


def _config_request(scope: Scope) -> tuple[bytes, bytes, bool]:
    """Return what decides the answer: Authorization, If-None-Match, whether a JWS is wanted."""
    authorization = wanted = b""
    jose = False
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"if-none-match":
            wanted = value
        elif name == b"accept":
            jose = b"application/jose" in value
    return authorization, wanted, jose


async def get_config(scope: Scope, receive: Receive, send: Send) -> None:
    """`GET /sdk/v1/config`, with time to verify the token and to load the snapshot."""
    authorization, wanted, jose = _config_request(scope)
    entry = await current_hub().entry(authorization)
    answers = entry.pair.answers
    if answers is None:
        raise admission.refused("unavailable")
    answer = answers.jose if jose else answers.json
    if wanted and _matches(wanted, answer):
        ANSWERS["config", 304] += 1
        await send(answer.not_modified)
        await send(EMPTY_BODY)
        return
    ANSWERS["config", 200] += 1
    await send(answer.start)
    await send(answer.body)


def _matches(wanted: bytes, answer: Answer) -> bool:
    if wanted == answer.etag:
        return True
    tags = [tag.strip().removeprefix(b"W/") for tag in wanted.split(b",")]
    return answer.etag in tags or tags == [b"*"]


async def open_session(scope: Scope, receive: Receive, send: Send) -> None:
    """`POST /sdk/v1/sessions`: exchange an SDK key for a token and the first snapshot."""
    hub, headers = current_hub(), dict(scope["headers"])
    body = strict_json.loads(await read_body(receive, headers, MAX_SESSION_BODY))
    asked = _session_request(body)
    application = Application(
        key=headers.get(b"x-sdk-key", b"").decode("latin-1"),
        stream=asked["stream"],
        origin=headers.get(b"origin", b"").decode("latin-1"),
    )
    at = datetime.now(UTC)
    admitted = await _admit(hub, application, at)
    session = _session(admitted, asked, at)
    token = tokens.sign_session(session, ring=await hub.freshness.ring(), at=at)
    entry = await hub.entry(b"Bearer " + token.encode())
    snapshot = entry.pair.snapshot
    assert snapshot is not None
    await answer_json(
        send,
        201,
        {
            "token": token,
            "expires_at": f"{session.expires_at:%Y-%m-%dT%H:%M:%SZ}",
            "expires_in_s": int((session.expires_at - session.issued_at).total_seconds()),
            "snapshot": msgspec.Raw(snapshot.payload),
            "jws": snapshot.jws,
            "urls": {
                "config": "/sdk/v1/config",
                "live": "/sdk/v1/live",
                "events": "/sdk/v1/events",
            },
        },
        [NO_STORE],
    )


_opening = 0


async def _admit(hub: Hub, application: Application, at: datetime) -> Admission:
    global _opening
    if hub.freshness.storage_away or _opening >= MAX_OPENING:
        raise admission.refused("unavailable")
    _opening += 1
    try:
        return await admission.ask(admission.admit, application, at)
    except StorageAway as error:
        raise admission.refused("unavailable") from error
    finally:
        _opening -= 1


def _session(admitted: Admission, asked: dict[str, Any], at: datetime) -> Session:
    at = at.replace(microsecond=0)
    expires_at = at + tokens.SESSION_LIFETIME
    if admitted.key_expires_at is not None:
        expires_at = max(
            min(expires_at, admitted.key_expires_at.replace(microsecond=0)),
            at + MINIMUM_SESSION,
        )
    return Session(
        subject=_subject(asked.get("device", {})),
        organization=admitted.organization,
        stream=admitted.stream,
        client=admitted.client,
        key=admitted.key,
        id=tokens.new_session_id(),
        issued_at=at,
        expires_at=expires_at,
        origin=admitted.origin,
        platform=admitted.platform,
        sdk=f"{asked['sdk']['name']} {asked['sdk']['version']}",
    )


def _subject(device: dict[str, str]) -> str:
    """Return who watches: the same anonymous viewer as last time when the device says so."""
    try:
        return f"anonymous:{uuid.UUID(device.get('id', ''))}"
    except ValueError:
        return f"anonymous:{uuid.uuid4()}"


def _session_request(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _invalid("", "The body must be a JSON object.")
    stream = body.get("stream")
    if not isinstance(stream, str) or not STREAM_SLUG.fullmatch(stream):
        raise _invalid("stream", "Name the stream by its slug.")
    sdk = body.get("sdk")
    if not isinstance(sdk, dict):
        raise _invalid("sdk", "Name the SDK: an object with name and version.")
    for field, limit in (("name", 64), ("version", 32)):
        if not _is_text(sdk.get(field), limit):
            raise _invalid(f"sdk.{field}", f"A text of 1 to {limit} characters is needed.")
    _check_device(body.get("device"))
    if body.get("viewer_token") is not None and not _is_text(
        body["viewer_token"], MAX_VIEWER_TOKEN
    ):
        raise _invalid("viewer_token", f"A JWT of at most {MAX_VIEWER_TOKEN} characters.")
    return {"stream": stream, "sdk": sdk, "device": body.get("device") or {}}


def _check_device(device: Any) -> None:
    if device is None:
        return
    if not isinstance(device, dict) or len(device) > MAX_DEVICE_FIELDS:
        raise _invalid("device", f"An object of at most {MAX_DEVICE_FIELDS} texts.")
    for name, value in device.items():
        if not isinstance(value, str) or len(value) > MAX_DEVICE_TEXT:
            raise _invalid(
                f"device.{name[:64]}", f"A text of at most {MAX_DEVICE_TEXT} characters."
            )


def _is_text(value: Any, limit: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= limit


def _invalid(field: str, message: str) -> DomainError:
    error = strict_json.InvalidJSON(message, field=field)
    error.title = "Invalid body"
    return error


async def post_events(scope: Scope, receive: Receive, send: Send) -> None:
    """`POST /sdk/v1/events`: acknowledged once durable."""
    headers = dict(scope["headers"])
    hub = current_hub()
    entry = await hub.entry(headers.get(b"authorization", b""))
    body = await read_body(receive, headers, MAX_EVENTS_BODY)
    session = entry.session
    receipt = await hub.intake.accept(
        body,
        source=Source(
            schema_name=session.schema_name,
            organization=session.organization,
            stream=session.stream,
            client=session.client,
            key=session.key,
            viewer=session.subject,
            session=session.id,
            platform=session.platform,
            sdk=session.sdk,
        ),
        content_type=headers.get(b"content-type", JSON).decode("latin-1"),
        content_encoding=headers.get(b"content-encoding", b"").decode("latin-1"),
        at=datetime.now(UTC),
    )
    await answer_bytes(send, 202, receipt.body(), JSON, [NO_STORE])


async def get_jwks(scope: Scope, receive: Receive, send: Send) -> None:
    """`GET /.well-known/jwks.json`: the public keys."""
    try:
        ring = await current_hub().freshness.ring()
    except StorageAway as error:
        raise admission.refused("unavailable") from error
    etag = f'"{hashlib.sha256(ring.jwks).hexdigest()[:16]}"'.encode()
    headers: list[Header] = [
        (b"etag", etag),
        (b"cache-control", b"public, max-age=%d" % JWKS_MAX_AGE_S),
        *CORS_HEADERS,
    ]
    if etag in dict(scope["headers"]).get(b"if-none-match", b""):
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send(EMPTY_BODY)
        return
    headers += [(b"content-type", JSON), (b"content-length", str(len(ring.jwks)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ring.jwks})


CONFIG_PATH = "/sdk/v1/config"
ROUTES: dict[str, tuple[str, Handler]] = {
    CONFIG_PATH: ("GET", get_config),
    "/sdk/v1/sessions": ("POST", open_session),
    "/sdk/v1/events": ("POST", post_events),
    "/.well-known/jwks.json": ("GET", get_jwks),
}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request to the SDK plane; every refusal is problem+json, none is a 5xx by accident."""
    path, method = scope["path"], scope["method"]
    route = ROUTES.get(path)
    name = path.rpartition("/")[2] if route else "unknown"
    try:
        if method == "OPTIONS" and path.startswith(("/sdk/", "/.well-known/")):
            await send({"type": "http.response.start", "status": 204, "headers": PREFLIGHT_HEADERS})
            await send(EMPTY_BODY)
        elif route is None:
            raise Refusal("not-found", 404, "Not found", "There is no such call.")
        elif method != route[0] and not (method == "HEAD" and route[0] == "GET"):
            raise Refusal("method-not-allowed", 405, "Method not allowed", f"Use {route[0]}.")
        else:
            await route[1](scope, receive, send)
    except DomainError as error:
        ANSWERS[name, error.status] += 1
        allow = (
            [(b"allow", f"{route[0]}, OPTIONS".encode())] if route and error.status == 405 else []
        )
        await answer_refusal(send, error, allow)
    except Disconnected:
        logger.debug("live.edge.disconnected path=%s", path)


class Disconnected(Exception):
    """The client went away while its body was read."""


async def read_body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> bytes:
    """Return the whole body, or raise TooLarge as soon as that is certain."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced[:20]) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > limit:
            raise _too_large(limit)
    return b"".join(parts)


def _too_large(limit: int) -> DomainError:
    return strict_json.TooLarge(f"At most {limit} bytes are accepted.")


async def answer_refusal(send: Send, error: DomainError, extra: list[Header]) -> None:
    headers = [NO_STORE, *extra]
    if error.status in {429, 503}:
        seconds = getattr(error, "retry_after_s", None)
        headers.append((b"retry-after", str(seconds).encode() if seconds else RETRY_AFTER_S))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    body = json.dumps(problem_of(error)).encode()
    await answer_bytes(send, error.status, body, PROBLEM, headers)


async def answer_json(send: Send, status: int, content: Any, extra: list[Header]) -> None:
    await answer_bytes(send, status, msgspec.json.encode(content), JSON, extra)


async def answer_bytes(
    send: Send, status: int, body: bytes, content_type: bytes, extra: list[Header]
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        *extra,
        *CORS_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""What does a token say, and is it ours? The only place that encodes or decodes one.

Two kinds, told apart by `typ`: the session JWT an SDK key is exchanged for, and the JWS around a
configuration. Both are EdDSA; the algorithm is pinned and `kid` is looked up among our own keys.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from core import strict_json
from core.errors import DomainError
from core.tenancy import schema_name_for
from sdk_keys.signing import KeyRing

ALGORITHM = "EdDSA"
SESSION_TYPE = "gantry-sdk+jwt"
CONFIG_TYPE = "gantry-config+jws"
ISSUER = "gantry"
AUDIENCE = "gantry-sdk"
SESSION_LIFETIME = timedelta(hours=1)
LEEWAY_S = 5
MAX_TOKEN_LENGTH = 2048
MAX_TEXT_LENGTH = 256
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
TEXT_CLAIMS = ("sub", "org", "stream", "client", "key", "jti")
SLUG_CLAIMS = ("org", "stream", "client")
CLAIMS = {"iss", "aud", "iat", "exp", *TEXT_CLAIMS}
OPTIONAL_CLAIMS = ("origin", "platform", "sdk")

_jws = PyJWS(algorithms=[ALGORITHM])


class InvalidToken(DomainError):
    """Not a session token of ours."""

    slug = "invalid-token"
    status = 401
    title = "Invalid token"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The session token is not valid: {reason}.")


class UnknownSigningKey(InvalidToken):
    """The token names a key this process does not hold; it may have been published since."""

    def __init__(self) -> None:
        super().__init__("its key is unknown")


class TokenExpired(DomainError):
    slug = "token-expired"
    status = 401
    title = "Session expired"

    def __init__(self) -> None:
        super().__init__("The session is over: open a new one with the SDK key.")


@dataclass(frozen=True, kw_only=True)
class Session:
    """Who speaks on the SDK plane, as its verified token says."""

    subject: str
    organization: str
    stream: str
    client: str
    key: str  # public id of the SDK key
    id: str
    issued_at: datetime
    expires_at: datetime
    origin: str = ""  # the web origin the session was opened from, when the key names any
    platform: str = ""
    sdk: str = ""  # "<name> <version>"

    @property
    def schema_name(self) -> str:
        return schema_name_for(self.organization)


def new_session_id() -> str:
    return secrets.token_urlsafe(12)


def sign_session(session: Session, *, ring: KeyRing, at: datetime) -> str:
    """Return the JWT of a session."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": session.subject,
        "org": session.organization,
        "stream": session.stream,
        "client": session.client,
        "key": session.key,
        "jti": session.id,
        "iat": int(session.issued_at.timestamp()),
        "exp": int(session.expires_at.timestamp()),
    }
    claims |= {name: text for name in OPTIONAL_CLAIMS if (text := getattr(session, name))}
    return _sign(json.dumps(claims, separators=(",", ":")).encode(), SESSION_TYPE, ring, at)


def read_session(token: str, *, ring: KeyRing, at: datetime) -> Session:
    """Return the session or raise InvalidToken, UnknownSigningKey or TokenExpired."""
    claims = _claims(_verified_payload(token, ring, at))
    issued_at, expires_at = _lifetime(claims, at)
    return Session(
        subject=claims["sub"],
        organization=claims["org"],
        stream=claims["stream"],
        client=claims["client"],
        key=claims["key"],
        id=claims["jti"],
        issued_at=issued_at,
        expires_at=expires_at,
        origin=claims.get("origin", ""),
        platform=claims.get("platform", ""),
        sdk=claims.get("sdk", ""),
    )


def signed_by(token: str) -> str:
    """Return the id of the key that a verified token names."""
    return str(_jws.get_unverified_header(token)["kid"])


def sign_config(payload: bytes, *, ring: KeyRing, at: datetime) -> str:
    """Return the compact JWS around exactly these bytes."""
    return _sign(payload, CONFIG_TYPE, ring, at)


def detached(compact: str) -> str:
    """Return a compact JWS without its payload (RFC 7515, appendix F)."""
    header, _, signature = compact.split(".")
    return f"{header}..{signature}"


def _sign(payload: bytes, token_type: str, ring: KeyRing, at: datetime) -> str:
    signer = ring.signer(at)
    headers = {"kid": signer.kid, "typ": token_type}
    return _jws.encode(payload, signer.private, algorithm=ALGORITHM, headers=headers)


def _verified_payload(token: str, ring: KeyRing, at: datetime) -> bytes:
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise InvalidToken("it is too long or not text")
    try:
        header = _jws.get_unverified_header(token)
    except (PyJWTError, ValueError, RecursionError) as error:
        raise InvalidToken("it is damaged") from error
    if set(header) != {"alg", "kid", "typ"} or header["typ"] != SESSION_TYPE:
        raise InvalidToken("it is of another type")
    kid = header["kid"]
    public = ring.verifier(kid, at) if isinstance(kid, str) else None
    if public is None:
        raise UnknownSigningKey
    try:
        decoded = _jws.decode_complete(token, public, algorithms=[ALGORITHM])
    except (PyJWTError, ValueError) as error:
        raise InvalidToken("its signature is wrong") from error
    payload: bytes = decoded["payload"]
    return payload


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = strict_json.loads(payload, max_bytes=MAX_TOKEN_LENGTH)
    except DomainError as error:
        raise InvalidToken("its claims are not JSON") from error
    if not isinstance(claims, dict) or not claims.keys() >= CLAIMS:
        raise InvalidToken("a claim is missing")
    if not claims.keys() <= CLAIMS | set(OPTIONAL_CLAIMS):
        raise InvalidToken("it claims something unknown")
    if claims["iss"] != ISSUER or claims["aud"] != AUDIENCE:
        raise InvalidToken("it is meant for somebody else")
    texts = [claims[name] for name in TEXT_CLAIMS]
    texts += [claims[name] for name in OPTIONAL_CLAIMS if name in claims]
    if not all(isinstance(text, str) and 0 < len(text) <= MAX_TEXT_LENGTH for text in texts):
        raise InvalidToken("a claim has the wrong type")
    if not all(SLUG.fullmatch(claims[name]) for name in SLUG_CLAIMS):
        raise InvalidToken("a name in it cannot exist")
    return claims


def _lifetime(claims: dict[str, Any], at: datetime) -> tuple[datetime, datetime]:
    issued, expires = claims["iat"], claims["exp"]
    if type(issued) is not int or type(expires) is not int:
        raise InvalidToken("its times are not whole numbers")
    if not 0 < expires - issued <= SESSION_LIFETIME.total_seconds():
        raise InvalidToken("it would last too long")
    now = at.timestamp()
    if issued > now + LEEWAY_S:
        raise InvalidToken("it was issued in the future")
    if expires <= now - LEEWAY_S:
        raise TokenExpired
    return datetime.fromtimestamp(issued, UTC), datetime.fromtimestamp(expires, UTC)

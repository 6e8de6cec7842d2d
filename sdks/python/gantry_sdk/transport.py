"""What did the server answer, and what may a client do next? (docs/sdk-protocol.md sections 1, 3, 8)"""

import asyncio
import contextlib
import http.client
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from .configuration import (
    JsonObject,
    JsonValue,
    Refused,
    key_id,
    parse_object,
    public_keys,
    verified_payload,
)

HTTP_TIMEOUT_S = 10
MAX_ANSWER_BYTES = 2**20
JWKS_INTERVAL_S = 60
JWKS_MAX_AGE_S = 3600


@dataclass(eq=False)
class Retry(Exception):
    """Nothing to be done now: wait as section 8 says, then try again."""

    why: str
    floor_s: float = 0
    slow: bool = False
    drop_token: bool = False
    spread_s: float = 0
    sound: bool = False  # the socket before had been live long enough to start counting anew


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> JsonObject:
        """Return the object that is the body, an empty one when there is none."""
        try:
            return parse_object(self.body)
        except Refused:
            return {}

    def retry(self, call: str) -> Retry:
        """Return what a refusal means for the caller (`sessions`: the call that uses the key)."""
        why = f"{call}: {self.status} {str(self.json().get('type', '')).rpartition('/')[2]}"
        floor_s = retry_after_s(self.headers.get("retry-after"))
        if self.status in (408, 429) or self.status >= 500:
            return Retry(why, floor_s)
        slow = call == "sessions" or self.status != 401
        return Retry(why, floor_s, slow, drop_token=self.status in (401, 403, 404))


def retry_after_s(value: str | None) -> float:
    """Return the seconds a Retry-After header asks for, 0 when there is none to be read."""
    if not value:
        return 0
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0


class Http:
    """HTTP calls on a small thread pool; one can serve hundreds of clients."""

    def __init__(self, threads: int = 2) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="gantry-http")

    async def call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Return the server's answer; raise Retry when there is none."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, _call, method, url, headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Retry(f"no answer from {url}: {error}") from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _call(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    with contextlib.closing(kind(parts.netloc, timeout=HTTP_TIMEOUT_S)) as connection:
        connection.request(method, parts.path or "/", body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        content = answer.read(MAX_ANSWER_BYTES + 1)
        if len(content) > MAX_ANSWER_BYTES:
            raise ValueError("the answer is too large")
        return Answer(status=answer.status, headers=answer.headers, body=content)


class KeyRing:
    """The public keys of one server, fetched when a `kid` is new, at most once a minute."""

    def __init__(
        self, http_calls: Http, url: str, pinned: Mapping[str, JsonValue] | None, scale: float
    ) -> None:
        self._http = http_calls
        self._url = url
        self._scale = scale
        self._fetched_at = -math.inf if pinned is None else math.inf  # pinned keys never age
        self._lock = asyncio.Lock()
        self._use(pinned or {})

    def _use(self, jwks: Mapping[str, JsonValue]) -> None:
        self.jwks, self._keys = jwks, public_keys(jwks)

    def trust(self, jwks: Mapping[str, JsonValue]) -> None:
        """Use remembered keys until the first fetch."""
        if self._fetched_at == -math.inf:
            self._use(jwks)

    async def refresh(self, *, older_than_s: float) -> None:
        """Fetch the key set again when it is older; a failure leaves the keys at hand in use."""
        async with self._lock:
            if time.monotonic() - self._fetched_at < older_than_s * self._scale:
                return
            with contextlib.suppress(Retry):
                answer = await self._http.call("GET", self._url, {"Accept": "application/json"})
                jwks = answer.json() if answer.status == 200 else {}
                if isinstance(jwks.get("keys"), list):
                    self._use(jwks)
                    self._fetched_at = time.monotonic()

    async def verify(self, jws: str) -> JsonObject:
        """Return the payload of a JWS, fetching the key set once when its key is unknown."""
        if key_id(jws) not in self._keys:
            await self.refresh(older_than_s=JWKS_INTERVAL_S)
        return self.verify_at_hand(jws)

    def verify_at_hand(self, jws: str) -> JsonObject:
        kid = key_id(jws)
        if kid not in self._keys:
            raise Refused("unknown-kid", kid)
        return verified_payload(jws, self._keys[kid])

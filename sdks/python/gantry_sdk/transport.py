"""What did the server answer, and what may a client do next? (docs/sdk-protocol.md sections 1, 3, 8)"""

import asyncio
import http.client
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
MAX_FLOOR_S = 3600
JWKS_INTERVAL_S = 60
JWKS_MAX_AGE_S = 3600


class Retry(Exception):
    """Nothing to be done now: wait as section 8 says, then try again."""

    def __init__(
        self,
        why: str,
        *,
        floor_s: float = 0,
        slow: bool = False,
        drop_token: bool = False,
        spread_s: float = 0,
    ) -> None:
        super().__init__(why)
        self.floor_s = min(floor_s, MAX_FLOOR_S)
        self.slow = slow
        self.drop_token = drop_token
        self.spread_s = spread_s


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def retry(self, *, session: bool = False) -> Retry:
        """Return what a refusal means for the caller (`session`: the call that uses the key)."""
        why = f"{self.status} {self._slug()}"
        floor_s = retry_after_s(self.headers.get("retry-after"))
        if self.status == 401 and not session:
            return Retry(why, floor_s=floor_s, drop_token=True)
        if self.status in (408, 429) or self.status >= 500:
            return Retry(why, floor_s=floor_s)
        return Retry(why, floor_s=floor_s, slow=True, drop_token=self.status in (401, 403, 404))

    def _slug(self) -> str:
        try:
            return str(parse_object(self.body).get("type", "")).rpartition("/")[2]
        except Refused:
            return ""


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
    connection = kind(parts.netloc, timeout=HTTP_TIMEOUT_S)
    try:
        connection.request(method, parts.path or "/", body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        content = answer.read(MAX_ANSWER_BYTES + 1)
        if len(content) > MAX_ANSWER_BYTES:
            raise ValueError("the answer is too large")
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(status=answer.status, headers=names, body=content)
    finally:
        connection.close()


class KeyRing:
    """The public keys of one server, fetched when a `kid` is new, at most once a minute."""

    def __init__(self, url: str, *, pinned: Mapping[str, JsonValue] | None, scale: float) -> None:
        self.jwks: Mapping[str, JsonValue] = pinned or {}
        self._url = url
        self._pinned = pinned is not None
        self._scale = scale
        self._keys: dict[str, Ed25519PublicKey] = public_keys(self.jwks)
        self._fetched_at: float | None = None
        self._lock = asyncio.Lock()

    def trust(self, jwks: Mapping[str, JsonValue]) -> None:
        """Use remembered keys until the first fetch."""
        if self._fetched_at is None and not self._pinned:
            self.jwks, self._keys = jwks, public_keys(jwks)

    async def refresh(self, http_calls: Http, *, older_than_s: float) -> None:
        """Fetch the key set again when it is older; a failure leaves the keys at hand in use."""
        async with self._lock:
            if self._pinned or self._age_s() < older_than_s * self._scale:
                return
            try:
                answer = await http_calls.call("GET", self._url, {"Accept": "application/json"})
                jwks = parse_object(answer.body) if answer.status == 200 else {}
            except (Retry, Refused):
                return
            if isinstance(jwks.get("keys"), list):
                self.jwks, self._keys = jwks, public_keys(jwks)
                self._fetched_at = time.monotonic()

    async def verify(self, http_calls: Http, jws: str) -> JsonObject:
        """Return the payload of a JWS, fetching the key set once when its key is unknown."""
        if key_id(jws) not in self._keys:
            await self.refresh(http_calls, older_than_s=JWKS_INTERVAL_S)
        return self.verify_at_hand(jws)

    def verify_at_hand(self, jws: str) -> JsonObject:
        kid = key_id(jws)
        if kid not in self._keys:
            raise Refused("unknown-kid", kid)
        return verified_payload(jws, self._keys[kid])

    def _age_s(self) -> float:
        return float("inf") if self._fetched_at is None else time.monotonic() - self._fetched_at

"""What if a program sends the same POST twice? It is done once and answered twice."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection, transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.errors import DomainError
from core.models import IdempotencyRecord
from core.tenancy import current_schema

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_FOR = timedelta(hours=24)
LEGAL_KEY = re.compile(r"[\x21-\x7e]{1,128}")
KEPT_HEADERS = ("ETag", "Location")

Handler = Callable[..., Response]


class InvalidIdempotencyKey(DomainError):
    slug = "invalid-idempotency-key"
    status = 400
    title = "Invalid Idempotency-Key"


class KeyReused(DomainError):
    slug = "idempotency-key-reused"
    status = 422
    title = "Idempotency-Key was used for something else"


class StillRunning(DomainError):
    slug = "idempotency-conflict"
    status = 409
    title = "The first request with this key is still running"


class IdempotentPostMixin(APIView):
    """Honour `Idempotency-Key` on this view's POST; put it first: `class X(IdempotentPostMixin)`.

    The same key with the same body gets the stored answer and `Idempotency-Replayed: true`,
    with another body 422, while the first is running 409. The answer is stored in the
    transaction of the change, so neither exists without the other; refused requests changed
    nothing and are not stored. Works on APIView, generics and ViewSets; `post` needs no care.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get(HEADER)
        if request.method == "POST" and key is not None:
            if not LEGAL_KEY.fullmatch(key):
                raise InvalidIdempotencyKey("Send 1 to 128 printable characters without spaces.")
            self.post: Handler = _once(key, self.post)


def _once(key: str, handler: Handler) -> Handler:
    def answered(request: Request, *args: Any, **kwargs: Any) -> Response:
        token: Any = request.auth  # the API token, see tenants.authentication
        token_id = token.public_id
        fingerprint = _fingerprint(request)
        with transaction.atomic():
            _lock(token_id, key)
            stored = IdempotencyRecord.objects.filter(token_id=token_id, key=key).first()
            if stored is not None:
                return _replay(stored, fingerprint)
            response = handler(request, *args, **kwargs)
            IdempotencyRecord.objects.create(
                key=key,
                token_id=token_id,
                fingerprint=fingerprint,
                status=response.status_code,
                body=_seal(response),
            )
        return response

    return answered


def _fingerprint(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.path}\n{body}".encode()).hexdigest()


def _lock(token_id: str, key: str) -> None:
    digest = hashlib.sha256(f"{current_schema()}\n{token_id}\n{key}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        (free,) = cursor.fetchone()
    if not free:
        raise StillRunning("Wait for its answer, then send the request again.")


def _replay(stored: IdempotencyRecord, fingerprint: str) -> Response:
    if stored.fingerprint != fingerprint:
        raise KeyReused("Use a new key for a request with another body or address.")
    answer = json.loads(_box().decrypt(stored.body.encode()))
    headers = answer["headers"] | {REPLAYED: "true"}
    return Response(answer["data"], status=stored.status, headers=headers)


def _seal(response: Response) -> str:
    """Return the answer encrypted: it may hold a key that is shown only once."""
    assert response.status_code < 400, "refusals are raised, so that nothing is kept of them"
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    data = json.loads(JSONRenderer().render(response.data) or b"null")
    return _box().encrypt(json.dumps({"data": data, "headers": headers}).encode()).decode()


def _box() -> Fernet:
    secret = hashlib.sha256(b"gantry idempotency\n" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(secret))


def forget_old_answers(*, at: datetime) -> int:
    """Delete the current organization's stored answers after 24 hours; returns how many."""
    deleted, _ = IdempotencyRecord.objects.filter(created_at__lt=at - KEPT_FOR).delete()
    return deleted

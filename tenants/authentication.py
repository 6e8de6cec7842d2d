"""Whose API token is this?"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants import operations
from tenants.models import ApiToken


class ApiTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer gt_<id>_<secret>`."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        scheme, _, value = get_authorization_header(request).partition(b" ")
        if not scheme:
            return None
        token = _find(value.decode("ascii", "replace").strip())
        if scheme.lower() != b"bearer" or token is None:
            raise AuthenticationFailed("The API token is not valid.")
        operations.note_token_use(token=token, at=timezone.now())
        return token.created_by, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="gantry"'


def _find(value: str) -> ApiToken | None:
    prefix, _, rest = value.partition("_")
    public_id, _, secret = rest.partition("_")
    if prefix != "gt" or not secret or "\x00" in value:
        return None
    token = ApiToken.objects.filter(public_id=public_id).first()
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if token is None or not hmac.compare_digest(token.secret_sha256, digest):
        return None
    return token if token.is_usable(timezone.now()) else None

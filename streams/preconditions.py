"""Which version did a program base its write on? Read from If-Match."""

from __future__ import annotations

import re

from rest_framework.request import Request

from core.errors import DomainError

_ETAG = re.compile(r'"([0-9]{1,9})"')


class PreconditionRequired(DomainError):
    slug = "precondition-required"
    status = 428
    title = "If-Match is required"


class InvalidPrecondition(DomainError):
    slug = "invalid-if-match"
    status = 400
    title = "Invalid If-Match"


def based_on(request: Request) -> int | None:
    """Return the version in If-Match, None for `*`; raises when it is missing or malformed.

    A partial write is laid over the row as it was read, so for `*` pass on the version read.
    """
    sent = request.headers.get("If-Match", "").strip()
    if not sent:
        raise PreconditionRequired('Send If-Match: "<version>" as you read it, or * to overwrite.')
    if sent == "*":
        return None
    found = _ETAG.fullmatch(sent)
    if found is None:
        raise InvalidPrecondition('If-Match is "<version>" in quotes, or *.')
    return int(found[1])


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}

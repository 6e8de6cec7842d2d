"""How does the management API answer errors? As problem+json, every one of them (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from core.errors import PROBLEM_TYPE, DomainError, problem, problem_of


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer every error of the management API as problem+json; unknown ones stay a bug."""
    if isinstance(error, OperationalError | InterfaceError):
        body = problem(
            slug="unavailable",
            status=503,
            title="Storage is not reachable",
            detail="Nothing was changed. Try again in a few seconds.",
        )
        return Response(body, status=503, headers={"Retry-After": "5"}, content_type=PROBLEM_TYPE)
    if isinstance(error, DomainError):
        set_rollback()
        return Response(problem_of(error), status=error.status, content_type=PROBLEM_TYPE)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    return _api_problem(error)


def _api_problem(error: exceptions.APIException) -> Response:
    status = error.status_code
    title = HTTPStatus(status).phrase
    slug = title.lower().replace(" ", "-")
    extra: dict[str, object] = {}
    detail = title
    if isinstance(error, exceptions.ValidationError):
        slug, title, detail = "invalid-body", "Invalid input", "Some fields were refused."
        extra["errors"] = list(_field_errors(error.detail))
    elif isinstance(error.detail, str):
        detail = str(error.detail)
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]  # set by DRF
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait))  # type: ignore[attr-defined]  # Throttled
    body = problem(slug=slug, status=status, title=title, detail=detail, **extra)
    return Response(body, status=status, headers=headers, content_type=PROBLEM_TYPE)


def _field_errors(detail: Any, path: str = "") -> Sequence[dict[str, str]]:
    if isinstance(detail, Mapping):
        parts = [_field_errors(value, f"{path}.{key}".lstrip(".")) for key, value in detail.items()]
        return [row for part in parts for row in part]
    if isinstance(detail, list | tuple):
        parts = [_field_errors(value, path) for value in detail]
        return [row for part in parts for row in part]
    return [{"field": path, "message": str(detail)}]

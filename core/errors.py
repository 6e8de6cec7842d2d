"""What does a person or program read when something they asked for is refused?"""

from __future__ import annotations

from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

PROBLEM_TYPE = "application/problem+json"


class DomainError(Exception):
    """An expected refusal. `message` is fit for an operator; `slug` is stable for programs."""

    slug = "refused"
    status = 422
    title = "Refused"

    def __init__(self, message: str, *, field: str = "", **extra: object) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.extra = extra


class NotFound(DomainError):
    slug = "not-found"
    status = 404
    title = "Not found"


class OrganizationNotReady(DomainError):
    """The organization is suspended or still being made."""

    title = "Organization is not available"

    def __init__(self, status: str) -> None:
        super().__init__(f"This organization is {status}.")
        suspended = status == "suspended"
        self.slug = "organization-suspended" if suspended else "organization-not-ready"
        self.status = 403 if suspended else 503


def problem(
    *, slug: str, status: int, title: str, detail: str = "", **extra: object
) -> dict[str, object]:
    """Return an RFC 9457 body; `type` is relative and never changes for one slug."""
    body: dict[str, object] = {
        "type": f"/problems/{slug}",
        "title": title,
        "status": status,
        "detail": detail or title,
    }
    return body | extra


def problem_of(error: DomainError) -> dict[str, object]:
    extra = dict(error.extra)
    if error.field:
        extra["errors"] = [{"field": error.field, "message": error.message}]
    return problem(
        slug=error.slug, status=error.status, title=error.title, detail=error.message, **extra
    )


def problem_response(
    *, slug: str, status: int, title: str, detail: str = "", **extra: object
) -> JsonResponse:
    body = problem(slug=slug, status=status, title=title, detail=detail, **extra)
    return JsonResponse(body, status=status, content_type=PROBLEM_TYPE)


class DomainErrorMiddleware:
    """Turn an expected refusal that a page did not handle into a clear page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, OperationalError | InterfaceError):
            answer = render(request, "errors/503.html", status=503)
            answer["Retry-After"] = "5"
            return answer
        if isinstance(error, DomainError):
            return render(request, "errors/refused.html", {"error": error}, status=error.status)
        return None

"""What does somebody read when no view answered? Programs get problem+json, people a page."""

from __future__ import annotations

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from redis.exceptions import RedisError

from core.errors import problem_response

AWAY = (OperationalError, InterfaceError, RedisError)
PROGRAM_PATHS = ("/api/", "/sdk/", "/ofrep/", "/.well-known/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "invalid-request")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "forbidden")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404, "not-found")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: most often the session ended in another tab."""
    return _answer(request, 403, "forbidden")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer without request or context: nothing here may fail again.

    A server that is away before a view was reached, as while the session is read, is no bug.
    """
    if isinstance(sys.exception(), AWAY):
        return _unavailable(request)
    if request.path.startswith(PROGRAM_PATHS):
        return problem_response(slug="server-error", status=500, title="Server error")
    return HttpResponse(render_to_string("errors/500.html"), status=500)


def _unavailable(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(PROGRAM_PATHS):
        answer: HttpResponse = problem_response(
            slug="unavailable", status=503, title="Storage is not reachable"
        )
    else:
        answer = HttpResponse(render_to_string("errors/503.html"), status=503)
    answer["Retry-After"] = "5"
    return answer


def _answer(request: HttpRequest, status: int, slug: str) -> HttpResponse:
    if request.path.startswith(PROGRAM_PATHS):
        return problem_response(slug=slug, status=status, title=HTTPStatus(status).phrase)
    return render(request, f"errors/{status}.html", status=status)

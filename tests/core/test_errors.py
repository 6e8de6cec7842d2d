"""Every refusal is clear, for people as pages and for programs as problem+json."""

import sys

import pytest
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.test import Client, RequestFactory
from redis.exceptions import ConnectionError as RedisAway
from rest_framework import exceptions

from core import api, error_pages
from core.errors import (
    DomainError,
    DomainErrorMiddleware,
    NotFound,
    OrganizationNotReady,
    problem,
    problem_of,
)


def body_of(error):
    response = api.exception_handler(error, {})
    assert response is not None
    assert response.content_type == "application/problem+json"
    return response.status_code, response.data


class TestProblem:
    def test_members_of_rfc_9457(self):
        assert problem(slug="gone", status=410, title="Gone") == {
            "type": "/problems/gone",
            "title": "Gone",
            "status": 410,
            "detail": "Gone",
        }

    def test_field_and_extra(self):
        body = problem_of(DomainError("Too short.", field="name", least=3))

        assert body["errors"] == [{"field": "name", "message": "Too short."}]
        assert body["least"] == 3

    @pytest.mark.parametrize(
        ("status", "slug", "code"),
        [
            ("suspended", "organization-suspended", 403),
            ("provisioning", "organization-not-ready", 503),
        ],
    )
    def test_organization_not_ready(self, status, slug, code):
        error = OrganizationNotReady(status)

        assert (error.slug, error.status) == (slug, code)


class TestApi:
    @pytest.mark.parametrize(
        ("error", "status", "slug"),
        [
            (NotFound("No such stream."), 404, "not-found"),
            (Http404("x"), 404, "not-found"),
            (PermissionDenied(), 403, "forbidden"),
            (exceptions.NotAuthenticated(), 401, "unauthorized"),
            (exceptions.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
            (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported-media-type"),
            (exceptions.ValidationError({"name": ["Required."]}), 400, "invalid-body"),
            (OperationalError("away"), 503, "unavailable"),
            (InterfaceError("away"), 503, "unavailable"),
        ],
    )
    def test_expected_errors(self, db, error, status, slug):
        code, body = body_of(error)

        assert code == status == body["status"]
        assert body["type"] == f"/problems/{slug}"

    def test_fields_are_named_with_dots(self, db):
        error = exceptions.ValidationError({"a": {"b": ["Bad."]}, "c": ["Worse.", "Worst."]})

        _, body = body_of(error)

        assert body["errors"] == [
            {"field": "a.b", "message": "Bad."},
            {"field": "c", "message": "Worse."},
            {"field": "c", "message": "Worst."},
        ]

    def test_storage_away_says_when_to_try_again(self):
        response = api.exception_handler(OperationalError(), {})

        assert response is not None
        assert response["Retry-After"] == "5"

    def test_throttled_says_when_to_try_again(self, db):
        response = api.exception_handler(exceptions.Throttled(wait=7), {})

        assert response is not None
        assert response["Retry-After"] == "7"

    def test_anything_else_is_a_bug(self):
        assert api.exception_handler(ValueError("bug"), {}) is None


class TestPages:
    @pytest.fixture
    def middleware(self):
        return DomainErrorMiddleware(lambda request: HttpResponse())

    def handle(self, middleware, error):
        return middleware.process_exception(RequestFactory().get("/"), error)

    def test_refusal_becomes_a_page(self, middleware):
        answer = self.handle(middleware, NotFound("There is no such invitation."))

        assert answer.status_code == 404
        assert "There is no such invitation." in answer.content.decode()

    @pytest.mark.parametrize("error", [OperationalError(), InterfaceError()])
    def test_storage_away_becomes_a_page(self, middleware, error):
        answer = self.handle(middleware, error)

        assert answer.status_code == 503
        assert answer["Retry-After"]

    def test_anything_else_rises(self, middleware):
        assert self.handle(middleware, ValueError("bug")) is None


class TestWithoutAView:
    def test_page_that_does_not_exist(self, db, client):
        answer = client.get("/nowhere/")

        assert answer.status_code == 404
        assert "There is nothing here" in answer.content.decode()

    def test_api_path_that_does_not_exist(self, db, client):
        answer = client.get("/api/v2/")

        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/not-found"

    def test_form_without_its_token(self, db):
        answer = Client(enforce_csrf_checks=True).post("/accounts/login/", {})

        assert answer.status_code == 403
        assert "<html" in answer.content.decode()

    def test_bad_host(self, db, client):
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400

    def test_forbidden(self, rf):
        answer = error_pages.forbidden(rf.get("/api/x"), PermissionDenied())

        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("path", "kind"), [("/o/acme/", "text/html"), ("/api/v1/x", "application/problem+json")]
    )
    @pytest.mark.parametrize(
        ("error", "status"),
        [(OperationalError(), 503), (RedisAway(), 503), (ValueError("bug"), 500)],
    )
    def test_failure_before_a_view(self, rf, path, kind, error, status):
        try:
            raise error
        except Exception:
            assert sys.exception() is error
            answer = error_pages.server_error(rf.get(path))

        assert answer.status_code == status
        assert answer["Content-Type"].startswith(kind)
        assert answer.has_header("Retry-After") == (status == 503)

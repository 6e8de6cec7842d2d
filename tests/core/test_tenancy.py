"""Nobody lands in another organization, and nobody stays in one."""

import asyncio
from typing import Any

import pytest
from django.db import ProgrammingError
from django.db import connection as database
from django.http import HttpResponse
from django.test import RequestFactory

from core import tenancy
from core.models import AuditEntry
from core.tenancy import (
    OrganizationMiddleware,
    current_schema,
    find_organization,
    org_key,
    organization_context,
    public_context,
    run_in_organization,
    schema_name_for,
)
from streams.models import Stream
from tenants.models import Organization
from tests.factories import make_stream

connection: Any = database  # of django-tenants, which has no types


def test_schema_name_of_a_slug_is_one_to_one():
    assert schema_name_for("acme") == "org_acme"
    assert schema_name_for("a-b") != schema_name_for("ab")


class TestOrgKey:
    def test_carries_the_organization(self):
        assert org_key("org_acme", "snapshot", "final", 7) == "gantry:org_acme:snapshot:final:7"

    @pytest.mark.parametrize("schema_name", ["", "public", "org:acme"])
    def test_refuses_what_is_no_organization(self, schema_name):
        with pytest.raises(ValueError, match="not the schema"):
            org_key(schema_name, "snapshot")


class TestContext:
    def test_enters_and_leaves(self, acme):
        with organization_context(acme.schema_name):
            assert current_schema() == "org_acme"
        assert current_schema() == "public"

    def test_nests(self, acme, rival):
        with organization_context(acme.schema_name):
            with organization_context(rival.schema_name):
                assert current_schema() == "org_rival"
            with public_context():
                assert current_schema() == "public"
            assert current_schema() == "org_acme"

    def test_leaves_after_an_error(self, acme):
        with pytest.raises(RuntimeError), organization_context(acme.schema_name):
            raise RuntimeError

        assert current_schema() == "public"

    @pytest.mark.parametrize("schema_name", ["", "public"])
    def test_refuses_public(self, schema_name):
        with pytest.raises(ValueError, match="required"), organization_context(schema_name):
            pytest.fail("entered")

    def test_sees_only_its_own_rows(self, acme, rival):
        make_stream(acme, "cup-final")

        with organization_context(rival.schema_name):
            assert not Stream.objects.exists()

    @pytest.mark.django_db
    def test_tenant_tables_do_not_exist_in_public(self):
        """A missing schema fails instead of reading `public`."""
        with pytest.raises(ProgrammingError), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM core_auditentry")


class TestAsyncBridge:
    @pytest.mark.django_db(transaction=True)
    async def test_enters_runs_and_leaves(self, acme):
        assert await run_in_organization(acme.schema_name, current_schema) == "org_acme"
        assert current_schema() == "public"

    @pytest.mark.django_db(transaction=True)
    async def test_many_at_once_stay_apart(self, acme, rival):
        schemas = ["org_acme", "org_rival"] * 20

        seen = await asyncio.gather(
            *(run_in_organization(schema, current_schema) for schema in schemas)
        )

        assert seen == schemas

    @pytest.mark.django_db(transaction=True)
    async def test_passes_arguments_and_errors(self, acme):
        assert await run_in_organization("org_acme", divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await run_in_organization("org_acme", divmod, 7, 0)


class TestMiddleware:
    @pytest.fixture
    def middleware(self):
        return OrganizationMiddleware(lambda request: HttpResponse(current_schema()))

    def test_starts_and_ends_in_public_whatever_was_left(self, acme, middleware):
        connection.set_schema(acme.schema_name)

        answer = middleware(RequestFactory().get("/"))

        assert answer.content == b"public"
        assert current_schema() == "public"

    def test_ends_in_public_after_an_error(self, acme):
        def failing(request):
            connection.set_schema(acme.schema_name)
            raise RuntimeError

        with pytest.raises(RuntimeError):
            OrganizationMiddleware(failing)(RequestFactory().get("/"))

        assert current_schema() == "public"

    def test_pages_without_an_organization_pass(self, middleware):
        request = RequestFactory().get("/")

        assert middleware.process_view(request, HttpResponse, [], {}) is None

    def test_views_never_get_the_slug(self, acme, owner, middleware):
        request = RequestFactory().get("/o/acme/")
        request.user = owner
        arguments = {"organization": "acme", "slug": "final"}

        middleware.process_view(request, HttpResponse, [], arguments)

        assert arguments == {"slug": "final"}
        assert current_schema() == "org_acme"
        connection.set_schema_to_public()

    def test_anonymous_people_sign_in_and_come_back(self, acme, browse):
        answer = browse().get("/o/acme/people/?q=x")

        assert answer.status_code == 302
        assert answer["Location"] == "/accounts/login/?next=/o/acme/people/%3Fq%3Dx"

    @pytest.mark.parametrize("slug", ["acme", "nowhere"])
    def test_strangers_cannot_tell_what_exists(self, acme, stranger, browse, slug):
        assert browse(stranger).get(f"/o/{slug}/").status_code == 404

    @pytest.mark.parametrize(
        ("status", "code"), [("provisioning", 503), ("failed", 503), ("suspended", 403)]
    )
    def test_organization_that_is_not_ready_says_so(self, acme, owner, browse, status, code):
        Organization.objects.filter(pk=acme.pk).update(status=status)

        answer = browse(owner).get("/o/acme/")

        assert answer.status_code == code
        assert answer.has_header("Retry-After") == (code == 503)

    @pytest.mark.parametrize(
        ("status", "code", "slug"),
        [
            ("provisioning", 503, "organization-not-ready"),
            ("suspended", 403, "organization-suspended"),
        ],
    )
    def test_api_of_one_that_is_not_ready_says_so(self, acme, api, status, code, slug):
        client = api()
        Organization.objects.filter(pk=acme.pk).update(status=status)

        answer = client.get("/api/v1/organizations/acme/")

        assert answer.status_code == code
        assert answer.json()["type"] == f"/problems/{slug}"


def test_find_organization(acme):
    assert find_organization("acme") == acme
    assert find_organization("nowhere") is None


class TestContextProcessor:
    def test_gives_nothing_outside(self, db):
        given: dict[str, Any] = tenancy.organization_context_processor(RequestFactory().get("/"))

        assert given["organization"] is None
        assert given["may"] == frozenset()
        assert list(given["memberships"]) == []

    def test_gives_what_the_membership_may_do(self, acme, viewer):
        request: Any = RequestFactory().get("/")
        request.organization, request.membership = acme, viewer.memberships.get()

        given: dict[str, Any] = tenancy.organization_context_processor(request)

        assert "streams.view" in given["may"]
        assert "people.view" not in given["may"]
        assert [row.organization for row in given["memberships"]] == [acme]


def test_audit_rows_stay_in_their_organization(acme, rival, actor):
    with organization_context(acme.schema_name):
        AuditEntry.objects.create(at="2026-11-20T12:00Z", actor_label="x", action="y")

    with organization_context(rival.schema_name):
        assert not AuditEntry.objects.exists()

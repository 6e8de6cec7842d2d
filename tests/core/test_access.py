"""One table of roles; refused tries are refused and recorded."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from rest_framework.exceptions import MethodNotAllowed

from core import access
from core.access import OrganizationPermission, may, permissions_of, public, requires, signed_in
from core.errors import OrganizationNotReady
from core.models import AuditEntry
from tenants.models import ApiToken, Role

# Every permission and the roles that have it: a change of rights is a change of this table.
RIGHTS = {
    "organization.view": "owner admin operator moderator analyst viewer",
    "streams.view": "owner admin operator moderator analyst viewer",
    "clients.view": "owner admin operator moderator analyst viewer",
    "settings.view": "owner admin operator moderator analyst viewer",
    "delivery.view": "owner admin operator moderator analyst viewer",
    "analytics.view": "owner admin operator analyst",
    "moderation.decide": "owner admin operator moderator",
    "streams.change": "owner admin operator",
    "clients.change": "owner admin operator",
    "settings.change": "owner admin operator",
    "keys.view": "owner admin operator",
    "audit.view": "owner admin operator",
    "settings.lock": "owner admin",
    "keys.change": "owner admin",
    "people.view": "owner admin",
    "people.change": "owner admin",
    "tokens.view": "owner admin",
    "tokens.change": "owner admin",
    "organization.change": "owner",
    "owners.change": "owner",
}


def test_the_table_is_complete():
    assert set(RIGHTS) == access.OWNER
    assert set(access.ROLES) == set(Role.values)


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("permission", RIGHTS)
def test_rights_of_each_role(role, permission):
    expected = role in RIGHTS[permission].split()

    assert may(SimpleNamespace(role=role), permission) is expected


def test_nobody_may_nothing():
    assert may(None, "streams.view") is False


def test_unknown_role_may_nothing():
    assert permissions_of("emperor") == frozenset()


def test_misspelt_permission_is_a_bug():
    with pytest.raises(ValueError, match="misspelt"):
        may(None, "stream.view")


class TestRequires:
    @pytest.fixture
    def ask(self, in_acme):
        """Call a guarded view as this member."""

        def asked(user, permission, method="get"):
            request = getattr(RequestFactory(), method)("/o/acme/somewhere/")
            request.user, request.membership = user, user.memberships.get()
            return requires(permission)(lambda request: HttpResponse("in"))(request)

        return asked

    def test_lets_those_in_who_may(self, operator, ask):
        assert ask(operator, "streams.change").content == b"in"

    def test_refuses_the_others_and_records_the_try(self, viewer, ask):
        with pytest.raises(PermissionDenied):
            ask(viewer, "streams.change", "post")

        row = AuditEntry.objects.get()
        assert (row.result, row.action, row.actor_label) == (
            "refused",
            "streams.change",
            viewer.email,
        )
        assert row.target_label == "/o/acme/somewhere/"

    def test_looking_is_not_recorded(self, viewer, ask):
        with pytest.raises(PermissionDenied):
            ask(viewer, "streams.change")

        assert not AuditEntry.objects.exists()

    def test_the_permission_can_be_read_off_the_view(self):
        def view(request):
            return HttpResponse("in")

        page: Any = requires("streams.view")(view)

        assert page.permission == "streams.view"


def test_signed_in_pages_ask_for_a_sign_in(nobody):
    page: Any = signed_in(lambda request: HttpResponse("in"))
    request: Any = RequestFactory().get("/organizations/")

    request.user = SimpleNamespace(is_authenticated=False)
    assert page(request).status_code == 302
    request.user = nobody
    assert page(request).content == b"in"
    assert page.permission == access.SIGNED_IN


def test_public_pages_are_marked():
    page: Any = public(lambda request: HttpResponse("in"))

    assert page.permission is None


class TestOrganizationPermission:
    @pytest.fixture
    def ask(self, in_acme):
        """Ask as a token of acme, at a view that declares this permission."""

        def asked(declared, *, role="operator", method="GET", organization=in_acme, token=True):
            auth = ApiToken(organization=in_acme, name="t", public_id="t", role=role)
            request: Any = SimpleNamespace(
                method=method,
                auth=auth if token else None,
                organization=organization,
                path="/api/v1/x",
                META={},
            )
            view = SimpleNamespace(required_permission=declared)
            return OrganizationPermission().has_permission(request, view)

        return asked

    def test_one_name_for_every_method(self, ask):
        assert ask("streams.change")
        assert not ask("people.change")

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_looking_needs_the_name_under_get(self, ask, method):
        assert ask({"GET": "streams.view", "POST": "people.change"}, method=method)

    def test_writing_needs_the_name_under_its_method(self, ask):
        assert not ask({"GET": "streams.view", "POST": "people.change"}, method="POST")
        assert AuditEntry.objects.get().action == "people.change"

    def test_method_without_a_name_is_not_allowed(self, ask):
        with pytest.raises(MethodNotAllowed):
            ask({"GET": "streams.view"}, method="PUT")

    def test_no_token_no_entry(self, ask):
        assert not ask("streams.view", token=False)

    def test_unknown_organization_is_not_found(self, ask):
        with pytest.raises(Http404):
            ask("streams.view", organization=None)

    def test_token_of_another_organization_finds_nothing(self, ask, rival):
        with pytest.raises(Http404):
            ask("streams.view", organization=rival)

    def test_organization_that_is_not_ready_says_so(self, ask, in_acme):
        in_acme.status = "suspended"

        with pytest.raises(OrganizationNotReady):
            ask("streams.view", organization=in_acme)

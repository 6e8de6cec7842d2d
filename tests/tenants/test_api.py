"""The organization, its people, tokens and audit for programs."""

from datetime import UTC, datetime

import pytest

from core.models import AuditEntry
from core.tenancy import organization_context
from tenants.models import ApiToken, Invitation, Membership, Role
from tests.factories import make_member

BASE = "/api/v1/organizations/acme/"
JSON = "application/json"


def test_organization(api):
    answer = api("viewer").get(BASE)

    assert answer.status_code == 200
    assert answer.json()["slug"] == "acme"


def test_other_organization_is_not_found(rival, api):
    answer = api().get("/api/v1/organizations/rival/")

    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"


def test_unknown_organization_is_not_found(api):
    assert api().get("/api/v1/organizations/nowhere/").status_code == 404


def test_without_a_token_nothing_is_told(acme, client):
    for slug in ("acme", "nowhere"):
        answer = client.get(f"/api/v1/organizations/{slug}/")
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"


def test_role_may_not(api):
    answer = api("viewer").get(f"{BASE}members")

    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/forbidden"


def test_method_that_does_not_exist(api):
    answer = api().put(BASE)

    assert answer.status_code == 405
    assert answer.json()["type"] == "/problems/method-not-allowed"


class TestMembers:
    def test_list(self, viewer, api):
        answer = api().get(f"{BASE}members").json()

        assert answer["count"] == 1
        assert answer["results"][0]["email"] == viewer.email

    def test_change_role(self, acme, owner, viewer, api):
        answer = api().patch(f"{BASE}members/{viewer.pk}", {"role": "operator"}, content_type=JSON)

        assert answer.status_code == 204
        assert viewer.memberships.get().role == Role.OPERATOR
        with organization_context(acme.schema_name):
            assert AuditEntry.objects.get().actor_kind == "token"

    def test_admin_token_makes_no_owner(self, viewer, api):
        answer = api().patch(f"{BASE}members/{viewer.pk}", {"role": "owner"}, content_type=JSON)

        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/above-own-role"

    def test_last_owner_stays(self, owner, api):
        answer = api("owner").delete(f"{BASE}members/{owner.pk}")

        assert answer.status_code == 409
        assert answer.json()["type"] == "/problems/last-owner"

    def test_remove(self, viewer, api):
        assert api().delete(f"{BASE}members/{viewer.pk}").status_code == 204
        assert not viewer.memberships.exists()

    @pytest.mark.parametrize("user_id", ["999", "99999999999999999999999"])
    def test_unknown_member(self, acme, api, user_id):
        assert api().delete(f"{BASE}members/{user_id}").status_code == 404

    @pytest.mark.parametrize("body", ["{}", '{"role": "king"}', "[]", '"x"', "", '{"role": 7}'])
    def test_bad_body(self, viewer, api, body):
        answer = api().patch(f"{BASE}members/{viewer.pk}", body, content_type=JSON)

        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert viewer.memberships.get().role == Role.VIEWER


class TestInvitations:
    def test_create_list_withdraw(self, acme, api):
        client = api()

        made = client.post(
            f"{BASE}invitations", {"email": "g@new.example", "role": "viewer"}, content_type=JSON
        )
        listed = client.get(f"{BASE}invitations").json()
        gone = client.delete(f"{BASE}invitations/{made.json()['id']}")

        assert made.status_code == 201
        assert "/invitations/" in made.json()["link"]
        assert [row["email"] for row in listed["results"]] == ["g@new.example"]
        assert "link" not in listed["results"][0]
        assert gone.status_code == 204
        assert Invitation.objects.get().withdrawn_at is not None

    def test_second_is_refused(self, acme, api):
        body = {"email": "g@new.example", "role": "viewer"}
        client = api()
        client.post(f"{BASE}invitations", body, content_type=JSON)

        answer = client.post(f"{BASE}invitations", body, content_type=JSON)

        assert answer.status_code == 409
        assert answer.json()["errors"][0]["field"] == "email"


class TestTokens:
    def test_create_list_revoke(self, acme, api, client):
        caller = api()

        made = caller.post(f"{BASE}tokens", {"name": "x", "role": "viewer"}, content_type=JSON)
        token = made.json()["token"]
        works = client.get(BASE, headers={"Authorization": f"Bearer {token}"})
        listed = caller.get(f"{BASE}tokens").content.decode()
        gone = caller.delete(f"{BASE}tokens/{made.json()['id']}")
        refused = client.get(BASE, headers={"Authorization": f"Bearer {token}"})

        assert (made.status_code, works.status_code) == (201, 200)
        assert token not in listed
        assert (gone.status_code, refused.status_code) == (204, 401)

    def test_role_above_its_own_is_refused(self, acme, api):
        answer = api().post(f"{BASE}tokens", {"name": "x", "role": "owner"}, content_type=JSON)

        assert answer.status_code == 403
        assert ApiToken.objects.count() == 1

    def test_expiry_in_the_past_is_refused(self, acme, api):
        body = {"name": "x", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}

        answer = api().post(f"{BASE}tokens", body, content_type=JSON)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "expires_at"


class TestAudit:
    @pytest.fixture
    def entries(self, in_acme):
        for number, action in enumerate(["stream.create", "settings.set"]):
            AuditEntry.objects.create(
                at=datetime(2026, 11, 20 + number, tzinfo=UTC),
                actor_kind="person",
                actor_label="olga@acme.example",
                action=action,
                target_type="stream",
                target_id="cup-final",
            )

    @pytest.mark.parametrize(
        ("query", "actions"),
        [
            ("", ["settings.set", "stream.create"]),
            ("?action=settings.set", ["settings.set"]),
            ("?q=stream.c", ["stream.create"]),
            ("?since=2026-11-21", ["settings.set"]),
            ("?target_type=stream&target_id=cup-final&until=2026-11-20", ["stream.create"]),
        ],
    )
    def test_list_with_filters(self, entries, api, query, actions):
        answer = api("operator").get(f"{BASE}audit{query}").json()

        assert [row["action"] for row in answer["results"]] == actions

    @pytest.mark.parametrize("query", ["?since=x", "?result=maybe", "?q=%00"])
    def test_bad_filter(self, entries, api, query):
        answer = api("operator").get(f"{BASE}audit{query}")

        assert answer.status_code == 400
        assert answer.json()["errors"]


def test_refused_try_leaves_an_audit_row(acme, viewer, api):
    api("viewer").delete(f"{BASE}members/{viewer.pk}")

    with organization_context(acme.schema_name):
        row = AuditEntry.objects.get()
    assert (row.action, row.result, row.actor_kind) == ("people.change", "refused", "token")


def test_membership_of_somebody_else_is_out_of_reach(rival, stranger, api):
    make_member(rival, Role.VIEWER)

    assert api().delete(f"{BASE}members/{stranger.pk}").status_code == 404
    assert Membership.objects.filter(user=stranger).exists()

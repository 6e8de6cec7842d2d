"""API tokens: shown once, no role above one's own, dead when revoked."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from core.errors import NotFound
from core.models import AuditEntry
from core.tenancy import organization_context
from tenants import operations
from tenants.models import ApiToken, Membership, Role
from tests.factories import make_token

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOME = "/api/v1/organizations/acme/"


@pytest.fixture
def create(acme, actor):
    def made(by, role=Role.OPERATOR, expires_at=None):
        return operations.create_token(
            organization=acme,
            new=operations.NewToken(name="import", role=role, expires_at=expires_at),
            by=Membership.objects.get(user=by, organization=acme),
            actor=actor,
            at=AT,
        )

    return made


def actions(organization):
    with organization_context(organization.schema_name):
        return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def asks(client, token):
    return client.get(HOME, headers={"Authorization": f"Bearer {token}"}).status_code


def test_token_opens_the_api_and_only_its_hash_is_kept(acme, admin, create, client):
    token, text = create(admin)

    assert asks(client, text) == 200
    secret = text.rpartition("_")[2]
    assert secret not in str(ApiToken.objects.values().get(pk=token.pk))
    assert token.created_by == admin
    with organization_context(acme.schema_name):
        row = AuditEntry.objects.get()
    assert (row.action, row.target_id) == ("token.create", token.public_id)
    assert secret not in str(row.after)


def test_admin_makes_no_owner_token(acme, admin, create):
    with pytest.raises(operations.AboveOwnRole):
        create(admin, role=Role.OWNER)

    assert not ApiToken.objects.exists()
    assert actions(acme) == []


def test_expiry_in_the_past_is_refused(admin, create):
    with pytest.raises(operations.ExpiryPassed):
        create(admin, expires_at=AT)


def test_expired_token_is_refused(acme, client):
    token = make_token(acme, expires_at=timezone.now() - timedelta(seconds=1))

    assert asks(client, token) == 401


def test_revoked_token_is_refused_from_the_next_call_on(acme, admin, create, client, actor):
    token, text = create(admin)

    for _ in range(2):
        operations.revoke_token(
            organization=acme,
            public_id=token.public_id,
            by=admin.memberships.get(),
            actor=actor,
            at=AT,
        )

    assert asks(client, text) == 401
    assert actions(acme) == ["token.create", "token.revoke"]


def test_tokens_of_others_are_not_found(rival, admin, create, actor):
    token, _ = create(admin)

    with pytest.raises(NotFound):
        operations.revoke_token(
            organization=rival,
            public_id=token.public_id,
            by=admin.memberships.get(),
            actor=actor,
            at=AT,
        )


def test_owner_token_is_not_revoked_by_an_admin(acme, owner, admin, create, actor):
    token, _ = create(owner, role=Role.OWNER)

    with pytest.raises(operations.AboveOwnRole):
        operations.revoke_token(
            organization=acme,
            public_id=token.public_id,
            by=admin.memberships.get(),
            actor=actor,
            at=AT,
        )


def test_use_is_noted_at_most_once_a_minute(acme, client):
    token = make_token(acme)
    asks(client, token)
    first = ApiToken.objects.get().last_used_at

    asks(client, token)

    assert first is not None
    assert ApiToken.objects.get().last_used_at == first


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer gt_nobody_secret",
        "Bearer gt__",
        "Bearer xx_tok_secret",
        "Basic Z3Q6eA==",
        "Bearer gt_\u00e9_x",
        "nonsense",
    ],
)
def test_anything_else_is_unauthorized(acme, client, header):
    answer = client.get(HOME, headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_secret_is_unauthorized(acme, client):
    token = make_token(acme)

    assert asks(client, token[:-1] + "x") == 401
    assert asks(client, token) == 200

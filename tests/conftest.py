"""The people and places every test knows: acme and rival, and who works there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client as Browser

from core.audit import Actor
from core.tenancy import PUBLIC, organization_context
from tenants.models import Organization, Role, User
from tenants.provisioning import make_schema, schema_exists
from tests.factories import make_member, make_token, make_user

connection: Any = database  # of django-tenants, which has no types
SLUGS = {"acme": "Acme Sports", "rival": "Rival Media"}


def place(slug: str) -> Organization:
    """Return the organization; a transactional test before may have emptied the public tables."""
    schema_name = f"org_{slug}"
    if not schema_exists(schema_name):
        make_schema(schema_name)
    organization: Organization
    organization, _ = Organization.objects.get_or_create(
        slug=slug,
        defaults={
            "name": SLUGS[slug],
            "schema_name": schema_name,
            "status": Organization.Status.ACTIVE,
            "progress_pct": 100,
        },
    )
    return organization


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Two organizations with real schemas, committed once; tests roll back to them."""
    with django_db_blocker.unblock():
        for slug in SLUGS:
            place(slug)


@pytest.fixture(autouse=True)
def _public_before_and_after():
    """No test may leave a schema set on the connection."""
    assert connection.schema_name == PUBLIC
    yield
    left = connection.schema_name
    connection.set_schema_to_public()
    assert left == PUBLIC, f"the test left {left} set"


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def acme(db) -> Organization:
    return place("acme")


@pytest.fixture
def rival(db) -> Organization:
    return place("rival")


@pytest.fixture
def in_acme(acme):
    """Run the test's own database code inside acme."""
    with organization_context(acme.schema_name):
        yield acme


def _member(role: str):
    @pytest.fixture(name=role)
    def member(acme) -> User:
        return make_member(acme, role)

    return member


owner = _member(Role.OWNER)
admin = _member(Role.ADMIN)
operator = _member(Role.OPERATOR)
moderator = _member(Role.MODERATOR)
analyst = _member(Role.ANALYST)
viewer = _member(Role.VIEWER)


@pytest.fixture
def stranger(rival) -> User:
    """The owner of another organization."""
    return make_member(rival, Role.OWNER)


@pytest.fixture
def nobody(db) -> User:
    """Signed in, member of nothing."""
    return make_user("nobody@example.com")


@pytest.fixture
def browse() -> Callable[..., Browser]:
    """Return a browser in which this person is signed in; `htmx=True` sends htmx's headers."""

    def signed_in(user: User | None = None, *, htmx: bool = False) -> Browser:
        browser = Browser(headers={"HX-Request": "true"} if htmx else None)
        if user is not None:
            browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return browser

    return signed_in


@pytest.fixture
def api(acme) -> Callable[..., Browser]:
    """Return an HTTP client that sends an API token of acme with this role."""

    def with_token(role: str = Role.ADMIN, organization: Organization = acme) -> Browser:
        token = make_token(organization, role)
        return Browser(headers={"Authorization": f"Bearer {token}"})

    return with_token


@pytest.fixture
def actor() -> Actor:
    return Actor(kind="person", id="1", label="tester@acme.example", address="192.0.2.7")

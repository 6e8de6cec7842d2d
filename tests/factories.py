"""Rows for tests, with only the fields that matter to the test given."""

from __future__ import annotations

import hashlib
import itertools
from datetime import timedelta

from django.utils import timezone

from core.tenancy import organization_context, schema_name_for
from streams.models import Client, Platform, Stream
from tenants.models import ApiToken, Membership, Organization, Role, User

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def make_user(email: str = "", **fields) -> User:
    email = email or f"person{next(_numbers)}@example.com"
    return User.objects.create_user(email, PASSWORD, **fields)


def make_member(organization: Organization, role: str, email: str = "") -> User:
    user = make_user(email or f"{role}@{organization.slug}.example")
    Membership.objects.create(user=user, organization=organization, role=role)
    return user


def make_token(organization: Organization, role: str = Role.ADMIN, **fields) -> str:
    """Make an API token and return what its holder sends."""
    public_id = f"tok{next(_numbers):09d}"
    secret = "s" * 32
    ApiToken.objects.create(
        organization=organization,
        name=f"{role} token",
        public_id=public_id,
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        role=role,
        **fields,
    )
    return f"gt_{public_id}_{secret}"


def make_stream(organization: Organization, slug: str = "", **fields) -> Stream:
    slug = slug or f"stream-{next(_numbers)}"
    fields.setdefault("title", slug.replace("-", " ").title())
    fields.setdefault("state", Stream.State.SCHEDULED)
    fields.setdefault("starts_at", timezone.now() + timedelta(hours=1))
    with organization_context(schema_name_for(organization.slug)):
        return Stream.objects.create(slug=slug, **fields)


def make_client(organization: Organization, slug: str = "", **fields) -> Client:
    slug = slug or f"client-{next(_numbers)}"
    fields.setdefault("name", slug.replace("-", " ").title())
    fields.setdefault("platform", Platform.WEB)
    with organization_context(schema_name_for(organization.slug)):
        return Client.objects.create(slug=slug, **fields)

"""Which organizations exist, and who belongs to them with which role? (public schema)"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django_tenants.models import DomainMixin, TenantMixin

SLUG = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
valid_slug = RegexValidator(
    rf"^{SLUG}\Z", "Use 1 to 40 lower-case letters, digits and single hyphens inside."
)


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    OPERATOR = "operator", "Operator"
    MODERATOR = "moderator", "Moderator"
    ANALYST = "analyst", "Analyst"
    VIEWER = "viewer", "Viewer"


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, name: str = "") -> User:
        user = self.model(email=self.normalize_email(email).lower(), name=name)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person. Rights come from memberships only."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="Platform staff")
    date_joined = models.DateTimeField(db_default=Now())

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name or self.email


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def active(self) -> Self:
        return self.filter(status=Organization.Status.ACTIVE)

    def with_schema(self) -> Self:
        """Those whose schema exists: active and suspended ones."""
        return self.filter(status__in=[Organization.Status.ACTIVE, Organization.Status.SUSPENDED])


class Organization(TenantMixin):  # type: ignore[misc]  # django-tenants has no types
    """One customer. Its rows live in a schema of their own, made from a template."""

    class Status(models.TextChoices):
        PROVISIONING = "provisioning", "Being made"
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"
        FAILED = "failed", "Failed"

    auto_create_schema = False

    name = models.CharField(max_length=120)
    slug = models.CharField(max_length=40, unique=True, validators=[valid_slug])
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PROVISIONING)
    progress_pct = models.PositiveSmallIntegerField(default=0)
    progress_note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    suspended_at = models.DateTimeField(null=True)
    schema_digest = models.CharField(
        max_length=64, blank=True, help_text="The migrations its schema has, see provisioning.py"
    )

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_ready(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def is_suspended(self) -> bool:
        return self.status == self.Status.SUSPENDED


class Domain(DomainMixin):  # type: ignore[misc]  # django-tenants has no types
    """Required by django-tenants; Gantry tells organizations apart by path, so it stays empty."""


class Membership(models.Model):
    """A person's role in an organization."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["user__email"]
        constraints = [
            models.UniqueConstraint(fields=["user", "organization"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"


class Invitation(models.Model):
    """A link by e-mail to join an organization; only the hash of its secret is kept."""

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="invitations"
    )
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=Role.choices)
    secret_sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=models.Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
                name="invitation_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"

    def is_open(self, at: datetime) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None and self.expires_at > at


class ApiToken(models.Model):
    """A program's way into the management API: `gt_<12 chars>_<secret>`, hash kept."""

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=80)
    public_id = models.CharField(max_length=12, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    role = models.CharField(max_length=16, choices=Role.choices)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def is_usable(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)


class SchemaTemplate(models.Model):
    """The recorded statements that make an organization's schema, by digest of the migrations."""

    digest = models.CharField(max_length=64, unique=True)
    statements = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.digest[:12]

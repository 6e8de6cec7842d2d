"""Which keys open the SDK plane, and which keys sign what it hands out? (public schema)

SDK keys are found before the organization is known, so they cannot live in its schema.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from tenants.models import Organization


class SdkKey(models.Model):
    """`gk_<publishable|secret>_<public_id>_<secret>`: only the id and a SHA-256 are kept."""

    class Kind(models.TextChoices):
        PUBLISHABLE = "publishable", "Publishable"
        SECRET = "secret", "Secret"

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="sdk_keys"
    )
    client_slug = models.CharField(max_length=64)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    public_id = models.CharField(max_length=12, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    bundle_ids = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by_label = models.CharField(max_length=254, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    rotated_from = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "client_slug"], name="sdk_key_by_client"),
        ]

    def __str__(self) -> str:
        return self.name

    def is_usable(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)


class SigningKey(models.Model):
    """An Ed25519 pair; the private half is encrypted with a key derived from SECRET_KEY."""

    kid = models.CharField(max_length=32, unique=True)
    public_jwk = models.JSONField()
    private_encrypted = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    active_from = models.DateTimeField(help_text="Published before it signs, so caches have it")
    retired_at = models.DateTimeField(null=True, blank=True, help_text="Verifies until then")

    class Meta:
        ordering = ["-active_from"]

    def __str__(self) -> str:
        return self.kid

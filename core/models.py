"""What does every organization's schema hold besides its own things: audit and outbox rows."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """One row per mutation or refused privileged try; a trigger forbids UPDATE and DELETE."""

    class Result(models.TextChoices):
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"

    at = models.DateTimeField(db_index=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=254)
    address = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=64, db_index=True)
    target_type = models.CharField(max_length=32)
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=254, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    comment = models.CharField(max_length=500, blank=True)
    result = models.CharField(max_length=8, choices=Result.choices, default=Result.DONE)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}"


class OutboxEntry(models.Model):
    """A push that must happen because the change it tells of is committed."""

    kind = models.CharField(max_length=32)
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    relayed_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["id"],
                name="outbox_waiting",
                condition=models.Q(relayed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class IdempotencyRecord(models.Model):
    """The answer given to a POST that carried an Idempotency-Key, replayed for 24 hours."""

    key = models.CharField(max_length=128)
    token_id = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token_id", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return self.key

"""What has this organization overridden, and how did it come to be so?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeVar

from django.db import models

from settings_hierarchy.schema import MAX_KEY_LENGTH, Level
from streams.models import Client, Stream

MAX_COMMENT_LENGTH = 500
CONFIG_STATE_ID = 1


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A place that can override: the organization, a stream, a client, a client on one stream."""

    stream: Stream | None = None
    client: Client | None = None

    @property
    def level(self) -> Level:
        if self.stream is None:
            return Level.ORGANIZATION if self.client is None else Level.CLIENT
        return Level.STREAM if self.client is None else Level.CLIENT_ON_STREAM

    @property
    def label(self) -> str:
        """Return the scope's name for people; the organization is named by the page around it."""
        if self.stream is None:
            return self.client.name if self.client else "Organization"
        return f"{self.client.name} on {self.stream.title}" if self.client else self.stream.title

    def __str__(self) -> str:
        return self.label


Row = TypeVar("Row", bound="Scoped")


class ScopedQuerySet(models.QuerySet[Row]):
    def at(self, scope: Scope) -> Self:
        """Return the rows of exactly this scope."""
        return self.filter(stream=scope.stream, client=scope.client)

    def on_path(self, scope: Scope) -> Self:
        """Return the rows of this scope and of every weaker one that reaches it."""
        return self.filter(
            models.Q(stream__isnull=True) | models.Q(stream=scope.stream),
            models.Q(client__isnull=True) | models.Q(client=scope.client),
        )

    def not_at(self, scope: Scope) -> Self:
        """Leave out the rows of this scope among those on its path or below it."""
        return self.exclude(
            models.Q(stream__isnull=scope.stream is None)
            & models.Q(client__isnull=scope.client is None)
        )

    def below(self, scope: Scope) -> Self:
        """Return the rows of every scope that this one reaches, itself included."""
        rows = self
        if scope.stream is not None:
            rows = rows.filter(stream=scope.stream)
        if scope.client is not None:
            rows = rows.filter(client=scope.client)
        return rows

    def of_level(self, level: Level) -> Self:
        on_stream = level in {Level.STREAM, Level.CLIENT_ON_STREAM}
        of_client = level in {Level.CLIENT, Level.CLIENT_ON_STREAM}
        return self.filter(stream__isnull=not on_stream, client__isnull=not of_client)


class Scoped(models.Model):
    """A row that belongs to one scope."""

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, null=True, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        abstract = True

    @property
    def level(self) -> Level:
        if self.stream_id is None:
            return Level.ORGANIZATION if self.client_id is None else Level.CLIENT
        return Level.STREAM if self.client_id is None else Level.CLIENT_ON_STREAM

    @property
    def scope(self) -> Scope:
        return Scope(stream=self.stream, client=self.client)


class Change(Scoped):
    """One accepted change. Its config version is its key: gapless, one sequence per organization.

    Rows are append-only; together they rebuild every past snapshot.
    """

    class Kind(models.TextChoices):
        SET = "set", "Set"
        LOCK = "lock", "Lock"
        UNLOCK = "unlock", "Unlock"
        CLEAR = "clear", "Reset to inherited"
        CATALOGUE = "catalogue", "New catalogue"

    version = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    key = models.CharField(max_length=MAX_KEY_LENGTH, blank=True)
    value_before = models.JSONField(null=True, help_text="Empty: there was no override")
    locked_before = models.BooleanField(default=False)
    value_after = models.JSONField(null=True, help_text="Empty: there is no override any more")
    locked_after = models.BooleanField(default=False)
    catalogue = models.JSONField(null=True, help_text="See resolution.catalogue_record")
    undoes = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    comment = models.CharField(max_length=MAX_COMMENT_LENGTH, blank=True)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=254)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(version__gt=0), name="change_version_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["set", "lock", "unlock"], value_after__isnull=False)
                & ~models.Q(key="")
                | models.Q(kind="clear", value_after__isnull=True, value_before__isnull=False)
                & ~models.Q(key="")
                | models.Q(
                    kind="catalogue",
                    key="",
                    catalogue__isnull=False,
                    stream__isnull=True,
                    client__isnull=True,
                ),
                name="change_kind_fits",
            ),
        ]
        indexes = [
            models.Index(fields=["key", "stream", "client", "-version"], name="change_by_setting"),
            models.Index(
                fields=["-version"],
                name="change_of_catalogue",
                condition=models.Q(kind="catalogue"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.kind} {self.key}"


class Override(Scoped):
    """A value set at a level; who and when stand in the change that set it."""

    key = models.CharField(max_length=MAX_KEY_LENGTH)
    value = models.JSONField()
    locked = models.BooleanField(default=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["key", "stream_id", "client_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "client", "key"],
                nulls_distinct=False,
                name="override_once_per_scope",
            ),
            models.CheckConstraint(condition=~models.Q(key=""), name="override_has_key"),
        ]

    def __str__(self) -> str:
        return f"{self.key} at {self.level.label}"


class ScopeVersion(Scoped):
    """The config version at which a scope last changed, clears included."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="+")

    objects = ScopedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "client"], nulls_distinct=False, name="scope_version_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level.label} at {self.change_id}"


class ConfigState(models.Model):
    """The organization's current config version; every write locks this one row."""

    version = models.BigIntegerField()
    catalogue_digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=CONFIG_STATE_ID), name="one_config_state"),
        ]

    def __str__(self) -> str:
        return f"version {self.version}"

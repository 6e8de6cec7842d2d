"""Which streams does an organization run, and through which applications do viewers watch?"""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

SLUG_LENGTH = 63
valid_slug = RegexValidator(
    r"^(?=.{1,63}\Z)[a-z0-9]+(?:-[a-z0-9]+)*\Z",
    "Use 1 to 63 lower-case letters, digits and single hyphens inside.",
)


class StreamQuerySet(models.QuerySet["Stream"]):
    def live(self) -> Self:
        return self.filter(state=Stream.State.LIVE)

    def current(self) -> Self:
        return self.exclude(state=Stream.State.ARCHIVED)


class Stream(models.Model):
    """One live event or programme."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        LIVE = "live", "Live"
        ENDED = "ended", "Ended"
        ARCHIVED = "archived", "Archived"

    title = models.CharField(max_length=160)
    slug = models.CharField(max_length=SLUG_LENGTH, unique=True, validators=[valid_slug])
    state = models.CharField(max_length=16, choices=State.choices, default=State.DRAFT)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    playback_url = models.URLField(max_length=500, blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    live_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, help_text="Counts edits, for If-Match")

    objects = StreamQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True)
                | models.Q(ends_at__gt=models.F("starts_at")),
                name="stream_ends_after_start",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "scheduled", "live", "ended", "archived"]),
                name="stream_state_known",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-starts_at"], name="stream_by_state"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_live(self) -> bool:
        return self.state == self.State.LIVE

    @property
    def is_open(self) -> bool:
        """May SDKs open sessions on it?"""
        return self.state in OPEN_STATES


OPEN_STATES = frozenset({Stream.State.SCHEDULED, Stream.State.LIVE, Stream.State.ENDED})


class Transition(models.Model):
    """A stream went from one state to another."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="transitions")
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)
    at = models.DateTimeField()
    actor_label = models.CharField(max_length=254)
    comment = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"


class Platform(models.TextChoices):
    IOS = "ios", "iOS"
    TVOS = "tvos", "tvOS"
    ANDROID = "android", "Android"
    ANDROID_TV = "android_tv", "Android TV"
    FIRE_TV = "fire_tv", "Fire TV"
    WEB = "web", "Web"
    REACT_NATIVE = "react_native", "React Native"
    ROKU = "roku", "Roku"
    TIZEN = "tizen", "Tizen"
    WEBOS = "webos", "webOS"
    PLAYSTATION = "playstation", "PlayStation"
    XBOX = "xbox", "Xbox"


class ClientQuerySet(models.QuerySet["Client"]):
    def current(self) -> Self:
        return self.filter(archived_at__isnull=True)


class Client(models.Model):
    """One SDK application of the organization. Its slug never changes."""

    name = models.CharField(max_length=120)
    slug = models.CharField(max_length=SLUG_LENGTH, unique=True, validators=[valid_slug])
    platform = models.CharField(max_length=16, choices=Platform.choices)
    bundle_ids = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    disabled_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, help_text="Counts edits, for If-Match")

    objects = ClientQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(platform__in=Platform.values), name="client_platform_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_enabled(self) -> bool:
        return self.disabled_at is None and self.archived_at is None

"""What do streams and clients look like to programs?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from rest_framework import serializers

from streams.lifecycle import Step
from streams.models import Client, Platform, Stream
from streams.operations import MAX_COMMENT
from streams.queries import DEFAULT_SORT, SORTS, ClientFilter, StreamFilter
from streams.validation import (
    MAX_IDENTIFIER,
    MAX_IDENTIFIERS,
    MAX_NAME,
    MAX_TAG,
    MAX_TAGS,
    MAX_TITLE,
    MAX_URL,
    ClientFields,
    StreamFields,
)

MAX_SEARCH = 100


class MomentField(serializers.DateTimeField):
    """RFC 3339 with an offset; a time without one would be read as UTC behind the caller's back."""

    default_error_messages = {"naive": "Give the offset too, as in 2026-11-20T18:30:00Z."}

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("naive")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")


class StepSerializer(serializers.Serializer[Step]):
    to = serializers.ChoiceField(choices=Stream.State.choices)
    verb = serializers.CharField()
    needs_reason = serializers.BooleanField()


class StreamSerializer(serializers.Serializer[Stream]):
    """A stream as it is read."""

    slug = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=Stream.State.choices)
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    time_zone = serializers.CharField()
    playback_url = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    live_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(help_text="Send it as If-Match with the next write.")


class StreamWriteSerializer(serializers.Serializer[StreamFields]):
    """What may be set on a stream."""

    title = serializers.CharField(max_length=MAX_TITLE)
    slug = serializers.CharField(
        required=False, allow_blank=True, max_length=63, help_text="Made from the title when empty"
    )
    starts_at = MomentField(required=False, allow_null=True)
    ends_at = MomentField(required=False, allow_null=True)
    time_zone = serializers.CharField(required=False, max_length=64)
    playback_url = serializers.CharField(required=False, allow_blank=True, max_length=MAX_URL)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=MAX_TAG), max_length=MAX_TAGS, required=False
    )

    def fields_over(self, current: StreamFields | None = None) -> StreamFields:
        """Return what was sent laid over what is there."""
        sent: dict[str, Any] = dict(self.validated_data)
        if "tags" in sent:
            sent["tags"] = tuple(sent["tags"])
        held = {} if current is None else vars(current)
        return StreamFields(**({"slug": ""} | held | sent))


class CloneSerializer(StreamWriteSerializer):
    """A new stream with another's settings; what is left out is taken from the other."""

    title = serializers.CharField(max_length=MAX_TITLE, required=False)


class TransitionSerializer(serializers.Serializer[Any]):
    before = serializers.CharField(read_only=True)
    after = serializers.CharField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    actor = serializers.CharField(read_only=True, source="actor_label")
    comment = serializers.CharField(read_only=True)


class TransitionWriteSerializer(serializers.Serializer[Any]):
    to = serializers.ChoiceField(choices=Stream.State.choices)
    comment = serializers.CharField(required=False, allow_blank=True, max_length=MAX_COMMENT)


class StreamQuerySerializer(serializers.Serializer[StreamFilter]):
    """The query of a list of streams."""

    search = serializers.CharField(
        required=False, max_length=MAX_SEARCH, allow_blank=True, help_text="In title, slug and tags"
    )
    state = serializers.ChoiceField(
        choices=Stream.State.choices, required=False, help_text="All but archived when left out"
    )
    tag = serializers.CharField(required=False, max_length=MAX_TAG)
    starts_from = serializers.DateField(required=False, help_text="First day, UTC")
    starts_until = serializers.DateField(required=False, help_text="Last day, UTC")
    sort = serializers.ChoiceField(choices=sorted(SORTS), required=False, default=DEFAULT_SORT)

    def wanted(self) -> StreamFilter:
        sent: dict[str, Any] = dict(self.validated_data)
        for name, clock in (("starts_from", time.min), ("starts_until", time.max)):
            if name in sent:
                sent[name] = _moment(sent[name], clock)
        return StreamFilter(**sent)


class ClientSerializer(serializers.Serializer[Client]):
    """A client as it is read."""

    slug = serializers.CharField()
    name = serializers.CharField()
    platform = serializers.ChoiceField(choices=Platform.choices)
    bundle_ids = serializers.ListField(child=serializers.CharField())
    origins = serializers.ListField(child=serializers.CharField())
    enabled = serializers.BooleanField(source="is_enabled")
    created_at = serializers.DateTimeField()
    disabled_at = serializers.DateTimeField(allow_null=True)
    archived_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(help_text="Send it as If-Match with the next write.")


class ClientWriteSerializer(serializers.Serializer[ClientFields]):
    """What may be changed on a client."""

    name = serializers.CharField(max_length=MAX_NAME)
    bundle_ids = serializers.ListField(
        child=serializers.CharField(max_length=MAX_IDENTIFIER),
        max_length=MAX_IDENTIFIERS,
        required=False,
    )
    origins = serializers.ListField(
        child=serializers.CharField(max_length=MAX_IDENTIFIER),
        max_length=MAX_IDENTIFIERS,
        required=False,
    )

    def fields_over(self, current: ClientFields | None = None) -> ClientFields:
        """Return what was sent laid over what is there."""
        names = ("name", "bundle_ids", "origins")
        sent = {name: self.validated_data[name] for name in names if name in self.validated_data}
        lists = {name: tuple(sent[name]) for name in sent if name != "name"}
        held = {} if current is None else vars(current)
        return ClientFields(**(held | sent | lists))


class ClientCreateSerializer(ClientWriteSerializer):
    slug = serializers.CharField(max_length=63, help_text="Never changes")
    platform = serializers.ChoiceField(choices=Platform.choices, help_text="Never changes")


class ClientQuerySerializer(serializers.Serializer[ClientFilter]):
    """The query of a list of clients."""

    search = serializers.CharField(required=False, max_length=MAX_SEARCH, allow_blank=True)
    platform = serializers.ChoiceField(choices=Platform.choices, required=False)
    status = serializers.ChoiceField(choices=["enabled", "disabled", "archived"], required=False)

    def wanted(self) -> ClientFilter:
        return ClientFilter(**self.validated_data)


def _moment(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, tzinfo=UTC)

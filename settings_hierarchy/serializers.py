"""What do settings, overrides and versions look like to programs?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers

from settings_hierarchy.models import MAX_COMMENT_LENGTH, Change, Override, Scope
from settings_hierarchy.operations import Written
from settings_hierarchy.queries import Resolved, ResolvedSetting
from settings_hierarchy.resolution import SourcedValue
from settings_hierarchy.schema import MAX_KEY_LENGTH, Catalogue, Level, Setting
from streams.models import SLUG_LENGTH, Client, Stream

LEVELS = [Level.ORGANIZATION, Level.STREAM, Level.CLIENT]
ALL_LEVELS = [level.value for level in Level]
NEEDED = {Level.ORGANIZATION: (), Level.STREAM: ("stream",), Level.CLIENT: ("client",)}
ALLOWED = {Level.ORGANIZATION: (), Level.STREAM: ("stream",), Level.CLIENT: ("client", "stream")}


# --- what programs send ------------------------------------------------------------------------


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a misspelt one must not be dropped in silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {str(name)[:MAX_KEY_LENGTH]: "There is no such field." for name in unknown}
                )
        return super().to_internal_value(data)


class PlaceSerializer(StrictSerializer):
    """A stream, a client, or a client on a stream, by slug; neither is the organization."""

    stream = serializers.CharField(required=False, max_length=SLUG_LENGTH)
    client = serializers.CharField(required=False, max_length=SLUG_LENGTH)

    def scope(self) -> Scope:
        """Return the scope, or raise Http404 for a slug that this organization does not have."""
        sent = self.validated_data
        stream, client = sent.get("stream"), sent.get("client")
        return Scope(
            stream=get_object_or_404(Stream, slug=stream) if stream else None,
            client=get_object_or_404(Client, slug=client) if client else None,
        )


class OverridePlaceSerializer(PlaceSerializer):
    """One setting at one level."""

    level = serializers.ChoiceField(
        choices=[level.value for level in LEVELS],
        help_text="`client` with `stream` is that client on that stream.",
    )
    key = serializers.CharField(max_length=MAX_KEY_LENGTH)
    comment = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=MAX_COMMENT_LENGTH
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        level = Level(attrs["level"])
        for name in ("stream", "client"):
            if name in NEEDED[level] and name not in attrs:
                raise serializers.ValidationError({name: f"The level {level} needs it."})
            if name in attrs and name not in ALLOWED[level]:
                raise serializers.ValidationError({name: f"Means nothing at the level {level}."})
        return attrs


class OverrideWriteSerializer(OverridePlaceSerializer):
    """A value for one setting at one level."""

    value = serializers.JSONField(allow_null=True, help_text="As the setting's schema says.")
    locked = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Forbid more specific levels to override; left out, the lock stays as it is.",
    )

    def validate_locked(self, value: bool | None) -> bool | None:
        # BooleanField also takes "yes" and 1.
        if not isinstance(self.initial_data.get("locked"), bool | None):
            raise serializers.ValidationError("Must be true or false.")
        return value


class OverrideQuerySerializer(PlaceSerializer):
    level = serializers.ChoiceField(choices=ALL_LEVELS[1:], required=False)
    key = serializers.CharField(max_length=MAX_KEY_LENGTH, required=False)
    page = serializers.IntegerField(min_value=1, required=False)
    page_size = serializers.IntegerField(min_value=1, required=False)


class VersionQuerySerializer(OverrideQuerySerializer):
    after = serializers.IntegerField(
        min_value=0, max_value=2**53, required=False, help_text="Only versions above this one."
    )


class ResolvedQuerySerializer(PlaceSerializer):
    version = serializers.IntegerField(
        min_value=1, max_value=2**53, required=False, help_text="A past config version."
    )


class SnapshotQuerySerializer(ResolvedQuerySerializer):
    stream = serializers.CharField(max_length=SLUG_LENGTH)
    client = serializers.CharField(max_length=SLUG_LENGTH)


# --- what programs get -------------------------------------------------------------------------


class SettingSerializer(serializers.Serializer[Setting]):
    """One row of the catalogue."""

    key = serializers.CharField()
    group = serializers.CharField()
    type = serializers.CharField()
    default = serializers.JSONField()
    unit = serializers.CharField()
    levels = serializers.ListField(child=serializers.ChoiceField(choices=ALL_LEVELS))
    lockable = serializers.BooleanField()
    visibility = serializers.ChoiceField(choices=["client", "server"])
    label = serializers.CharField()  # type: ignore[assignment]  # Field has a label of its own
    help = serializers.CharField()
    since = serializers.CharField()
    requires = serializers.SerializerMethodField()
    schema = serializers.SerializerMethodField()

    def get_requires(self, setting: Setting) -> dict[str, Any] | None:
        rule = setting.requires
        if rule is None:
            return None
        return {"relation": rule.relation, "key": rule.key, "value": rule.value}

    def get_schema(self, setting: Setting) -> dict[str, Any]:
        return setting.json_schema()


class GroupSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    order = serializers.IntegerField()
    title = serializers.CharField()
    description = serializers.CharField()


class CatalogueSerializer(serializers.Serializer[Catalogue]):
    digest = serializers.CharField()
    groups = GroupSerializer(many=True, source="headings")
    settings = SettingSerializer(many=True, source="rows")


class ProvenanceSerializer(serializers.Serializer[SourcedValue]):
    """Where a value comes from; a default has no who and when."""

    level = serializers.ChoiceField(choices=ALL_LEVELS)
    locked = serializers.BooleanField()
    version = serializers.IntegerField(allow_null=True)
    changed_at = serializers.DateTimeField(allow_null=True)
    changed_by = serializers.CharField(allow_null=True)
    comment = serializers.CharField()

    def to_representation(self, value: SourcedValue) -> dict[str, Any]:
        at = value.changed_at
        return {
            "level": value.level,
            "locked": value.locked,
            "version": value.version or None,
            "changed_at": at.isoformat().replace("+00:00", "Z") if at else None,
            "changed_by": value.changed_by or None,
            "comment": value.comment,
        }


class SourcedValueSerializer(serializers.Serializer[SourcedValue]):
    value = serializers.JSONField()
    provenance = ProvenanceSerializer(source="*")


class ResolvedSettingSerializer(serializers.Serializer[ResolvedSetting]):
    key = serializers.CharField(source="setting.key")
    value = serializers.JSONField(source="current.value")
    provenance = ProvenanceSerializer(source="current")
    locked_by = serializers.ChoiceField(
        choices=ALL_LEVELS,
        source="locked_above.level",
        allow_null=True,
        default=None,
        help_text="The weaker level that forbids overriding here.",
    )
    override = SourcedValueSerializer(
        source="own", allow_null=True, help_text="What this scope itself holds, effective or not."
    )
    inherited = SourcedValueSerializer(help_text="What it would be without that override.")
    ignored = SourcedValueSerializer(many=True, help_text="Overrides that a lock made ineffective.")
    visibility = serializers.ChoiceField(choices=["client", "server"], source="setting.visibility")


class ResolvedSerializer(serializers.Serializer[Resolved]):
    stream = serializers.CharField(allow_null=True, source="scope.stream.slug", default=None)
    client = serializers.CharField(allow_null=True, source="scope.client.slug", default=None)
    config_version = serializers.IntegerField(help_text="Send it as If-Match with the next write.")
    version = serializers.IntegerField(help_text="The version of this scope's snapshot.")
    published_at = serializers.DateTimeField()
    settings = ResolvedSettingSerializer(many=True)


class ScopedSerializer(serializers.Serializer[Any]):
    level = serializers.ChoiceField(choices=ALL_LEVELS)
    stream = serializers.CharField(source="stream.slug", allow_null=True, default=None)
    client = serializers.CharField(source="client.slug", allow_null=True, default=None)
    key = serializers.CharField()


class OverrideSerializer(ScopedSerializer):
    """A value that a level holds."""

    value = serializers.JSONField()
    locked = serializers.BooleanField()
    version = serializers.IntegerField(source="change_id")
    changed_at = serializers.DateTimeField(source="change.at")
    changed_by = serializers.CharField(source="change.actor_label")
    comment = serializers.CharField(source="change.comment")


class ChangeSerializer(ScopedSerializer):
    """One config version: who changed what, when and why."""

    version = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Change.Kind.choices)
    value_before = serializers.JSONField(allow_null=True)
    locked_before = serializers.BooleanField()
    value_after = serializers.JSONField(allow_null=True)
    locked_after = serializers.BooleanField()
    undoes = serializers.IntegerField(source="undoes_id", allow_null=True)
    comment = serializers.CharField()
    changed_at = serializers.DateTimeField(source="at")
    changed_by = serializers.CharField(source="actor_label")


class WrittenSerializer(serializers.Serializer[Written]):
    """What a write came to; `changed` is false when it held already and no version was made."""

    version = serializers.IntegerField(help_text="The organization's config version now.")
    changed = serializers.BooleanField()
    override = OverrideSerializer(allow_null=True)
    resolved = ResolvedSettingSerializer()


class SnapshotSerializer(serializers.Serializer[Any]):
    """What an SDK gets, see docs/sdk-protocol.md."""

    organization = serializers.CharField()
    stream = serializers.CharField()
    client = serializers.CharField()
    version = serializers.IntegerField()
    published_at = serializers.DateTimeField()
    settings = serializers.DictField()


def written_as_json(
    written: Written, override: Override | None, row: ResolvedSetting
) -> dict[str, Any]:
    """Return the answer to a write."""
    return {
        "version": written.version,
        "changed": written.change is not None,
        "override": OverrideSerializer(override).data if override is not None else None,
        "resolved": ResolvedSettingSerializer(row).data,
    }

"""What do SDK keys look like to programs? The secret is only in the answer that made it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from sdk_keys.models import SdkKey
from sdk_keys.operations import MAX_NAME, OVERLAPS, KeyFields
from sdk_keys.queries import KeyFilter, status_of
from streams.serializers import MAX_SEARCH, MomentField
from streams.validation import MAX_IDENTIFIER, MAX_IDENTIFIERS

STATUSES = ("usable", "expiring", "expired", "revoked")


class KeySerializer(serializers.Serializer[SdkKey]):
    """A key as it is read."""

    id = serializers.CharField(source="public_id")
    client = serializers.CharField(source="client_slug")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=SdkKey.Kind.choices)
    status = serializers.SerializerMethodField()
    origins = serializers.ListField(child=serializers.CharField())
    bundle_ids = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by_label")
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)

    def get_status(self, key: SdkKey) -> str:
        return status_of(key, timezone.now())


class IssuedKeySerializer(serializers.Serializer[Any]):
    """A new key; `secret` is its whole text and is never answered again."""

    key = KeySerializer()
    secret = serializers.CharField(source="text", help_text="Send it as X-SDK-Key")


class KeyWriteSerializer(serializers.Serializer[KeyFields]):
    name = serializers.CharField(max_length=MAX_NAME)
    kind = serializers.ChoiceField(choices=SdkKey.Kind.choices)
    expires_at = MomentField(required=False, allow_null=True)
    origins = serializers.ListField(
        child=serializers.CharField(max_length=MAX_IDENTIFIER),
        max_length=MAX_IDENTIFIERS,
        required=False,
        help_text="Empty: those of the client",
    )
    bundle_ids = serializers.ListField(
        child=serializers.CharField(max_length=MAX_IDENTIFIER),
        max_length=MAX_IDENTIFIERS,
        required=False,
        help_text="Empty: those of the client",
    )

    def wanted(self) -> KeyFields:
        sent = self.validated_data
        return KeyFields(
            name=sent["name"],
            kind=sent["kind"],
            expires_at=sent.get("expires_at"),
            origins=tuple(sent.get("origins", ())),
            bundle_ids=tuple(sent.get("bundle_ids", ())),
        )


class RotationSerializer(serializers.Serializer[Any]):
    """How long the old key stays in force beside the new one."""

    overlap = serializers.ChoiceField(choices=list(OVERLAPS))
    expires_at = MomentField(required=False, allow_null=True, help_text="Of the new key")


class RevocationSerializer(serializers.Serializer[Any]):
    comment = serializers.CharField(required=False, allow_blank=True, max_length=500)


class KeyQuerySerializer(serializers.Serializer[KeyFilter]):
    """The query of a list of keys."""

    search = serializers.CharField(required=False, max_length=MAX_SEARCH, allow_blank=True)
    client = serializers.CharField(required=False, max_length=63)
    kind = serializers.ChoiceField(choices=SdkKey.Kind.choices, required=False)
    status = serializers.ChoiceField(choices=STATUSES, required=False)

    def wanted(self) -> KeyFilter:
        return KeyFilter(**self.validated_data)

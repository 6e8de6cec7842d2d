"""What do organizations, people, tokens and audit rows look like to programs?"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.models import AuditEntry
from tenants.models import ApiToken, Invitation, Membership, Organization, Role
from tenants.queries import AuditFilter


class OrganizationSerializer(serializers.Serializer[Organization]):
    slug = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=Organization.Status.choices)
    created_at = serializers.DateTimeField()


class MemberSerializer(serializers.Serializer[Membership]):
    id = serializers.IntegerField(source="user_id")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    role = serializers.ChoiceField(choices=Role.choices)
    created_at = serializers.DateTimeField()


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationSerializer(serializers.Serializer[Invitation]):
    id = serializers.IntegerField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class InvitationWriteSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationMadeSerializer(InvitationSerializer):
    link = serializers.URLField(help_text="Shown this once; it is also sent by e-mail.")


class TokenSerializer(serializers.Serializer[ApiToken]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class TokenWriteSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    role = serializers.ChoiceField(choices=Role.choices)
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Null or missing: never"
    )


class TokenMadeSerializer(TokenSerializer):
    token = serializers.CharField(help_text="What its holder sends; shown this once.")


class AuditEntrySerializer(serializers.Serializer[AuditEntry]):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor_kind = serializers.ChoiceField(choices=["person", "token", "system", "anonymous"])
    actor_id = serializers.CharField()
    actor_label = serializers.CharField()
    address = serializers.IPAddressField(allow_null=True)
    action = serializers.CharField()
    target_type = serializers.CharField()
    target_id = serializers.CharField()
    target_label = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    comment = serializers.CharField()
    result = serializers.ChoiceField(choices=AuditEntry.Result.choices)


class AuditQuerySerializer(serializers.Serializer[Any]):
    """How the audit list may be narrowed down; days are whole days in UTC."""

    q = serializers.CharField(required=False, max_length=200)
    action = serializers.CharField(required=False, max_length=64)
    actor = serializers.CharField(required=False, max_length=254)
    target_type = serializers.CharField(required=False, max_length=32)
    target_id = serializers.CharField(required=False, max_length=64)
    result = serializers.ChoiceField(required=False, choices=AuditEntry.Result.choices)
    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)

    def wanted(self) -> AuditFilter:
        fields = dict(self.validated_data)
        return AuditFilter(search=fields.pop("q", ""), **fields)

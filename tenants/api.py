"""The organization, its people, tokens and audit rows for programs: parse, one call, answer."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.audit import Actor
from core.idempotency import IdempotentPostMixin
from core.models import AuditEntry
from tenants import invitations, operations, queries
from tenants.models import ApiToken, Invitation, Membership, Organization
from tenants.serializers import (
    AuditEntrySerializer,
    AuditQuerySerializer,
    InvitationMadeSerializer,
    InvitationSerializer,
    InvitationWriteSerializer,
    MemberSerializer,
    OrganizationSerializer,
    RoleSerializer,
    TokenMadeSerializer,
    TokenSerializer,
    TokenWriteSerializer,
)

PEOPLE_RIGHTS = {
    "GET": "people.view",
    "POST": "people.change",
    "PATCH": "people.change",
    "DELETE": "people.change",
}
TOKEN_RIGHTS = {"GET": "tokens.view", "POST": "tokens.change", "DELETE": "tokens.change"}


class OrganizationDetail(APIView):
    """The organization itself."""

    required_permission = "organization.view"

    @extend_schema(operation_id="organization_get", responses=OrganizationSerializer)
    def get(self, request: Request) -> Response:
        return Response(OrganizationSerializer(_organization(request)).data)


class MemberList(generics.ListAPIView[Membership]):
    """The people of the organization."""

    required_permission = PEOPLE_RIGHTS
    serializer_class = MemberSerializer
    queryset = Membership.objects.none()

    def get_queryset(self) -> QuerySet[Membership]:
        return queries.people_in(_organization(self.request)).order_by("user__email")

    @extend_schema(operation_id="members_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class MemberDetail(APIView):
    """One person's membership."""

    required_permission = PEOPLE_RIGHTS

    @extend_schema(operation_id="members_update", request=RoleSerializer, responses={204: None})
    def patch(self, request: Request, user_id: int) -> Response:
        body = RoleSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        operations.change_role(
            organization=_organization(request),
            user_id=user_id,
            role=body.validated_data["role"],
            by=_holder(request),
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(status=204)

    @extend_schema(operation_id="members_remove", responses={204: None})
    def delete(self, request: Request, user_id: int) -> Response:
        operations.remove_member(
            organization=_organization(request),
            user_id=user_id,
            by=_holder(request),
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(status=204)


class InvitationList(IdempotentPostMixin, generics.ListAPIView[Invitation]):
    """Invitations that nobody accepted yet."""

    required_permission = PEOPLE_RIGHTS
    serializer_class = InvitationSerializer
    queryset = Invitation.objects.none()

    def get_queryset(self) -> QuerySet[Invitation]:
        return queries.waiting_invitations(_organization(self.request))

    @extend_schema(operation_id="invitations_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="invitations_create",
        request=InvitationWriteSerializer,
        responses={201: InvitationMadeSerializer},
    )
    def post(self, request: Request) -> Response:
        body = InvitationWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        invitation, link = invitations.invite(
            organization=_organization(request),
            email=body.validated_data["email"],
            role=body.validated_data["role"],
            by=_holder(request),
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(InvitationSerializer(invitation).data | {"link": link}, status=201)


class InvitationDetail(APIView):
    """One open invitation."""

    required_permission = PEOPLE_RIGHTS

    @extend_schema(operation_id="invitations_withdraw", responses={204: None})
    def delete(self, request: Request, invitation_id: int) -> Response:
        invitations.withdraw_invitation(
            organization=_organization(request),
            invitation_id=invitation_id,
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(status=204)


class TokenList(IdempotentPostMixin, generics.ListAPIView[ApiToken]):
    """The API tokens of the organization; their secrets are never shown again."""

    required_permission = TOKEN_RIGHTS
    serializer_class = TokenSerializer
    queryset = ApiToken.objects.none()

    def get_queryset(self) -> QuerySet[ApiToken]:
        return queries.tokens_of(_organization(self.request))

    @extend_schema(operation_id="tokens_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="tokens_create",
        request=TokenWriteSerializer,
        responses={201: TokenMadeSerializer},
    )
    def post(self, request: Request) -> Response:
        body = TokenWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        token, text = operations.create_token(
            organization=_organization(request),
            new=operations.NewToken(**body.validated_data),
            by=_holder(request),
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(TokenSerializer(token).data | {"token": text}, status=201)


class TokenDetail(APIView):
    """One API token."""

    required_permission = TOKEN_RIGHTS

    @extend_schema(operation_id="tokens_revoke", responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        operations.revoke_token(
            organization=_organization(request),
            public_id=public_id,
            by=_holder(request),
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(status=204)


class AuditList(generics.ListAPIView[AuditEntry]):
    """Who changed what, when and from where; newest first."""

    required_permission = "audit.view"
    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.none()

    def get_queryset(self) -> QuerySet[AuditEntry]:
        query = AuditQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return queries.audit_entries(query.wanted())

    @extend_schema(operation_id="audit_list", parameters=[AuditQuerySerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


def _organization(request: Any) -> Organization:
    found: Organization = request.organization
    return found


def _holder(request: Any) -> ApiToken:
    token: ApiToken = request.auth
    return token

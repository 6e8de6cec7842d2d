"""SDK keys for programs: parse, one call, answer."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.audit import Actor
from core.idempotency import IdempotentPostMixin
from core.tenancy import OrganizationRequest
from sdk_keys import operations
from sdk_keys.models import SdkKey
from sdk_keys.queries import KeyFilter, find_keys
from sdk_keys.serializers import (
    IssuedKeySerializer,
    KeyQuerySerializer,
    KeySerializer,
    KeyWriteSerializer,
    RevocationSerializer,
    RotationSerializer,
)
from streams.models import Client
from tenants.models import Organization

RIGHTS = {
    "GET": "keys.view",
    "HEAD": "keys.view",
    "OPTIONS": "keys.view",
    "POST": "keys.change",
}


class KeyList(generics.ListAPIView[SdkKey]):
    """Every SDK key of the organization."""

    required_permission = RIGHTS
    serializer_class = KeySerializer
    queryset = SdkKey.objects.none()

    def get_queryset(self) -> QuerySet[SdkKey]:
        query = KeyQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return find_keys(organization_of(self.request), query.wanted(), timezone.now())

    @extend_schema(operation_id="keys_list", parameters=[KeyQuerySerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class ClientKeyList(IdempotentPostMixin, generics.ListAPIView[SdkKey]):
    """The keys of one client; POST makes one and answers its text, once."""

    required_permission = RIGHTS
    serializer_class = KeySerializer
    queryset = SdkKey.objects.none()

    def get_queryset(self) -> QuerySet[SdkKey]:
        client = get_object_or_404(Client, slug=self.kwargs["slug"])
        wanted = KeyFilter(client=client.slug)
        return find_keys(organization_of(self.request), wanted, timezone.now())

    @extend_schema(operation_id="clients_keys_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="clients_keys_create",
        request=KeyWriteSerializer,
        responses={201: IssuedKeySerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        client = get_object_or_404(Client, slug=slug)
        body = KeyWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        issued = operations.create_key(
            organization=organization_of(request),
            client=client,
            fields=body.wanted(),
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(IssuedKeySerializer(issued).data, status=201)


class KeyDetail(APIView):
    """One key."""

    required_permission = RIGHTS

    @extend_schema(operation_id="keys_get", responses=KeySerializer)
    def get(self, request: Request, public_id: str) -> Response:
        return Response(KeySerializer(_key(request, public_id)).data)


class KeyRotation(IdempotentPostMixin, APIView):
    """Make a successor of a key and end the old one after an overlap."""

    required_permission = "keys.change"

    @extend_schema(
        operation_id="keys_rotate", request=RotationSerializer, responses={201: IssuedKeySerializer}
    )
    def post(self, request: Request, public_id: str) -> Response:
        key = _key(request, public_id)
        body = RotationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        issued = operations.rotate_key(
            key=key,
            overlap=body.validated_data["overlap"],
            expires_at=body.validated_data.get("expires_at"),
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(IssuedKeySerializer(issued).data, status=201)


class KeyRevocation(IdempotentPostMixin, APIView):
    """Refuse a key from now on and close its sockets; doing it twice changes nothing."""

    required_permission = "keys.change"

    @extend_schema(
        operation_id="keys_revoke", request=RevocationSerializer, responses=KeySerializer
    )
    def post(self, request: Request, public_id: str) -> Response:
        key = _key(request, public_id)
        body = RevocationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        key = operations.revoke_key(
            key=key,
            actor=Actor.of(request),
            at=timezone.now(),
            comment=body.validated_data.get("comment", ""),
        )
        return Response(KeySerializer(key).data)


def organization_of(request: Request) -> Organization:
    """Return the organization in whose address the request came; permissions have checked it."""
    return cast(OrganizationRequest, request._request).organization


def _key(request: Request, public_id: str) -> SdkKey:
    return get_object_or_404(SdkKey, organization=organization_of(request), public_id=public_id)

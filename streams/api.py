"""Streams and clients for programs: parse, one call, answer."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.audit import Actor
from core.idempotency import IdempotentPostMixin
from streams import client_operations, operations
from streams.models import Client, Stream, Transition
from streams.preconditions import based_on, etag
from streams.queries import find_clients, find_streams
from streams.serializers import (
    ClientCreateSerializer,
    ClientQuerySerializer,
    ClientSerializer,
    ClientWriteSerializer,
    StreamQuerySerializer,
    StreamSerializer,
    StreamWriteSerializer,
    TransitionSerializer,
    TransitionWriteSerializer,
)
from streams.validation import ClientFields, StreamFields

STREAM_RIGHTS = {
    "GET": "streams.view",
    "HEAD": "streams.view",
    "OPTIONS": "streams.view",
    "POST": "streams.change",
    "PATCH": "streams.change",
}
CLIENT_RIGHTS = {
    method: right.replace("streams", "clients") for method, right in STREAM_RIGHTS.items()
}
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description='`"<version>"` as it was read, or `*`. Missing: 428. Out of date: 412.',
)


class StreamList(IdempotentPostMixin, generics.ListAPIView[Stream]):
    """The streams of the organization."""

    required_permission = STREAM_RIGHTS
    serializer_class = StreamSerializer
    queryset = Stream.objects.none()

    def get_queryset(self) -> QuerySet[Stream]:
        query = StreamQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return find_streams(query.wanted())

    @extend_schema(operation_id="streams_list", parameters=[StreamQuerySerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="streams_create",
        request=StreamWriteSerializer,
        responses={201: StreamSerializer},
    )
    def post(self, request: Request) -> Response:
        body = StreamWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        stream = operations.create_stream(
            fields=body.fields_over(), actor=Actor.of(request), at=timezone.now()
        )
        return Response(StreamSerializer(stream).data, status=201, headers=etag(stream.version))


class StreamDetail(APIView):
    """One stream."""

    required_permission = STREAM_RIGHTS

    @extend_schema(operation_id="streams_get", responses=StreamSerializer)
    def get(self, request: Request, slug: str) -> Response:
        stream = get_object_or_404(Stream, slug=slug)
        return Response(StreamSerializer(stream).data, headers=etag(stream.version))

    @extend_schema(
        operation_id="streams_update",
        request=StreamWriteSerializer(partial=True),
        responses=StreamSerializer,
        parameters=[IF_MATCH],
    )
    def patch(self, request: Request, slug: str) -> Response:
        stream = get_object_or_404(Stream, slug=slug)
        body = StreamWriteSerializer(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        stream = operations.update_stream(
            stream=stream,
            fields=body.fields_over(StreamFields.of(stream)),
            based_on=based_on(request) or stream.version,
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(StreamSerializer(stream).data, headers=etag(stream.version))


class StreamTransitions(IdempotentPostMixin, generics.ListAPIView[Transition]):
    """How a stream went from state to state; POST takes it one step further."""

    required_permission = STREAM_RIGHTS
    serializer_class = TransitionSerializer
    queryset = Transition.objects.none()

    def get_queryset(self) -> QuerySet[Transition]:
        return get_object_or_404(Stream, slug=self.kwargs["slug"]).transitions.all()

    @extend_schema(operation_id="streams_transitions_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="streams_transitions_create",
        request=TransitionWriteSerializer,
        responses={201: StreamSerializer},
        description="An illegal step answers 409 `illegal-transition` with `allowed`.",
    )
    def post(self, request: Request, slug: str) -> Response:
        stream = get_object_or_404(Stream, slug=slug)
        body = TransitionWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        stream = operations.transition_stream(
            stream=stream, **body.validated_data, actor=Actor.of(request), at=timezone.now()
        )
        return Response(StreamSerializer(stream).data, status=201, headers=etag(stream.version))


class ClientList(IdempotentPostMixin, generics.ListAPIView[Client]):
    """The clients of the organization: its SDK applications."""

    required_permission = CLIENT_RIGHTS
    serializer_class = ClientSerializer
    queryset = Client.objects.none()

    def get_queryset(self) -> QuerySet[Client]:
        query = ClientQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return find_clients(query.wanted())

    @extend_schema(operation_id="clients_list", parameters=[ClientQuerySerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="clients_create",
        request=ClientCreateSerializer,
        responses={201: ClientSerializer},
    )
    def post(self, request: Request) -> Response:
        body = ClientCreateSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        client = client_operations.create_client(
            fields=body.fields_over(),
            slug=body.validated_data["slug"],
            platform=body.validated_data["platform"],
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(ClientSerializer(client).data, status=201, headers=etag(client.version))


class ClientDetail(APIView):
    """One client."""

    required_permission = CLIENT_RIGHTS

    @extend_schema(operation_id="clients_get", responses=ClientSerializer)
    def get(self, request: Request, slug: str) -> Response:
        client = get_object_or_404(Client, slug=slug)
        return Response(ClientSerializer(client).data, headers=etag(client.version))

    @extend_schema(
        operation_id="clients_update",
        request=ClientWriteSerializer(partial=True),
        responses=ClientSerializer,
        parameters=[IF_MATCH],
    )
    def patch(self, request: Request, slug: str) -> Response:
        client = get_object_or_404(Client, slug=slug)
        body = ClientWriteSerializer(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        client = client_operations.update_client(
            client=client,
            fields=body.fields_over(ClientFields.of(client)),
            based_on=based_on(request) or client.version,
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(ClientSerializer(client).data, headers=etag(client.version))


class ClientStatus(IdempotentPostMixin, APIView):
    """Disable, enable, archive or restore a client; doing it twice changes nothing."""

    required_permission = "clients.change"
    verb = ""
    operations = {
        "disable": client_operations.disable_client,
        "enable": client_operations.enable_client,
        "archive": client_operations.archive_client,
        "restore": client_operations.restore_client,
    }

    @extend_schema(request=None, responses=ClientSerializer)
    def post(self, request: Request, slug: str) -> Response:
        client = self.operations[self.verb](
            client=get_object_or_404(Client, slug=slug),
            actor=Actor.of(request),
            at=timezone.now(),
        )
        return Response(ClientSerializer(client).data, headers=etag(client.version))

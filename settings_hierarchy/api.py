"""Settings for programs: parse, one call, answer."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import audit
from core.access import HasRole, may
from core.audit import Actor
from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.models import Change, Override, Row, Scope, ScopedQuerySet
from settings_hierarchy.operations import BasedOn, Written, clear_override, set_override
from settings_hierarchy.queries import (
    changes_lock,
    current_version,
    override_at,
    resolved,
    snapshot,
    snapshot_at,
)
from settings_hierarchy.serializers import (
    CatalogueSerializer,
    ChangeSerializer,
    OverridePlaceSerializer,
    OverrideQuerySerializer,
    OverrideSerializer,
    OverrideWriteSerializer,
    ResolvedQuerySerializer,
    ResolvedSerializer,
    SnapshotQuerySerializer,
    SnapshotSerializer,
    VersionQuerySerializer,
    WrittenSerializer,
    written_as_json,
)
from streams.preconditions import based_on, etag

RIGHTS = {
    "GET": "settings.view",
    "HEAD": "settings.view",
    "OPTIONS": "settings.view",
    "PUT": "settings.change",
    "DELETE": "settings.change",
}
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The organization's config version in quotes, or `*`. Missing: 428. "
    "Out of date: 412 with `changes`, who changed what meanwhile.",
)


class CatalogueView(APIView):
    """Every setting there is."""

    required_permission = "settings.view"

    @extend_schema(operation_id="catalogue_get", responses=CatalogueSerializer)
    def get(self, request: Request) -> Response:
        return Response(CatalogueSerializer(CATALOGUE).data)


class OverrideList(generics.ListAPIView[Override]):
    """The values that levels hold; PUT and DELETE change one."""

    required_permission = RIGHTS
    serializer_class = OverrideSerializer
    queryset = Override.objects.none()

    def get_queryset(self) -> QuerySet[Override]:
        query = OverrideQuerySerializer(data=self.request.query_params.dict())
        query.is_valid(raise_exception=True)
        rows = Override.objects.select_related("stream", "client", "change")
        return narrowed(rows, query)

    @extend_schema(operation_id="overrides_list", parameters=[OverrideQuerySerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        version = current_version()
        answer = self.list(request, *args, **kwargs)
        answer["ETag"] = etag(version)["ETag"]
        return answer

    @extend_schema(
        operation_id="overrides_set",
        request=OverrideWriteSerializer,
        responses=WrittenSerializer,
        parameters=[IF_MATCH],
        description="Refused: 409 `locked-above`, 422 `invalid-value`, `level-not-allowed` or "
        "`not-lockable`, 404 for an unknown setting, stream or client. Setting or releasing a "
        "lock needs the right to lock.",
    )
    def put(self, request: Request) -> Response:
        precondition = exact_basis(request)
        body = OverrideWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent, scope = body.validated_data, body.scope()
        if sent["locked"] is not None and changes_lock(scope, sent["key"], sent["locked"]):
            require_lock_right(request)
        written = set_override(
            scope=scope,
            key=sent["key"],
            value=sent["value"],
            locked=sent["locked"],
            based_on=precondition,
            actor=Actor.of(request),
            at=timezone.now(),
            comment=sent["comment"],
        )
        return written_answer(written, scope, sent["key"])

    @extend_schema(
        operation_id="overrides_clear",
        parameters=[OverridePlaceSerializer, IF_MATCH],
        responses=WrittenSerializer,
        description="Let the level inherit again. Clearing a locked override needs the right "
        "to lock.",
    )
    def delete(self, request: Request) -> Response:
        precondition = exact_basis(request)
        query = OverridePlaceSerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        sent, scope = query.validated_data, query.scope()
        if changes_lock(scope, sent["key"], locked=False):
            require_lock_right(request)
        written = clear_override(
            scope=scope,
            key=sent["key"],
            based_on=precondition,
            actor=Actor.of(request),
            at=timezone.now(),
            comment=sent["comment"],
        )
        return written_answer(written, scope, sent["key"])


class ResolvedView(APIView):
    """Every setting of the organization, a stream, a client, or a client on a stream."""

    required_permission = "settings.view"

    @extend_schema(
        operation_id="resolved_get",
        parameters=[ResolvedQuerySerializer],
        responses=ResolvedSerializer,
    )
    def get(self, request: Request) -> Response:
        query = ResolvedQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        found = resolved(query.scope(), version=query.validated_data.get("version"))
        return Response(ResolvedSerializer(found).data, headers=etag(found.config_version))


class VersionList(generics.ListAPIView[Change]):
    """The organization's config versions, newest first: the history of its settings."""

    required_permission = "settings.view"
    serializer_class = ChangeSerializer
    queryset = Change.objects.none()

    def get_queryset(self) -> QuerySet[Change]:
        query = VersionQuerySerializer(data=self.request.query_params.dict())
        query.is_valid(raise_exception=True)
        rows = narrowed(Change.objects.select_related("stream", "client"), query)
        return rows.filter(version__gt=query.validated_data.get("after", 0))

    @extend_schema(operation_id="versions_list", parameters=[VersionQuerySerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class VersionDetail(APIView):
    """One config version."""

    required_permission = "settings.view"

    @extend_schema(operation_id="versions_get", responses=ChangeSerializer)
    def get(self, request: Request, version: int) -> Response:
        rows = Change.objects.select_related("stream", "client")
        return Response(ChangeSerializer(get_object_or_404(rows, pk=version)).data)


class SnapshotView(APIView):
    """The snapshot that an SDK gets, now or at a past config version."""

    required_permission = "settings.view"

    @extend_schema(
        operation_id="snapshot_get",
        parameters=[SnapshotQuerySerializer],
        responses=SnapshotSerializer,
    )
    def get(self, request: Request) -> Response:
        query = SnapshotQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        scope, version = query.scope(), query.validated_data.get("version")
        assert scope.stream is not None
        assert scope.client is not None
        slug = str(request.organization.slug)  # type: ignore[attr-defined]  # the middleware's
        if version is None:
            found = snapshot(organization=slug, stream=scope.stream, client=scope.client)
        else:
            found = snapshot_at(
                organization=slug, stream=scope.stream, client=scope.client, version=version
            )
        return Response(found, headers=etag(found["version"]))


def narrowed(rows: ScopedQuerySet[Row], query: OverrideQuerySerializer) -> ScopedQuerySet[Row]:
    """Keep the rows that the query names; a stream or client that is not there answers 404."""
    sent, scope = query.validated_data, query.scope()
    rows = rows.below(scope)
    if "level" in sent:
        rows = rows.of_level(sent["level"])
    wanted = {name: sent[name] for name in ("key",) if name in sent}
    return rows.filter(**wanted)


def exact_basis(request: Request) -> BasedOn | None:
    version = based_on(request)
    return None if version is None else BasedOn(version=version, exact=True)


def require_lock_right(request: Request) -> None:
    """Refuse, and record, a change of a lock by a token that may only change values."""
    if not may(cast("HasRole", request.auth), "settings.lock"):
        audit.record_refusal(request, "settings.lock")
        raise PermissionDenied("Your role may not set or release a lock.")


def written_answer(written: Written, scope: Scope, key: str) -> Response:
    row = resolved(scope).setting(key)
    body = written_as_json(written, override_at(scope, key), row)
    return Response(body, headers=etag(written.version))

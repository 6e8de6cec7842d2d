"""Addresses of settings below /api/v1/organizations/<slug>/."""

from __future__ import annotations

from django.urls import path

from settings_hierarchy import api

urlpatterns = [
    path("catalogue", api.CatalogueView.as_view(), name="api-catalogue"),
    path("overrides", api.OverrideList.as_view(), name="api-overrides"),
    path("resolved", api.ResolvedView.as_view(), name="api-resolved"),
    path("snapshot", api.SnapshotView.as_view(), name="api-snapshot"),
    path("versions", api.VersionList.as_view(), name="api-versions"),
    path("versions/<int:version>", api.VersionDetail.as_view(), name="api-version"),
]

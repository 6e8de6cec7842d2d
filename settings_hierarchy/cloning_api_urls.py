"""Address that clones a stream, below /api/v1/organizations/<slug>/."""

from __future__ import annotations

from django.urls import path

from settings_hierarchy import cloning_views

urlpatterns = [
    path("streams/<slug:slug>/clone", cloning_views.StreamClone.as_view(), name="api-stream-clone"),
]

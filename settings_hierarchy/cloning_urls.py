"""Address of the page that clones a stream, below /o/<slug>/."""

from __future__ import annotations

from django.urls import path

from settings_hierarchy import cloning_views

app_name = "cloning"

urlpatterns = [
    path("streams/<slug:slug>/clone/", cloning_views.stream_clone, name="stream"),
]

"""Address of the demo viewer."""

from __future__ import annotations

from django.urls import path

from live import demo

urlpatterns = [
    path("demo/<slug:org_slug>/<slug:stream_slug>/", demo.viewer, name="demo"),
]

"""Charts and figures of one organization."""

from __future__ import annotations

from django.urls import path

from analytics import views

app_name = "analytics"

urlpatterns = [
    path(
        "o/<slug:organization>/analytics/streams/<slug:stream>/chart/",
        views.stream_chart,
        name="stream_chart",
    ),
]

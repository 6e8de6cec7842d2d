"""Which address leads where? Organization pages under /o/<slug>/, the API under /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from core.patterns import patterns

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("tenants.urls")),
    path("", include("analytics.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("_patterns/", patterns, name="patterns"),
    path("api/v1/organizations/<slug:organization>/", include("tenants.api_urls")),
    path("api/v1/organizations/<slug:organization>/", include("streams.api_urls")),
    path("api/v1/organizations/<slug:organization>/", include("sdk_keys.api_urls")),
]

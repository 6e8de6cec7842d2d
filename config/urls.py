"""Which address leads where? Organization pages under /o/<slug>/, the API under /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from core.access import public
from core.patterns import patterns

ORGANIZATION = "o/<slug:organization>/"
ORGANIZATION_API = "api/v1/organizations/<slug:organization>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("tenants.urls")),
    path(ORGANIZATION, include("streams.urls")),
    path(ORGANIZATION, include("settings_hierarchy.urls")),
    path("", include("analytics.urls")),
    path(ORGANIZATION, include("live.urls")),
    path("", include("live.demo_urls")),
    path("accounts/", include("allauth.account.urls")),
    path("_patterns/", patterns, name="patterns"),
    path(ORGANIZATION_API, include("tenants.api_urls")),
    path(ORGANIZATION_API, include("streams.api_urls")),
    path("api/v1/organizations/<slug:organization>/", include("settings_hierarchy.api_urls")),
    path(ORGANIZATION_API, include("sdk_keys.api_urls")),
    path("api/schema/", public(SpectacularAPIView.as_view()), name="api-schema"),
    path(
        "api/docs/",
        public(SpectacularSwaggerSplitView.as_view(url_name="api-schema")),
        name="api-docs",
    ),
    path("o/<slug:organization>/", include("sdk_keys.urls")),
    path("o/<slug:organization>/", include("settings_hierarchy.cloning_urls")),
    path(
        "api/v1/organizations/<slug:organization>/",
        include("settings_hierarchy.cloning_api_urls"),
    ),
]

handler400 = "core.error_pages.bad_request"
handler403 = "core.error_pages.forbidden"
handler404 = "core.error_pages.not_found"
handler500 = "core.error_pages.server_error"

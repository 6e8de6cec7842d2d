"""Addresses of the settings pages, below /o/<slug>/."""

from __future__ import annotations

from django.urls import URLPattern, path

from settings_hierarchy import views

app_name = "settings_hierarchy"


def _scope_urls(name: str, prefix: str) -> list[URLPattern]:
    """Return the three addresses of one level: all settings, one setting, its change."""
    base = f"{prefix}settings/"
    return [
        path(base, views.settings_page, name=name),
        path(f"{base}<str:key>/", views.setting_page, name=f"{name}_setting"),
        path(f"{base}<str:key>/change/", views.setting_change_page, name=f"{name}_change"),
    ]


urlpatterns = [
    path("settings/undo/<int:version>/", views.undo, name="undo"),
    *_scope_urls("organization", ""),
    *_scope_urls("stream", "streams/<slug:stream>/"),
    *_scope_urls("client", "clients/<slug:client>/"),
    *_scope_urls("client_on_stream", "streams/<slug:stream>/clients/<slug:client>/"),
]

"""Addresses of streams and clients below /api/v1/organizations/<slug>/."""

from __future__ import annotations

from django.urls import path

from streams import api

urlpatterns = [
    path("streams", api.StreamList.as_view(), name="api-streams"),
    path("streams/<slug:slug>", api.StreamDetail.as_view(), name="api-stream"),
    path(
        "streams/<slug:slug>/transitions",
        api.StreamTransitions.as_view(),
        name="api-stream-transitions",
    ),
    path("clients", api.ClientList.as_view(), name="api-clients"),
    path("clients/<slug:slug>", api.ClientDetail.as_view(), name="api-client"),
    path(
        "clients/<slug:slug>/disable",
        api.ClientStatus.as_view(verb="disable"),
        name="api-client-disable",
    ),
    path(
        "clients/<slug:slug>/enable",
        api.ClientStatus.as_view(verb="enable"),
        name="api-client-enable",
    ),
    path(
        "clients/<slug:slug>/archive",
        api.ClientStatus.as_view(verb="archive"),
        name="api-client-archive",
    ),
    path(
        "clients/<slug:slug>/restore",
        api.ClientStatus.as_view(verb="restore"),
        name="api-client-restore",
    ),
]

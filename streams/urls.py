"""Addresses of the pages about streams and clients, below /o/<slug>/."""

from __future__ import annotations

from django.urls import path

from streams import client_views, views

app_name = "streams"

urlpatterns = [
    path("streams/", views.stream_list, name="list"),
    path("streams/new/", views.stream_new, name="create"),
    path("streams/archive/", views.stream_archive, name="archive"),
    path("streams/restore/", views.stream_restore, name="restore"),
    path("streams/live-and-soon/", views.home_live, name="home_live"),
    path("streams/attention/", views.home_attention, name="home_attention"),
    path("streams/search/", views.palette, name="palette"),
    path("streams/<slug:slug>/", views.stream_detail, name="detail"),
    path("streams/<slug:slug>/edit/", views.stream_edit, name="edit"),
    path("streams/<slug:slug>/transitions/<slug:to>/", views.stream_transition, name="transition"),
    path("clients/", client_views.client_list, name="client_list"),
    path("clients/new/", client_views.client_new, name="client_create"),
    path("clients/<slug:slug>/", client_views.client_detail, name="client_detail"),
    path("clients/<slug:slug>/edit/", client_views.client_edit, name="client_edit"),
    path(
        "clients/<slug:slug>/status/<slug:verb>/", client_views.client_status, name="client_status"
    ),
]

"""Addresses of the pages about SDK keys, below /o/<slug>/."""

from __future__ import annotations

from django.urls import path

from sdk_keys import views

app_name = "sdk_keys"

urlpatterns = [
    path("keys/", views.key_list, name="list"),
    path("keys/attention/", views.home_attention, name="home_attention"),
    path("keys/tallies/", views.tallies, name="tallies"),
    path("keys/<slug:public_id>/rotate/", views.key_rotate, name="rotate"),
    path("keys/<slug:public_id>/revoke/", views.key_revoke, name="revoke"),
    path("clients/<slug:slug>/keys/", views.client_keys, name="of_client"),
    path("clients/<slug:slug>/keys/new/", views.key_create, name="create"),
]

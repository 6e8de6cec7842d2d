"""Addresses of SDK keys below /api/v1/organizations/<slug>/."""

from __future__ import annotations

from django.urls import path

from sdk_keys import api

urlpatterns = [
    path("keys", api.KeyList.as_view(), name="api-keys"),
    path("keys/<slug:public_id>", api.KeyDetail.as_view(), name="api-key"),
    path("keys/<slug:public_id>/rotate", api.KeyRotation.as_view(), name="api-key-rotate"),
    path("keys/<slug:public_id>/revoke", api.KeyRevocation.as_view(), name="api-key-revoke"),
    path("clients/<slug:slug>/keys", api.ClientKeyList.as_view(), name="api-client-keys"),
]

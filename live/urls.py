"""Fragments under an organization's pages."""

from __future__ import annotations

from django.urls import path

from live import views

app_name = "live"

urlpatterns = [
    path("live/home/", views.home_connected, name="home_connected"),
    path("live/connected/", views.connected, name="connected"),
    path("live/connected/<slug:stream>/", views.connected, name="connected"),
    path("live/delivery/", views.delivery, name="delivery"),
    path("live/delivery/<slug:stream>/", views.delivery, name="delivery"),
    path("live/reach/", views.reach, name="reach"),
]

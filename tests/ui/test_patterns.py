"""The pattern page shows the kit, only where somebody develops."""

from __future__ import annotations

from django.urls import reverse


def test_shows_every_component(client, settings):
    settings.DEBUG = True

    response = client.get(reverse("patterns"))

    assert response.status_code == 200
    assert b"412 of 415 applied" in response.content
    assert b'aria-sort="descending"' in response.content


def test_does_not_exist_outside_development(client, settings):
    settings.DEBUG = False

    assert client.get(reverse("patterns")).status_code == 404

"""Every refusal has a page that says what happened and the way back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.views import defaults

from core.errors import DomainError

ORGANIZATION = SimpleNamespace(
    name="Acme <Sports>", slug="acme", progress_pct=62, progress_note="Copying tables"
)


@pytest.mark.parametrize(
    ("view", "status"),
    [
        (defaults.bad_request, 400),
        (defaults.permission_denied, 403),
        (defaults.page_not_found, 404),
    ],
)
def test_a_refusal_offers_the_way_back(view, status):
    response = view(RequestFactory().get("/o/acme/"), Exception())

    assert response.status_code == status
    assert b"Back to the start" in response.content


def test_a_fault_of_ours_needs_neither_request_nor_context():
    response = defaults.server_error(RequestFactory().get("/"))

    assert response.status_code == 500
    assert b"Something went wrong on our side" in response.content


@pytest.mark.parametrize("name", ["suspended", "provisioning"])
def test_an_organization_that_is_not_ready_is_named_and_escaped(name):
    html = render_to_string(f"errors/{name}.html", {"organization": ORGANIZATION})

    assert "Acme &lt;Sports&gt;" in html


def test_provisioning_shows_progress_and_follows_it():
    html = render_to_string("errors/provisioning.html", {"organization": ORGANIZATION})

    assert "data-wait" in html
    assert 'value="62"' in html


@pytest.mark.parametrize(("method", "waits"), [("get", True), ("post", False)])
def test_storage_away_is_tried_again_only_for_a_page(method, waits):
    request = getattr(RequestFactory(), method)("/")

    assert ("data-wait" in render_to_string("errors/503.html", {}, request)) is waits


def test_a_refusal_says_its_reason():
    html = render_to_string("errors/refused.html", {"error": DomainError("An ended stream stays.")})

    assert "An ended stream stays." in html

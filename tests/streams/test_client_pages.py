"""The pages of clients."""

from __future__ import annotations

import pytest

from core.tenancy import organization_context
from streams.models import Client
from tests.counting import at_most
from tests.factories import make_client

LIST = "/o/acme/clients/"


def text(response):
    return response.content.decode()


def only(acme):
    with organization_context(acme.schema_name):
        return Client.objects.get()


def test_list_shows_platforms_in_few_queries(acme, operator, browse):
    for number in range(8):
        make_client(acme, f"app-{number}", platform="ios", bundle_ids=["com.example.app"])
    browser = browse(operator)

    with at_most(6):
        page = text(browser.get(LIST))

    assert page.count("com.example.app") == 8
    assert "client=app-0&amp;client=app-1" in page


def test_list_filters_by_platform(acme, operator, browse):
    make_client(acme, "web-app")
    make_client(acme, "phone-app", platform="ios")

    part = text(browse(operator, htmx=True).get(f"{LIST}?platform=ios&q=app"))

    assert "phone-app" in part
    assert "web-app" not in part


@pytest.mark.parametrize("query", ["q=%00", "platform=x", "status=x", "page=-1"])
def test_addresses_that_make_no_sense_still_show_the_list(acme, operator, browse, query):
    assert browse(operator).get(f"{LIST}?{query}").status_code == 200


@pytest.mark.parametrize(
    ("platform", "shown", "hidden"),
    [("web", "Origins", "Bundle ids"), ("ios", "Bundle ids", "Origins"), ("x", "Origins", "x")],
)
def test_form_has_the_identifiers_of_the_platform(acme, operator, browse, platform, shown, hidden):
    page = text(browse(operator).get(f"{LIST}new/?platform={platform}&name=Player"))

    assert f">{shown}" in page
    assert f">{hidden}" not in page
    assert 'value="Player"' in page


def test_create_then_edit(acme, operator, browse):
    browser = browse(operator)
    fields = {"name": "Player", "platform": "web", "slug": "player", "origins": "https://e.com\n\n"}

    created = browser.post(f"{LIST}new/", fields)
    assert created.headers["Location"] == f"{LIST}player/"
    assert only(acme).origins == ["https://e.com"]

    changed = browser.post(
        f"{LIST}player/edit/", {"name": "Site", "origins": "https://f.com", "version": "1"}
    )
    assert changed.status_code == 302
    assert (only(acme).name, only(acme).origins) == ("Site", ["https://f.com"])

    stale = browser.post(f"{LIST}player/edit/", {"name": "Mine", "version": "1"})
    assert stale.status_code == 409
    assert "changed" in text(stale)
    assert 'value="Mine"' in text(stale)
    assert only(acme).name == "Site"


def test_bad_origin_is_refused_beside_its_field(acme, operator, browse):
    fields = {"name": "P", "platform": "web", "slug": "p", "origins": "https://*.e.com"}

    answer = browse(operator).post(f"{LIST}new/", fields)

    assert answer.status_code == 422
    assert "wildcards are not supported" in text(answer)
    assert "https://*.e.com" in text(answer)


def test_status_changes_offer_undo(acme, operator, browse):
    make_client(acme, "web")

    page = browse(operator).post(f"{LIST}web/status/disable/", follow=True)

    assert not only(acme).is_enabled
    assert f"{LIST}web/status/enable/" in text(page)
    assert browse(operator).post(f"{LIST}web/status/explode/").status_code == 404


def test_archived_client_refuses_to_be_enabled(acme, operator, browse):
    browser = browse(operator)
    make_client(acme, "web")
    browser.post(f"{LIST}web/status/archive/")

    assert browser.post(f"{LIST}web/status/enable/").status_code == 409
    assert "Restore" in text(browser.get(f"{LIST}web/"))


def test_viewer_sees_no_keys(acme, viewer, browse):
    make_client(acme, "web")

    page = text(browse(viewer).get(f"{LIST}web/"))

    assert f"{LIST}web/keys/" not in page

"""The first thing a newcomer does: change a setting and watch an SDK apply it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import sign_in, take_screenshot

pytestmark = [pytest.mark.browser, pytest.mark.product]

POLL_MS = 6_000  # the chart asks again every 5 s and must not fall back
KEY = "overlays.games.enabled"
EVERYBODY = re.compile(r"\b([1-9][\d,]*) of \1 applied")


@pytest.fixture
def viewer(gantry_instance, window):
    """The demo viewer on the live stream, connected."""
    opened = window()
    path = f"/demo/{gantry_instance.organization['slug']}/{gantry_instance.live_stream}/"
    opened.page.goto(gantry_instance.base_url + path)
    expect(opened.page.locator("[data-inspector]")).to_contain_text("Live")
    return opened


@pytest.fixture
def operator(gantry_instance, window):
    """An operator of the same organization, signed in."""
    opened = window()
    sign_in(opened.page, gantry_instance, "operator")
    return opened


def switch(operator, gantry_instance) -> None:
    """Flip the setting of the live stream on its settings page and publish."""
    page = operator.page
    page.goto(f"{gantry_instance.home}streams/{gantry_instance.live_stream}/settings/")
    row = page.locator(".setting", has=page.get_by_text(KEY, exact=True))
    row.get_by_role("switch").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(KEY)
    expect(dialog).to_contain_text("connected SDK")
    dialog.get_by_role("button", name="Publish").click()
    expect(dialog).to_be_hidden()


def test_published_change_reaches_the_viewer_and_is_counted(gantry_instance, viewer, operator):
    stage, inspector = viewer.page.locator("[data-stage]"), viewer.page.locator("[data-inspector]")
    games = stage.get_by_text("Games", exact=True)
    expect(games).to_be_visible()

    switch(operator, gantry_instance)

    expect(games).to_be_hidden()
    expect(inspector).to_contain_text(KEY)
    expect(inspector).to_contain_text("Checked")
    take_screenshot(viewer.page, "journey-viewer-after")

    page = operator.page
    page.goto(f"{gantry_instance.home}streams/{gantry_instance.live_stream}/")
    delivery = page.locator("#delivery-panel")
    expect(delivery).to_contain_text(KEY)
    expect(delivery).to_contain_text(EVERYBODY)
    take_screenshot(page, "journey-stream-after")

    switch(operator, gantry_instance)
    expect(games).to_be_visible()
    assert viewer.check() + operator.check() == []


def test_events_of_viewers_appear_on_the_chart(gantry_instance, viewer, operator):
    page = operator.page
    page.goto(f"{gantry_instance.home}streams/{gantry_instance.live_stream}/")

    audience = page.locator("#stream-audience")
    expect(audience.locator("canvas").first).to_be_visible(timeout=120_000)
    expect(audience).to_contain_text("Ingest lag")
    audience.get_by_role("link", name="60 minutes").click()
    expect(audience.get_by_role("link", name="60 minutes")).to_have_attribute(
        "aria-current", "true"
    )
    audience.get_by_role("link", name="Show as a table").click()
    expect(audience.get_by_role("region", name="Audience by minute")).to_be_visible()
    page.wait_for_timeout(POLL_MS)
    expect(audience.get_by_role("region", name="Audience by minute")).to_be_visible()

    assert operator.check() == []


def test_a_change_below_does_not_reach_another_organization(gantry_instance, window, operator):
    rival = gantry_instance.rival
    opened = window()
    path = f"/demo/{rival['slug']}/{rival['live_stream']}/"
    opened.page.goto(gantry_instance.base_url + path)
    inspector = opened.page.locator("[data-inspector]")
    expect(inspector).to_contain_text("Live")

    switch(operator, gantry_instance)
    switch(operator, gantry_instance)

    expect(inspector).to_contain_text("Change a setting and watch it arrive here.")

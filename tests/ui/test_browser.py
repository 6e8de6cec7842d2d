"""What a person with a keyboard, a narrow window or a screen reader meets, in real Chromium."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.ui.conftest import window

pytestmark = pytest.mark.browser
DIALOGS = ["example-confirm", "example-revoke", "example-review", "keyboard-help"]


@pytest.fixture
def patterns(page, site):
    page.goto(f"{site}/_patterns/")
    return page


def violations(page) -> list[str]:
    # Preloading would make axe write inline styles, which the content security policy refuses.
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def test_axe_finds_nothing_in_either_theme(browser, site, settings, theme, width):
    settings.DEBUG = True
    for page in window(browser, theme, width):
        page.goto(f"{site}/_patterns/")
        page.wait_for_selector(".chart canvas")

        assert violations(page) == []
        for name in DIALOGS:
            page.evaluate("name => document.getElementById(name).showModal()", name)
            assert violations(page) == [], name
            page.evaluate("name => document.getElementById(name).close()", name)


def test_nothing_overflows_at_320_pixels(browser, site, settings):
    settings.DEBUG = True
    for page in window(browser, "light", 320):
        page.goto(f"{site}/_patterns/")

        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_dialog_gives_focus_back(patterns):
    patterns.get_by_role("button", name="Revoke key…").click()
    expect(patterns.get_by_role("dialog")).to_be_visible()

    patterns.keyboard.press("Escape")

    expect(patterns.get_by_role("button", name="Revoke key…")).to_be_focused()


def test_the_name_must_be_typed_before_a_key_is_revoked(patterns):
    patterns.get_by_role("button", name="Revoke key…").click()
    submit = patterns.get_by_role("dialog").get_by_role("button", name="Revoke key")
    expect(submit).to_be_disabled()

    patterns.get_by_role("dialog").get_by_role("textbox").fill("harbour-city-ios")

    expect(submit).to_be_enabled()


def test_the_theme_is_remembered_without_a_flash(patterns):
    patterns.get_by_role("button", name="Theme").click()
    patterns.get_by_role("button", name="Dark").click()

    patterns.reload(wait_until="commit")

    assert patterns.locator("html").get_attribute("data-bs-theme") == "dark"
    assert "gantry_theme=dark" in patterns.evaluate("document.cookie")


def test_keys_work_outside_fields_only(patterns):
    patterns.keyboard.press("/")
    search = patterns.get_by_role("searchbox", name="Search streams")
    expect(search).to_be_focused()

    patterns.keyboard.type("?")

    expect(search).to_have_value("?")
    expect(patterns.get_by_role("dialog")).to_have_count(0)
    search.blur()
    patterns.keyboard.press("?")
    expect(patterns.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_the_bulk_bar_is_there_only_with_a_selection(patterns):
    bar = patterns.locator("[data-bulk]")
    expect(bar).to_be_hidden()

    patterns.get_by_role("checkbox", name="Choose all on this page").check()

    expect(bar).to_contain_text("6 selected")
    patterns.get_by_role("button", name="Clear the selection").click()
    expect(bar).to_be_hidden()


def test_sorting_swaps_the_table_keeps_focus_and_says_the_count(patterns):
    patterns.get_by_role("button", name="SDKs").first.click()
    expect(patterns.locator("#example th[aria-sort=ascending]")).to_have_text("SDKs")
    expect(patterns.get_by_role("button", name="SDKs").first).to_be_focused()
    expect(patterns.locator("#announcer")).to_have_text("240 streams")

    patterns.get_by_role("link", name="Next page").click()

    expect(patterns.locator("#example [aria-current=page]")).to_have_text("Page 2")
    assert patterns.url.endswith("?sort=clients&page=2")
    patterns.go_back()
    expect(patterns.locator("#example [aria-current=page]")).to_have_text("Page 1")


def test_tabs_follow_the_arrows(patterns):
    patterns.get_by_role("tab", name="JavaScript").focus()

    patterns.keyboard.press("ArrowRight")

    expect(patterns.get_by_role("tab", name="Python")).to_have_attribute("aria-selected", "true")
    expect(patterns.get_by_role("tabpanel", name="Python")).to_be_visible()
    expect(patterns.get_by_role("tabpanel", name="JavaScript")).to_be_hidden()


def test_a_list_takes_and_loses_entries_by_keyboard(patterns):
    entries = patterns.get_by_role("group", name="Blocked words").get_by_role("textbox")
    entries.nth(1).press("Enter")
    expect(entries).to_have_count(3)

    patterns.keyboard.press("Backspace")

    expect(entries).to_have_count(2)
    expect(entries.nth(1)).to_be_focused()


def test_a_toast_from_the_server_offers_undo_and_goes(patterns):
    patterns.evaluate(
        "htmx.trigger(document.body, 'gantry:toast', {text: 'Stream archived', undo_url: '/undo'})"
    )
    toast = patterns.get_by_role("status").filter(has_text="Stream archived")
    expect(toast.get_by_role("button", name="Undo")).to_be_visible()

    toast.get_by_role("button", name="Dismiss").click()

    expect(toast).to_have_count(0)


def test_a_lost_connection_is_said_and_numbers_are_greyed(patterns):
    patterns.evaluate("dispatchEvent(new Event('offline'))")

    banner = patterns.get_by_role("alert").filter(has_text="Connection lost")
    expect(banner).to_be_visible()
    expect(patterns.locator("#d1 .stale-note")).to_be_visible()
    patterns.evaluate(
        "document.body.dispatchEvent(new CustomEvent('htmx:wsOpen', {bubbles: true}))"
    )
    expect(banner).to_be_hidden()


def test_the_sidebar_is_a_drawer_in_a_narrow_window(browser, site, settings):
    settings.DEBUG = True
    for page in window(browser, "light", 320):
        page.goto(f"{site}/_patterns/")
        drawer = page.get_by_role("complementary", name="Navigation")
        expect(drawer).to_be_hidden()

        page.get_by_role("button", name="Navigation").click()

        expect(drawer).to_be_visible()
        page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()

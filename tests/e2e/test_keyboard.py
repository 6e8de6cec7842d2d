"""A person without a mouse gets everywhere and always sees where they are."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.product]

STEPS = 40
FOCUS = """
() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const label = one.closest("label");
  const inLabel = label && getComputedStyle(label).outlineStyle !== "none";
  return {
    what: one.outerHTML.slice(0, 120),
    isBody: one === document.body,
    isShown: box.width > 0 && box.height > 0,
    isRinged: ring || Boolean(inLabel) || style.boxShadow !== "none",
  };
}
"""


@pytest.fixture
def page(gantry_instance, window):
    opened = window()
    sign_in(opened.page, gantry_instance, "operator")
    yield opened.page
    assert opened.check() == []


def test_first_tab_offers_to_skip_to_the_content(page):
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()

    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


@pytest.mark.parametrize("path", ["", "streams/", "settings/", "clients/"])
def test_focus_is_always_visible(gantry_instance, page, path):
    page.goto(gantry_instance.home + path)
    lost = []

    before = ""
    for _ in range(STEPS):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus["isBody"]:
            break
        # The browser draws its own ring on the parts of a date field, one Tab after another.
        if focus["what"] != before and not (focus["isShown"] and focus["isRinged"]):
            lost.append(focus["what"])
        before = focus["what"]

    assert lost == []


def test_letters_lead_to_pages(page):
    page.keyboard.press("g")
    page.keyboard.press("s")

    page.wait_for_url(re.compile(r"/streams/$"))


def test_slash_goes_to_the_search(gantry_instance, page):
    page.goto(f"{gantry_instance.home}streams/")
    page.keyboard.press("/")

    expect(page.get_by_role("searchbox", name="Search title, slug or tag")).to_be_focused()


def test_question_mark_lists_the_keys_and_escape_closes(page):
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_be_hidden()


def test_palette_finds_a_stream(gantry_instance, page):
    page.keyboard.press("Control+k")
    word = gantry_instance.live_stream.split("-")[0]
    page.keyboard.type(word)
    first = page.locator("[data-palette-results] a").first
    expect(first).to_contain_text(re.compile(word, re.IGNORECASE))

    page.keyboard.press("Enter")

    page.wait_for_url(re.compile(r"/streams/"))


def test_setting_is_changed_and_published_by_keyboard_alone(gantry_instance, page):
    page.goto(f"{gantry_instance.home}streams/{gantry_instance.live_stream}/settings/")
    row = page.locator(".setting", has=page.get_by_text("chat.emote_only", exact=True))
    row.get_by_role("switch").focus()

    for _ in range(2):
        page.keyboard.press("Space")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        for _ in range(STEPS):
            page.keyboard.press("Tab")
            if "Publish" in page.evaluate("document.activeElement.textContent"):
                break
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        row.get_by_role("switch").focus()

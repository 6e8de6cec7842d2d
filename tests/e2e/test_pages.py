"""Every page that links lead to: accessible, without errors, in both themes."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from django.urls import Resolver404, resolve

from tests.e2e.conftest import accessibility_faults, open_window, sign_in, take_screenshot

pytestmark = [pytest.mark.browser, pytest.mark.product]

MOST_PAGES = 80
SETTLE_MS = 500
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 320, "height": 900}
# Buttons fade from one theme's colours to the other's.
COLOURS_SETTLED = """
async () => {
  await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
  const fading = document.getAnimations().filter((one) => one instanceof CSSTransition);
  await Promise.allSettled(fading.map((one) => one.finished));
}
"""
# Nothing to look at: files, documents of other tools, and the way out.
NOT_PAGES = {"account_logout", "api-schema", "api-docs", "tenants:audit_export"}
# What stands out of a window that therefore scrolls sideways; charts follow a moment later.
OUTSIDE_THE_WINDOW = """
async () => {
  const root = document.documentElement;
  for (let tries = 0; tries < 20 && root.scrollWidth > root.clientWidth; tries += 1)
    await new Promise((next) => setTimeout(next, 100));
  if (root.scrollWidth <= root.clientWidth) return [];
  return [...document.body.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > root.clientWidth + 1)
    .map((one) => one.outerHTML.slice(0, 120));
}
"""
EXPECTED = {
    "tenants:home",
    "tenants:people",
    "tenants:audit",
    "tenants:profile",
    "streams:list",
    "streams:detail",
    "streams:edit",
    "streams:create",
    "streams:client_list",
    "streams:client_detail",
    "demo",
}
OUTSIDE = {
    "login": "/accounts/login/",
    "password-reset": "/accounts/password/reset/",
    "not-found": "/o/nowhere/",
}


def name_of(url: str, base_url: str) -> str:
    """Return the name of the page behind an address of ours, "" for anything else."""
    if not url.startswith(base_url):
        return ""
    try:
        match = resolve(urlsplit(url).path)
    except Resolver404:
        return ""
    return "" if match.view_name in NOT_PAGES else match.view_name


def links_of(page) -> list[str]:
    links = page.eval_on_selector_all("a[href]", "all => all.map((one) => one.href)")
    return [link.split("#")[0] for link in links]


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What was seen on one page."""

    url: str
    status: int
    faults: list[str]
    outside: list[str]


@pytest.fixture(scope="module")
def visits(gantry_instance, chromium) -> dict[str, Visit]:
    """An owner's walk: one visit to each page that is reached by following links."""
    opened = open_window(chromium)
    sign_in(opened.page, gantry_instance, "owner")
    found: dict[str, Visit] = {}
    # The stream with an audience before the others, so that its charts are drawn.
    waiting = [
        gantry_instance.home,
        f"{gantry_instance.home}streams/{gantry_instance.live_stream}/",
    ]
    while waiting and len(found) < MOST_PAGES:
        url = waiting.pop(0)
        name = name_of(url, gantry_instance.base_url)
        if name and name not in found:
            found[name] = visit(opened, name, url)
            waiting += links_of(opened.page)
    opened.page.context.close()
    return found


def visit(opened, name: str, url: str) -> Visit:
    opened.page.set_viewport_size(WIDE)
    answer = opened.page.goto(url)
    opened.page.wait_for_timeout(SETTLE_MS)
    faults = faults_on(opened, name)
    opened.page.set_viewport_size(NARROW)
    outside = opened.page.evaluate(OUTSIDE_THE_WINDOW)
    status = answer.status if answer else 0
    return Visit(url=url, status=status, faults=faults, outside=outside)


def faults_on(opened, name: str) -> list[str]:
    """Look at the open page in both themes and return what is wrong with it."""
    found = []
    for theme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=theme)
        opened.page.evaluate(COLOURS_SETTLED)
        found += [f"{name} {theme}: {fault}" for fault in accessibility_faults(opened.page)]
        take_screenshot(opened.page, f"{name.replace(':', '-')}-{theme}")
    return found + [f"{name}: {fault}" for fault in opened.check()]


def test_links_lead_to_every_page_of_the_product(visits):
    assert visits.keys() >= EXPECTED


def test_no_link_is_broken(visits):
    assert {name: seen.url for name, seen in visits.items() if seen.status != 200} == {}


def test_every_page_is_accessible_and_without_errors_in_both_themes(visits):
    found = [fault for seen in visits.values() for fault in seen.faults]

    assert not found, "\n".join(found)


def test_no_page_overflows_a_narrow_window(visits):
    assert {name: seen.outside for name, seen in visits.items() if seen.outside} == {}


def test_pages_outside_an_organization_are_accessible_and_without_errors(gantry_instance, window):
    opened = window()
    found = []

    for name, path in OUTSIDE.items():
        opened.page.goto(gantry_instance.base_url + path)
        faults = faults_on(opened, name)
        found += [fault for fault in faults if "the server responded with a status" not in fault]

    assert not found, "\n".join(found)

"""Every page that links lead to: accessible, without errors, in both themes."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.urls import Resolver404, resolve

from tests.e2e.conftest import accessibility_faults, sign_in, take_screenshot

pytestmark = [pytest.mark.browser, pytest.mark.product]

MOST_PAGES = 80
SETTLE_MS = 500
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


@pytest.fixture(scope="module")
def addresses(gantry_instance, chromium) -> dict[str, str]:
    """One address for each page that an owner reaches by following links."""
    page = chromium.new_context(locale="en-GB").new_page()
    sign_in(page, gantry_instance, "owner")
    found: dict[str, str] = {}
    waiting = [gantry_instance.home]
    while waiting and len(found) < MOST_PAGES:
        url = waiting.pop(0)
        name = name_of(url, gantry_instance.base_url)
        if not name or name in found:
            continue
        found[name] = url
        answer = page.goto(url)
        if answer is not None and "text/html" in answer.headers.get("content-type", ""):
            waiting += links_of(page)
    page.context.close()
    return found


def faults_on(window, name: str) -> list[str]:
    """Look at the open page in both themes and return what is wrong with it."""
    found = []
    for theme in ("light", "dark"):
        window.page.emulate_media(color_scheme=theme)
        window.page.evaluate(COLOURS_SETTLED)
        found += [f"{name} {theme}: {fault}" for fault in accessibility_faults(window.page)]
        take_screenshot(window.page, f"{name.replace(':', '-')}-{theme}")
    return found + [f"{name}: {fault}" for fault in window.check()]


def test_links_lead_to_every_page_of_the_product(addresses):
    assert addresses.keys() >= EXPECTED


def test_every_page_is_accessible_and_without_errors(gantry_instance, window, addresses):
    opened = window()
    sign_in(opened.page, gantry_instance, "owner")
    found = []

    for name, url in addresses.items():
        answer = opened.page.goto(url)
        opened.page.wait_for_timeout(SETTLE_MS)
        if answer is None or answer.status != 200:
            found.append(f"{name}: {answer and answer.status} {url}")
        found += faults_on(opened, name)

    assert not found, "\n".join(found)


def test_pages_outside_an_organization_are_accessible_and_without_errors(gantry_instance, window):
    opened = window()
    found = []

    for name, path in OUTSIDE.items():
        opened.page.goto(gantry_instance.base_url + path)
        faults = faults_on(opened, name)
        found += [fault for fault in faults if "the server responded with a status" not in fault]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [320])
def test_no_page_overflows_a_narrow_window(gantry_instance, window, addresses, width):
    opened = window(width=width)
    sign_in(opened.page, gantry_instance, "owner")
    wide = {}

    for name, url in addresses.items():
        opened.page.goto(url)
        needed = opened.page.evaluate("document.documentElement.scrollWidth")
        if needed > width:
            wide[name] = needed

    assert wide == {}

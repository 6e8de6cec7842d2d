"""No page runs or frames what is not ours, and none stays in a cache."""

import pytest


@pytest.mark.parametrize("path", ["/accounts/login/", "/o/acme/", "/api/docs/", "/nowhere/"])
def test_every_page_carries_the_policy(owner, browse, path):
    headers = browse(owner).get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/o/acme/", "/o/acme/tokens/"])
def test_signed_in_pages_are_not_stored(owner, browse, path):
    assert "no-store" in browse(owner).get(path).headers["Cache-Control"]


def test_pages_hold_no_inline_script_or_style(owner, browse):
    page = browse(owner).get("/o/acme/").content.decode()

    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert all('src="' in part[:200] for part in page.split("<script")[1:])

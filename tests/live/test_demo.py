"""The demo viewer: there in the demo, for its own organizations, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.lint import ROOT
from live.showcase import credentials
from tests.factories import make_client, make_stream

VIEWER = "/demo/acme/derby/"
MODULES = sorted((ROOT / "static" / "demo").glob("*.js"))


@pytest.fixture
def demo(acme, settings, tmp_path):
    """A demo whose only organization is acme, with two clients and a stream."""
    settings.DEMO, settings.VAR = True, tmp_path
    make_client(acme, "phone", platform="ios", name="The phone app")
    make_client(acme, "web", name="The <b>web</b> app")
    make_client(acme, "unseeded", platform="web")
    make_stream(acme, "derby", title="Derby <script>", state="live")
    keys = [{"slug": slug, "sdk_key": f"gk_publishable_{slug}_x"} for slug in ("phone", "web")]
    credentials.write([{"slug": "acme", "clients": keys}])


def text(response):
    assert response.status_code == 200
    return response.content.decode()


def test_anybody_watches_as_the_web_client(demo, client):
    page = text(client.get(VIEWER))

    assert 'data-key="gk_publishable_web_x"' in page
    assert 'data-stream="derby"' in page
    assert "unseeded" not in page


def test_another_client_may_be_chosen(demo, client):
    assert 'data-key="gk_publishable_phone_x"' in text(client.get(f"{VIEWER}?client=phone"))
    assert 'data-key="gk_publishable_web_x"' in text(client.get(f"{VIEWER}?client=%00"))


def test_names_are_escaped(demo, client):
    page = text(client.get(VIEWER))

    assert "Derby <script>" not in page
    assert "<b>web</b>" not in page


def test_page_obeys_the_content_security_policy(demo, client):
    page = text(client.get(VIEWER))

    assert not re.search(r"\sstyle=|\son\w+=", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))


@pytest.mark.parametrize("path", ["/demo/rival/derby/", "/demo/nobody/derby/", "/demo/acme/no/"])
def test_what_the_demo_did_not_make_is_not_found(demo, rival, client, path):
    make_stream(rival, "derby")

    assert client.get(path).status_code == 404


def test_outside_the_demo_there_is_no_viewer(demo, settings, client):
    settings.DEMO = False

    assert client.get(VIEWER).status_code == 404


def test_demo_that_was_not_seeded_has_no_viewer(demo, settings, tmp_path, client):
    settings.VAR = tmp_path / "elsewhere"

    assert client.get(VIEWER).status_code == 404


def test_demo_without_clients_has_no_viewer(demo, client):
    credentials.write([{"slug": "acme", "clients": []}])

    assert client.get(VIEWER).status_code == 404


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_module_says_what_it_does_and_parses_no_html(path: Path):
    source = path.read_text()

    assert source.startswith("//")
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write|insertAdjacent", source)

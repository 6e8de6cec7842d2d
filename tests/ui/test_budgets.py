"""Is the front end still small, ours, and free of what the content security policy forbids?"""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import django_htmx
import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory

from core.lint import ROOT
from core.templatetags.gantry import PLATFORM_ICONS

STATIC = ROOT / "static"
HTMX = Path(django_htmx.__file__).parent / "static"
FIRST_LOAD_BYTES = 200_000
JS_FILES = 15
JS_LINES = 60
OWN_CSS = sorted((STATIC / "css").glob("*.css"))
OWN_JS = sorted((STATIC / "js").glob("*.js"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
VENDORED = sorted(
    path for path in (STATIC / "vendor").rglob("*") if path.suffix in {".js", ".css", ".mjs"}
)
COLOUR = re.compile(
    r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\b(?![^;{}]*\{)"
    r"|\b(?:rgba?|hsla?|oklch|oklab|lab|lch|hwb)\("
    r"|:\s*(?:white|black|red|green|blue|gr[ae]y|orange|yellow|purple|transparent)\b",
    re.IGNORECASE,
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def first_load() -> dict[str, int]:
    """Gzipped size of the frame's HTML and of all it asks for; charts come on top."""
    html = render_to_string("base.html", {}, RequestFactory().get("/"))
    assets = set(re.findall(r'(?:src|href)="/static/([^"#]+)', html)) | {"icons.svg"}
    roots = (STATIC, HTMX)
    files = [next(r / name for r in roots if (r / name).exists()) for name in assets]
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in files}
    return sizes | {"html": len(gzip.compress(html.encode()))}


def test_the_first_page_load_stays_in_its_budget():
    sizes = first_load()

    assert "tabler.min.css" in sizes
    assert "htmx-2.min.js" in sizes
    assert sum(sizes.values()) <= FIRST_LOAD_BYTES, sizes


def test_there_are_few_behaviours():
    assert 0 < len(OWN_JS) <= JS_FILES


@pytest.mark.parametrize("path", OWN_JS, ids=name_of)
def test_a_behaviour_is_short_and_safe(path):
    source = path.read_text()

    assert len(source.splitlines()) <= JS_LINES
    assert source.startswith("//"), "its first comment says what it does"
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", source)


@pytest.mark.parametrize("path", VENDORED, ids=name_of)
def test_a_vendored_file_is_the_one_that_was_reviewed(path):
    row = re.search(
        rf"^\| {re.escape(path.relative_to(STATIC / 'vendor').as_posix())} \|.*\| (\w{{64}}) \|$",
        (STATIC / "vendor" / "VERSIONS.md").read_text(),
        re.MULTILINE,
    )

    assert row, "add a row with version, licence and hash to static/vendor/VERSIONS.md"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == row[1]


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_holds_no_inline_style_or_script(path):
    source = path.read_text()

    assert not re.search(r"\sstyle\s*=|<style\b|javascript:|\shx-on[:-]|\shx-vals=.js:", source)
    assert not re.search(r"<[^>]*\son[a-z]+\s*=", source)
    for attributes, body in re.findall(r"<script\b([^>]*)>(.*?)</script>", source, re.DOTALL):
        assert "src=" in attributes
        assert body.strip() == ""


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_says_what_it_needs(path):
    lines = path.read_text().splitlines()

    assert any("{% comment %}" in line for line in lines[:3])


@pytest.mark.parametrize(
    "path",
    [path for path in [*OWN_CSS, *OWN_JS, *TEMPLATES] if path.name != "tokens.css"],
    ids=name_of,
)
def test_colours_are_named_in_tokens_alone(path):
    source = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
    source = source.replace("color-mix(in oklab,", "")

    assert COLOUR.findall(source) == []


def test_the_scan_for_colours_finds_them():
    for bad in ("color: #fff;", "color: RGB(1 2 3);", "background: oklch(50% 0 0)", "color: red"):
        assert COLOUR.search(bad), bad
    for good in (
        "#announcer, .x { color: var(--ink) }",
        "color: var(--live)",
        "#add { margin: 0 }",
    ):
        assert not COLOUR.search(good), good


def test_every_icon_asked_for_is_in_the_sprite():
    symbols = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    asked = set(PLATFORM_ICONS.values())
    for path in TEMPLATES:
        asked |= set(
            re.findall(r"""(?:\{% icon |_icon=|icon_name=)["']([^"']+)""", path.read_text())
        )

    assert asked - symbols == set()


def test_every_component_is_on_the_pattern_page():
    """So that nobody changes one without seeing it in both themes."""
    kit = {path.name for path in (ROOT / "templates" / "components").glob("_*.html")}
    sources = "".join(
        path.read_text()
        for path in TEMPLATES
        if path.parent.name in {"patterns", "components"}
        or path.name in {"patterns.html", "base.html", "_floating.html"}
    )
    tags = (ROOT / "core" / "templatetags" / "gantry.py").read_text()

    assert {name for name in kit if f"components/{name}" not in sources + tags} == set()

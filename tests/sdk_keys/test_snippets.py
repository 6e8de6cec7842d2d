"""What a developer pastes says what the SDKs and the protocol say."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex

import pytest

from core.lint import ROOT
from sdk_keys.models import SdkKey
from sdk_keys.snippets import placeholder, snippets
from sdks.python.gantry_sdk import GantryClient

KEY = "gk_publishable_a1b2c3d4e5f6_" + "s" * 32
SDK_JS = (ROOT / "sdks" / "js" / "gantry.js").read_text()
PROTOCOL = (ROOT / "docs" / "sdk-protocol.md").read_text()


@pytest.fixture
def made() -> dict[str, str]:
    found = snippets(base_url="https://g.example", key=KEY, stream="derby", origin="https://e.com")
    return {snippet.name: snippet.code for snippet in found}


def test_every_snippet_names_the_key_the_server_and_the_stream(made):
    assert list(made) == ["JavaScript", "Python", "curl", "OpenFeature"]
    for code in made.values():
        assert KEY in code
        assert "https://g.example" in code
        assert "derby" in code
        assert "{{" not in code


def test_python_calls_the_client_as_it_is(made):
    tree = ast.parse(made["Python"])

    call = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "GantryClient"
    )
    inspect.signature(GantryClient).bind(
        *call.args, **{keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    )
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {name for name in used if hasattr(GantryClient, name)} == {"on_change", "get"}


@pytest.mark.parametrize("name", ["JavaScript", "OpenFeature"])
def test_javascript_calls_methods_that_exist(made, name):
    assert "export class GantryClient" in SDK_JS
    for method in set(re.findall(r"gantry\.(\w+)\(", made[name])):
        assert re.search(rf"^  (?:async )?{method}\(", SDK_JS, re.MULTILINE), method


def test_curl_sends_what_the_protocol_asks_for(made):
    session, config = (
        shlex.split(line)
        for line in made["curl"].replace("\\\n", " ").splitlines()
        if "curl" in line
    )

    assert "https://g.example/sdk/v1/sessions" in session
    assert f"X-SDK-Key: {KEY}" in session
    assert "Origin: https://e.com" in session
    body = json.loads(session[session.index("-d") + 1])
    assert set(body) == {"stream", "sdk"}
    assert "POST /sdk/v1/sessions" in PROTOCOL
    assert "https://g.example/sdk/v1/config" in config


def test_origin_is_left_out_where_the_client_has_none():
    found = snippets(base_url="https://g.example", key=KEY, stream="derby")

    assert all("Origin" not in snippet.code for snippet in found)


def test_placeholder_shows_the_id_and_no_secret():
    assert placeholder(SdkKey(kind="secret", public_id="abc")) == "gk_secret_abc_<secret>"
    assert placeholder(None) == "gk_publishable_…_<secret>"

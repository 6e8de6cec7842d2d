"""Does a wrong input ever crash a page or the management API? Hostile bodies against every route.

Nothing here lists routes: API routes come from the OpenAPI document, forms from the pages themselves.
Each try runs in a savepoint that is rolled back, so tries do not feed each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from django.db import transaction
from django.test import Client as Browser
from django.urls import URLResolver, get_resolver, resolve
from drf_spectacular.generators import SchemaGenerator

from tests.factories import make_client, make_stream

HUGE = "9" * 400
RAW_BODIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"0",
    b"{",
    b"\xff\xfe",
    b"[" * 5_000 + b"]" * 5_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"name": "a\\u0000b"}',
    b'{"a\\u0000": 1}',
    b'{"name": "\\ud800"}',
    b'{"name": 1, "name": 2}',
    b'{"name": NaN}',
    b'{"name": 1e999}',
    b'{"name": ' + HUGE.encode() + b"}",
    b'{"name": "' + b"x" * 300_000 + b'"}',
]
VALUES: list[object] = [
    None,
    True,
    -1,
    10**17,
    1.5,
    "",
    " ",
    "x" * 5_000,
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "'; DROP TABLE streams_stream; --",
    "%00",
    "\u202e\u0301\U0001f469\u200d\U0001f680",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59+14:00",
    "javascript:alert(1)",
    "http://[::1",
    [],
    ["x"] * 500,
    {"a": {"b": {"c": []}}},
]
QUERIES = ["page", "page_size", "search", "q", "sort", "ordering", "state", "stream", "client"]
QUERY_VALUES = ["", "-1", "0", HUGE, "\x00", "a\x00b", "%", "'", "[", "é" * 300, "x" * 3_000]


@pytest.fixture
def furnished(in_acme):
    """acme with one of each thing, so that routes lead somewhere."""
    return {
        "stream": make_stream(in_acme, "derby").slug,
        "client": make_client(in_acme, "web").slug,
    }


def api_operations() -> list[tuple[str, str, list[str]]]:
    """Return (method, path, names of the body's fields) of every API operation."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if method not in {"parameters", "servers"}:
                found.append((method, path, _fields(schema, operation)))
    return found


def _fields(schema, operation) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("schema", {})
    name = body.get("$ref", "").rpartition("/")[2]
    return list(schema["components"]["schemas"].get(name, body).get("properties", {}))


def _address(path: str, furnished: dict[str, str]) -> str:
    parts = []
    for part in path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            part = (
                "acme" if name == "organization" else furnished.get(name, _first(name, furnished))
            )
        parts.append(part)
    return "/".join(parts)


def _first(name: str, furnished: dict[str, str]) -> str:
    return next((value for key, value in furnished.items() if key in name), "1")


def _try(browser: Browser, method: str, address: str, **request):
    """Send once inside a savepoint that is always rolled back."""
    with transaction.atomic():
        answer = getattr(browser, method)(address, **request)
        transaction.set_rollback(True)
    return answer


def _refused_well(answer, what: str) -> None:
    assert answer.status_code < 500, f"{what}: {answer.status_code} {answer.content[:300]!r}"
    if answer.status_code >= 400:
        assert answer["Content-Type"].startswith("application/problem+json"), what
        body = json.loads(answer.content)
        assert {"type", "title", "status", "detail"} <= body.keys(), what
        assert body["status"] == answer.status_code


def test_no_body_crashes_the_management_api(api, furnished):
    owner = api("owner")
    tries = 0
    for method, path, names in api_operations():
        if method == "get" or not path.startswith("/api/v1/"):
            continue
        address = _address(path, furnished)
        bodies = RAW_BODIES + [json.dumps({name: v}).encode() for name in names for v in VALUES]
        for body in bodies:
            answer = _try(
                owner,
                method,
                address,
                data=body,
                content_type="application/json",
                headers={"If-Match": "*"},
            )
            _refused_well(answer, f"{method} {address} {body[:80]!r}")
            tries += 1

    assert tries > 1_000


def test_no_query_crashes_the_management_api(api, furnished):
    owner = api("owner")
    for method, path, _ in api_operations():
        if method != "get" or not path.startswith("/api/v1/"):
            continue
        for name in QUERIES:
            for value in QUERY_VALUES:
                address = _address(path, furnished)
                answer = _try(owner, "get", address, data={name: value})
                _refused_well(answer, f"{address}?{name}={value[:20]!r}")


@pytest.mark.parametrize(
    "match", ["", "x", '"', '"1', 'W/"1"', HUGE, '"' + HUGE + '"', "*, *", "-1"]
)
def test_no_precondition_crashes_the_management_api(api, furnished, match):
    owner = api("owner")
    body = {"level": "organization", "key": "chat.slow_mode_s", "value": 5}
    answer = owner.put(
        "/api/v1/organizations/acme/overrides",
        data=body,
        content_type="application/json",
        headers={"If-Match": match},
    )

    _refused_well(answer, f"If-Match: {match!r}")
    assert answer.status_code in {400, 412, 428}


INPUTS = {"input", "select", "textarea"}


@dataclass
class Form:
    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class FormReader(HTMLParser):
    """Collects the forms of a page with the names and values a browser would send."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag, attrs) -> None:
        values = dict(attrs)
        if tag == "form":
            self.forms.append(Form(values.get("method", "get"), values.get("action") or ""))
        elif tag in INPUTS and self.forms and values.get("name") != "csrfmiddlewaretoken":
            self.forms[-1].fields[values.get("name") or ""] = values.get("value") or ""


def _pages(furnished: dict[str, str], resolver=None, before: str = "") -> Iterator[str]:
    """Every page of an organization that the URLconf names."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _pages(furnished, pattern, route)
        elif route.startswith("o/<slug:organization>/"):
            yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", partial(_argument, furnished), route)


def _argument(furnished: dict[str, str], match: re.Match[str]) -> str:
    name, before = match[1], match.string[: match.start()]
    known = {"organization": "acme", "key": "chat.slow_mode_s", "to": "live", "verb": "disable"}
    if name == "slug":
        name = "stream" if "streams/" in before else "client"
    return (known | furnished).get(name, "1")


def _new_forms(browser: Browser, page: str, done: set[tuple[object, ...]]) -> Iterator[Form]:
    answer = browser.get(page)
    assert answer.status_code < 500, f"{page}: {answer.status_code}"
    if not answer.get("Content-Type", "").startswith("text/html"):
        return
    reader = FormReader()
    reader.feed(answer.content.decode())
    for form in reader.forms:
        form.action = form.action if form.action.startswith("/") else page
        if not form.action.startswith("/o/"):
            continue
        # One of the hundred forms of a settings page stands for all that one view answers.
        view = resolve(form.action.partition("?")[0]).view_name
        shape = (form.method, view, tuple(form.fields))
        if shape not in done:
            done.add(shape)
            yield form


HOSTILE_TEXTS = ["", "\x00", "a\x00b", "x" * 6_000, HUGE, "-1", "<script>", "NaN", "[[[[", "\ud800"]


def test_no_text_crashes_a_form(browse, owner, furnished):
    browser = browse(owner)
    tries = 0
    done: set[tuple[object, ...]] = set()
    for page in _pages(furnished):
        for form in _new_forms(browser, page, done):
            for data in _hostile(form):
                answer = _submit(browser, form, urlencode(data, errors="surrogatepass"))
                what = f"{form.method} {form.action} {str(data)[:200]!r}"
                assert answer.status_code < 500, f"{what}: {answer.status_code}"
                tries += 1

    assert tries > 300


def _submit(browser: Browser, form: Form, encoded: str):
    if form.method.lower() == "get":
        return _try(browser, "get", f"{form.action.partition('?')[0]}?{encoded}")
    kind = "application/x-www-form-urlencoded"
    return _try(browser, "post", form.action, data=encoded, content_type=kind)


def _hostile(form: Form) -> Iterator[dict[str, str]]:
    """Every field at once with each text, then each field alone with the worst."""
    for text in HOSTILE_TEXTS:
        yield dict.fromkeys(form.fields, text)
    for name in form.fields:
        yield form.fields | {name: "a\x00b\ud800"}

"""The management API of streams and clients."""

from __future__ import annotations

import json

import pytest

from core.tenancy import organization_context
from streams.models import Client, Stream
from tests.counting import at_most
from tests.factories import make_client, make_stream

BASE = "/api/v1/organizations/acme"


def send(browser, method, path, body=None, **headers):
    if method == "get":
        return browser.get(f"{BASE}{path}")
    return getattr(browser, method)(
        f"{BASE}{path}",
        data=json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def problem(response, status, slug):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"/problems/{slug}"
    return body


def bad_fields(response):
    return [row["field"] for row in problem(response, 400, "invalid-body")["errors"]]


def test_stream_is_created_read_and_patched(acme, api):
    created = send(
        api(),
        "post",
        "/streams",
        {"title": "Derby 2026", "starts_at": "2026-12-01T20:00:00+01:00", "tags": ["Cup"]},
    )
    assert created.status_code == 201
    assert created["ETag"] == '"1"'
    assert created.json()["slug"] == "derby-2026"
    assert created.json()["starts_at"] == "2026-12-01T19:00:00Z"

    changed = send(api(), "patch", "/streams/derby-2026", {"title": "The derby"}, If_Match='"1"')
    assert changed.status_code == 200
    assert (changed["ETag"], changed.json()["tags"]) == ('"2"', ["cup"])

    read = api().get(f"{BASE}/streams/derby-2026")
    assert (read["ETag"], read.json()["title"]) == ('"2"', "The derby")


def test_patch_needs_a_precondition_that_holds(acme, api):
    make_stream(acme, "derby")

    body = {"title": "Mine"}
    problem(send(api(), "patch", "/streams/derby", body), 428, "precondition-required")
    problem(send(api(), "patch", "/streams/derby", body, If_Match="1"), 400, "invalid-if-match")
    stale = send(api(), "patch", "/streams/derby", body, If_Match='"7"')
    assert problem(stale, 412, "stale-version")["current_version"] == 1
    assert send(api(), "patch", "/streams/derby", body, If_Match="*").status_code == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["title"]),
        ({"title": 7.5e300}, []),
        ({"title": ["x"]}, ["title"]),
        ({"title": "x", "slug": "No!"}, ["slug"]),
        ({"title": "x", "starts_at": "2026-12-01T20:00:00"}, ["starts_at"]),
        ({"title": "x", "starts_at": "9999-12-31T23:59:59-23:00"}, ["starts_at"]),
        ({"title": "x", "starts_at": "0001-01-01T00:00:00Z"}, ["starts_at"]),
        ({"title": "x", "starts_at": 10**17}, ["starts_at"]),
        ({"title": "x", "ends_at": "2026-12-01T20:00:00Z"}, ["ends_at"]),
        ({"title": "x", "time_zone": "Europe/Atlantis"}, ["time_zone"]),
        ({"title": "x", "time_zone": "../../etc/passwd"}, ["time_zone"]),
        ({"title": "x", "playback_url": "file:///etc/passwd"}, ["playback_url"]),
        ({"title": "x", "tags": "cup"}, ["tags"]),
        ({"title": "x", "tags": ["y" * 41]}, ["tags.0"]),
        ([1], [""]),
    ],
)
def test_bad_bodies_name_their_fields(acme, api, body, fields):
    response = send(api(), "post", "/streams", body)

    if fields:
        found = [name.replace("non_field_errors", "") for name in bad_fields(response)]
        assert found == fields
    else:
        assert response.status_code in {201, 400}


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b'{"title": "a", "title": "b"}',
        b'{"title": "\\u0000"}',
        b'{"title": "\\ud800"}',
        b'{"title": NaN}',
        b"[" * 40 + b"]" * 40,
        b"\xff",
        b'{"starts_at": 1' + b"0" * 30 + b"}",
    ],
)
def test_bodies_that_are_not_decent_json_are_refused(acme, api, raw):
    response = api().post(f"{BASE}/streams", data=raw, content_type="application/json")

    problem(response, 400, "invalid-body")


@pytest.mark.parametrize(
    "query",
    [
        "search=%00",
        "search=" + "x" * 101,
        "state=lively",
        "sort=password",
        "starts_from=yesterday",
        "tag=%00",
    ],
)
def test_bad_queries_are_refused(acme, api, query):
    problem(api().get(f"{BASE}/streams?{query}"), 400, "invalid-body")


def test_pages_past_the_end_do_not_exist(acme, api):
    for page in ("0", "-1", "x", "9" * 30, "%00"):
        problem(api().get(f"{BASE}/streams?page={page}"), 404, "not-found")


def test_list_filters_in_few_queries(acme, api):
    for number in range(5):
        make_stream(acme, f"cup-{number}", tags=["cup"])
    make_stream(acme, "other")
    browser = api()

    with at_most(5):
        found = browser.get(f"{BASE}/streams?tag=cup&sort=title&page_size=2").json()

    assert found["count"] == 5
    assert [row["slug"] for row in found["results"]] == ["cup-0", "cup-1"]


def test_transition_moves_and_an_illegal_one_says_why(acme, api):
    make_stream(acme, "derby")

    live = send(api(), "post", "/streams/derby/transitions", {"to": "live"})
    assert (live.status_code, live.json()["state"]) == (201, "live")

    refused = send(api(), "post", "/streams/derby/transitions", {"to": "archived"})
    assert problem(refused, 409, "illegal-transition")["allowed"] == ["ended"]

    history = api().get(f"{BASE}/streams/derby/transitions").json()["results"]
    assert [(row["before"], row["after"]) for row in history] == [("scheduled", "live")]


def test_reopening_without_a_reason_names_the_field(acme, api):
    make_stream(acme, "derby", state="ended")

    refused = send(api(), "post", "/streams/derby/transitions", {"to": "live"})

    assert bad_fields(refused) == ["comment"]


def test_repeated_post_creates_once(acme, api):
    browser = api()
    answers = [
        send(browser, "post", "/streams", {"title": "Derby"}, Idempotency_Key="once")
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotency-Replayed"] == "true"
    with organization_context(acme.schema_name):
        assert Stream.objects.count() == 1


def test_client_is_created_patched_and_switched(acme, api):
    created = send(
        api(),
        "post",
        "/clients",
        {"name": "Web", "slug": "web", "platform": "web", "origins": ["https://e.com"]},
    )
    assert (created.status_code, created.json()["enabled"]) == (201, True)

    changed = send(api(), "patch", "/clients/web", {"name": "Site"}, If_Match='"1"')
    assert changed.json()["origins"] == ["https://e.com"]

    for verb, enabled in (
        ("disable", False),
        ("disable", False),
        ("enable", True),
        ("archive", False),
        ("restore", True),
    ):
        answer = send(api(), "post", f"/clients/web/{verb}")
        assert (answer.status_code, answer.json()["enabled"]) == (200, enabled)


def test_client_with_identifiers_of_another_platform_is_refused(acme, api):
    body = {"name": "x", "slug": "x", "platform": "ios", "origins": ["https://e.com"]}

    assert bad_fields(send(api(), "post", "/clients", body)) == ["origins"]
    with organization_context(acme.schema_name):
        assert not Client.objects.exists()


ROUTES = [
    ("get", "/streams", "streams.view"),
    ("post", "/streams", "streams.change"),
    ("get", "/streams/derby", "streams.view"),
    ("patch", "/streams/derby", "streams.change"),
    ("get", "/streams/derby/transitions", "streams.view"),
    ("post", "/streams/derby/transitions", "streams.change"),
    ("get", "/clients", "clients.view"),
    ("post", "/clients", "clients.change"),
    ("get", "/clients/web", "clients.view"),
    ("patch", "/clients/web", "clients.change"),
    ("post", "/clients/web/disable", "clients.change"),
    ("post", "/clients/web/enable", "clients.change"),
    ("post", "/clients/web/archive", "clients.change"),
    ("post", "/clients/web/restore", "clients.change"),
]


@pytest.mark.parametrize(("method", "path", "permission"), ROUTES)
def test_access(acme, rival, api, client, method, path, permission):
    make_stream(acme, "derby")
    make_client(acme, "web")

    problem(send(client, method, path, {}), 401, "unauthorized")
    problem(send(api("admin", rival), method, path, {}), 404, "not-found")
    viewer = send(api("viewer"), method, path, {})
    if permission.endswith(".change"):
        problem(viewer, 403, "forbidden")
    else:
        assert viewer.status_code == 200
    assert send(api("operator"), method, path, {}).status_code not in {401, 403, 404}


@pytest.mark.parametrize("path", ["/streams/theirs", "/clients/theirs"])
def test_what_another_organization_has_is_not_found(acme, rival, api, path):
    make_stream(rival, "theirs")
    make_client(rival, "theirs")

    problem(api().get(f"{BASE}{path}"), 404, "not-found")
    problem(send(api(), "patch", path, {}, If_Match="*"), 404, "not-found")

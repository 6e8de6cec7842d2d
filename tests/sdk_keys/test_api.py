"""The management API of SDK keys."""

from __future__ import annotations

import json

import pytest

from sdk_keys.models import SdkKey
from tests.counting import at_most
from tests.factories import make_client

BASE = "/api/v1/organizations/acme"


def post(browser, path, body=None, **headers):
    return browser.post(
        f"{BASE}{path}",
        data=json.dumps(body or {}),
        content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@pytest.fixture
def key(acme, api):
    make_client(acme, "web")
    answer = post(api(), "/clients/web/keys", {"name": "Production", "kind": "publishable"})
    assert answer.status_code == 201, answer.content
    return answer.json()


def slug_of(response, status):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    return response.json()["type"].rpartition("/")[2]


def test_secret_is_answered_once(acme, api, key):
    assert key["secret"].startswith(f"gk_publishable_{key['key']['id']}_")

    for path in ("/keys", "/clients/web/keys", f"/keys/{key['key']['id']}"):
        answer = api().get(f"{BASE}{path}")
        assert answer.status_code == 200
        assert key["key"]["id"].encode() in answer.content
        assert key["secret"].rpartition("_")[2].encode() not in answer.content


def test_repeated_create_makes_one_key(acme, api):
    make_client(acme, "web")
    browser = api()

    answers = [
        post(
            browser,
            "/clients/web/keys",
            {"name": "x", "kind": "secret"},
            Idempotency_Key="one",
        ).json()
        for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert SdkKey.objects.count() == 1


def test_rotate_then_revoke(acme, api, key):
    rotated = post(api(), f"/keys/{key['key']['id']}/rotate", {"overlap": "24h"})
    assert rotated.status_code == 201
    assert rotated.json()["secret"] != key["secret"]

    old = api().get(f"{BASE}/keys/{key['key']['id']}").json()
    assert old["status"] == "expiring"

    revoked = post(api(), f"/keys/{key['key']['id']}/revoke", {"comment": "leaked"})
    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    again = post(api(), f"/keys/{key['key']['id']}/rotate", {"overlap": "now"})
    assert slug_of(again, 409) == "key-not-usable"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name", "kind"]),
        ({"name": "x", "kind": "root"}, ["kind"]),
        ({"name": "x", "kind": "secret", "expires_at": "2020-01-01T00:00:00Z"}, ["expires_at"]),
        ({"name": "x", "kind": "secret", "origins": ["https://e.com/path"]}, ["origins"]),
        ({"name": "x", "kind": "secret", "bundle_ids": ["com.e.app"]}, ["bundle_ids"]),
    ],
)
def test_bad_bodies_name_their_fields(acme, api, body, fields):
    make_client(acme, "web")

    refused = post(api(), "/clients/web/keys", body)

    assert slug_of(refused, 400) == "invalid-body"
    assert [row["field"] for row in refused.json()["errors"]] == fields
    assert not SdkKey.objects.exists()


def test_list_filters_in_few_queries(acme, api, key):
    browser = api()

    with at_most(5):
        found = browser.get(f"{BASE}/keys?status=usable&client=web&search=prod").json()

    assert found["count"] == 1
    assert browser.get(f"{BASE}/keys?status=revoked").json()["count"] == 0
    assert slug_of(browser.get(f"{BASE}/keys?search=%00"), 400) == "invalid-body"


ROUTES = [
    ("get", "/keys"),
    ("get", "/clients/web/keys"),
    ("post", "/clients/web/keys"),
    ("get", "/keys/{id}"),
    ("post", "/keys/{id}/rotate"),
    ("post", "/keys/{id}/revoke"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_access(acme, rival, api, client, key, method, path):
    path = path.format(id=key["key"]["id"])

    def status(browser):
        if method == "get":
            return browser.get(f"{BASE}{path}").status_code
        return post(browser, path).status_code

    assert status(client) == 401
    assert status(api("owner", rival)) == 404
    assert status(api("viewer")) == 403
    assert status(api("operator")) == (200 if method == "get" else 403)
    assert status(api("admin")) not in {401, 403, 404}


def test_key_of_another_organization_is_not_found(acme, rival, api, key):
    public_id = key["key"]["id"]
    foreign = f"/api/v1/organizations/rival/keys/{public_id}"

    assert api("owner", rival).get(foreign).status_code == 404
    assert (
        api("owner", rival)
        .post(f"{foreign}/revoke", data="{}", content_type="application/json")
        .status_code
        == 404
    )
    assert SdkKey.objects.get(public_id=public_id).revoked_at is None

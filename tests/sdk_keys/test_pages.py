"""The pages of SDK keys: shown once, then never again."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from core.audit import Actor
from core.tenancy import organization_context
from sdk_keys.models import SdkKey
from sdk_keys.operations import KeyFields, create_key
from tests.counting import at_most
from tests.factories import make_client, make_stream

KEYS = "/o/acme/clients/web/keys/"


@pytest.fixture
def web(acme):
    return make_client(acme, "web", origins=["https://play.example.com"])


@pytest.fixture
def key(acme, web, actor: Actor) -> SdkKey:
    fields = KeyFields(name="Production", kind="publishable")
    with organization_context(acme.schema_name):
        issued = create_key(
            organization=acme, client=web, fields=fields, actor=actor, at=timezone.now()
        )
    return issued.key


def text(response):
    return response.content.decode()


def test_new_key_is_in_one_answer_only(acme, web, admin, browse):
    browser = browse(admin, htmx=True)
    make_stream(acme, "derby", state="live")

    answer = browser.post(f"{KEYS}new/", {"name": "Production", "kind": "publishable"})

    secret = re.search(r"gk_publishable_\w{12}_\w{32}", text(answer))
    assert secret
    assert "gantry:keys-changed" in answer.headers["HX-Trigger"]
    assert "derby" in text(answer)
    for path in (KEYS, "/o/acme/keys/", "/o/acme/audit/"):
        assert secret[0].rpartition("_")[2] not in text(browser.get(path))


def test_keys_page_shows_status_and_snippets(acme, web, key, admin, browse):
    browser = browse(admin)

    with at_most(8):
        page = text(browser.get(KEYS))

    assert "In force" in page
    assert f"gk_publishable_{key.public_id}_&lt;secret&gt;" in page
    for name in ("JavaScript", "Python", "curl", "OpenFeature"):
        assert name in page
    assert "Origin: https://play.example.com" in page


def test_refused_form_names_the_field(acme, web, admin, browse):
    answer = browse(admin, htmx=True).post(
        f"{KEYS}new/", {"name": "", "kind": "publishable", "identifiers": ""}
    )
    wrong = browse(admin, htmx=True).post(
        f"{KEYS}new/", {"name": "x", "kind": "publishable", "identifiers": "https://*.e.com"}
    )

    assert (answer.status_code, wrong.status_code) == (422, 422)
    assert "required" in text(answer)
    assert "wildcards" in text(wrong)
    assert not SdkKey.objects.exists()


def test_rotation_shows_the_successor_once(acme, key, admin, browse):
    answer = browse(admin, htmx=True).post(
        f"/o/acme/keys/{key.public_id}/rotate/", {"overlap": "1h"}
    )

    assert answer.status_code == 200
    assert re.search(r"gk_publishable_\w{12}_\w{32}", text(answer))
    key.refresh_from_db()
    assert key.expires_at < timezone.now() + timedelta(hours=1)


def test_rotating_a_revoked_key_says_why_not(acme, key, admin, browse):
    SdkKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())

    answer = browse(admin, htmx=True).post(
        f"/o/acme/keys/{key.public_id}/rotate/", {"overlap": "1h"}
    )

    assert answer.status_code == 422
    assert "Create a new one" in text(answer)


def test_key_in_use_is_revoked_only_by_its_name(acme, key, admin, browse):
    SdkKey.objects.filter(pk=key.pk).update(last_seen_at=timezone.now())
    browser = browse(admin, htmx=True)
    path = f"/o/acme/keys/{key.public_id}/revoke/"

    assert "Type Production to confirm" in text(browser.get(path))
    assert browser.post(path, {"typed_name": "production"}).status_code == 422
    key.refresh_from_db()
    assert key.revoked_at is None

    done = browser.post(path, {"typed_name": "Production", "comment": "leaked"})
    assert done.status_code == 200
    assert "gantry:keys-changed" in done.headers["HX-Trigger"]
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_unused_key_is_revoked_without_typing(acme, key, admin, browse):
    answer = browse(admin).post(f"/o/acme/keys/{key.public_id}/revoke/", {"comment": ""})

    assert answer.headers["Location"] == "/o/acme/clients/web/"
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_list_filters(acme, key, operator, browse):
    page = text(browse(operator).get("/o/acme/keys/?q=prod&status=usable"))
    none = text(browse(operator).get("/o/acme/keys/?status=revoked"))

    assert key.public_id in page
    assert "Revoke…" not in page
    assert key.public_id not in none
    assert browse(operator).get("/o/acme/keys/?q=%00&kind=x&page=x").status_code == 200


def test_tallies_fill_the_list_of_clients(acme, key, operator, browse):
    part = text(browse(operator, htmx=True).get("/o/acme/keys/tallies/?client=web&client=%00x"))

    assert '<span id="keys-web" hx-swap-oob="true">1</span>' in part


def test_attention_names_keys_that_end_soon(acme, key, operator, browse):
    SdkKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() + timedelta(days=2))

    part = text(browse(operator, htmx=True).get("/o/acme/keys/attention/"))

    assert "Key Production of web expires" in part


PAGES = [
    ("get", "/o/acme/keys/", "keys.view"),
    ("get", "/o/acme/keys/attention/", "keys.view"),
    ("get", "/o/acme/keys/tallies/", "keys.view"),
    ("get", KEYS, "keys.view"),
    ("get", f"{KEYS}new/", "keys.change"),
    ("post", f"{KEYS}new/", "keys.change"),
    ("get", "/o/acme/keys/{id}/rotate/", "keys.change"),
    ("post", "/o/acme/keys/{id}/rotate/", "keys.change"),
    ("get", "/o/acme/keys/{id}/revoke/", "keys.change"),
    ("post", "/o/acme/keys/{id}/revoke/", "keys.change"),
]


@pytest.mark.parametrize(("method", "path", "permission"), PAGES)
def test_access(acme, key, admin, operator, viewer, stranger, browse, method, path, permission):
    path = path.format(id=key.public_id)

    def status(person=None):
        return getattr(browse(person), method)(path).status_code

    assert status() == 302
    assert status(stranger) == 404
    assert status(viewer) == 403
    assert status(operator) == (200 if permission == "keys.view" else 403)
    assert status(admin) in {200, 302, 422}


def test_key_of_another_organization_is_not_found(acme, rival, key, stranger, browse):
    path = f"/o/rival/keys/{key.public_id}/revoke/"

    assert browse(stranger).post(path).status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None

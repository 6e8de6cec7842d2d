"""E-mail and password; no sign-up without an invitation; guessing is slowed down."""

import re

import pytest
from django.core import mail
from django.core.cache import cache

from tests.factories import PASSWORD

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()
    yield
    cache.clear()


def sign_in(client, email, password=PASSWORD):
    return client.post(LOGIN, {"login": email, "password": password})


def test_right_password_opens_the_organization(owner, client):
    answer = sign_in(client, owner.email.upper())

    assert answer.status_code == 302
    assert client.get(answer["Location"])["Location"] == "/o/acme/"
    cookie = client.cookies["gantry-session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_sign_in_returns_to_where_one_was_going(owner, client):
    answer = client.post(
        LOGIN + "?next=/o/acme/people/",
        {"login": owner.email, "password": PASSWORD, "next": "/o/acme/people/"},
    )

    assert answer["Location"] == "/o/acme/people/"


def test_sign_in_leads_to_no_other_site(owner, client):
    answer = client.post(
        LOGIN, {"login": owner.email, "password": PASSWORD, "next": "https://evil.example/"}
    )

    assert "evil" not in answer["Location"]


@pytest.mark.parametrize("email", ["owner@acme.example", "unknown@acme.example"])
def test_wrong_password_tells_nothing_about_the_address(owner, client, email):
    answer = sign_in(client, email, "wrong password here")

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "not correct" in page
    assert "gantry-session" not in client.cookies


def test_guessing_is_slowed_down(owner, client):
    for _ in range(6):
        sign_in(client, owner.email, "wrong password here")

    answer = sign_in(client, owner.email)

    assert "gantry-session" not in client.cookies or answer.status_code != 302


def test_nobody_signs_up_without_an_invitation(db, client):
    page = client.get("/accounts/signup/").content.decode()
    client.post(
        "/accounts/signup/",
        {"email": "me@evil.example", "password1": PASSWORD, "password2": PASSWORD},
    )

    assert "<form" not in page.split("<main")[1] or "password1" not in page
    assert sign_in(client, "me@evil.example").status_code == 200


def test_forgotten_password_is_reset_by_mail(owner, client):
    client.post("/accounts/password/reset/", {"email": owner.email})
    (message,) = mail.outbox
    (link,) = re.findall(r"https?://[^/]+(/accounts/password/reset/key/\S+)", str(message.body))

    page = client.get(link, follow=True)
    new = "another long secret phrase"
    client.post(page.redirect_chain[-1][0], {"password1": new, "password2": new})
    client.logout()

    assert sign_in(client, owner.email, new).status_code == 302


def test_sign_out_needs_a_post(owner, browse):
    browser = browse(owner)

    browser.get("/accounts/logout/")
    assert browser.get("/o/acme/").status_code == 200
    browser.post("/accounts/logout/")
    assert browser.get("/o/acme/").status_code == 302


def test_inactive_person_stays_out(owner, client):
    owner.is_active = False
    owner.save()

    sign_in(client, owner.email)

    assert client.get("/o/acme/").status_code == 302

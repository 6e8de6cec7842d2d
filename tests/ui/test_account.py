"""Signing in, out and back in after a forgotten password, on our own pages."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.urls import reverse

from tenants.models import User

PASSWORD = "a-quiet-harbour-27"


@pytest.fixture
def maya(db) -> User:
    cache.clear()  # tries are counted per address
    return User.objects.create_user(email="maya@acme.example", password=PASSWORD)


def sign_in(client, password: str):
    body = {"login": "maya@acme.example", "password": password}
    return client.post(reverse("account_login"), body)


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("account_login", "Sign in"),
        ("account_reset_password", "Reset your password"),
        ("account_reset_password_done", "Look into your mailbox"),
        ("account_reset_password_from_key_done", "Password set"),
        ("account_signup", "Accounts are made by invitation"),
        ("account_inactive", "This account is switched off"),
        ("account_email_verification_sent", "Look into your mailbox"),
    ],
)
def test_a_page_for_everybody_is_ours(client, db, name, heading):
    response = client.get(reverse(name))

    assert response.status_code == 200
    assert f"<h1>{heading}</h1>" in response.text


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("account_logout", "Sign out"),
        ("account_change_password", "Change your password"),
        ("account_email", "E-mail address"),
        ("account_reauthenticate", "Confirm it is you"),
    ],
)
def test_a_page_of_the_account_is_ours(client, maya, name, heading):
    client.force_login(maya)

    response = client.get(reverse(name))

    assert response.status_code == 200
    assert f"<h1>{heading}</h1>" in response.text


def test_a_wrong_password_is_said_and_the_address_is_kept(client, maya):
    response = sign_in(client, "wrong")

    assert 'value="maya@acme.example"' in response.text
    assert "error-summary" in response.text
    assert "wrong" not in re.sub(r"<p>.*?</p>", "", response.text)


def test_signing_in_leads_inside_without_a_toast(client, maya):
    response = sign_in(client, PASSWORD)

    assert response.status_code == 302
    assert "messages" not in client.cookies


def test_too_many_wrong_passwords_get_a_page_that_says_so(client, maya):
    answers = [sign_in(client, "wrong") for _ in range(7)]

    assert "Too many" in answers[-1].text


def test_a_forgotten_password_is_replaced_by_a_mailed_link(client, maya):
    client.post(reverse("account_reset_password"), {"email": maya.email})
    [message] = mail.outbox
    link = re.search(r"https?://\S+", str(message.body))
    assert link

    page = client.get(link[0], follow=True)
    assert "<h1>Choose a new password</h1>" in page.text
    new = {"password1": "quite-another-29", "password2": "quite-another-29"}
    done = client.post(page.redirect_chain[-1][0], new, follow=True)

    assert "<h1>Password set</h1>" in done.text
    assert sign_in(client, "quite-another-29").status_code == 302
    used = client.get(link[0], follow=True)
    assert "This link no longer works" in used.text


def test_an_unknown_address_gets_a_mail_that_names_the_way_in(client, db):
    cache.clear()

    client.post(reverse("account_reset_password"), {"email": "nobody@acme.example"})

    [message] = mail.outbox
    assert "Accounts are made by invitation" in message.body

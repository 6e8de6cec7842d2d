from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from sdk_keys import signing, tokens
from sdk_keys.models import SigningKey

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch, db):
    SigningKey.objects.all().delete()
    monkeypatch.setattr(signing, "_ring", None)


def kids(ring: signing.KeyRing) -> list[str]:
    return [key["kid"] for key in json.loads(ring.jwks)["keys"]]


def test_first_key_is_made_when_it_is_needed_and_only_once():
    at = timezone.now()

    first, second = signing.refresh_ring(at), signing.refresh_ring(at)

    assert kids(first) == kids(second)
    assert SigningKey.objects.count() == 1


def test_published_key_is_public_only():
    [key] = json.loads(signing.refresh_ring(timezone.now()).jwks)["keys"]

    assert set(key) == {"kty", "crv", "kid", "use", "alg", "x"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")


def test_private_half_is_not_stored_readably():
    signing.refresh_ring(timezone.now())
    row = SigningKey.objects.get()

    private = signing._decrypt(row)
    assert private is not None
    assert private.private_bytes_raw().hex() not in row.private_encrypted


def test_ring_is_kept_for_a_minute_and_read_again_after():
    at = timezone.now()
    first = signing.key_ring(at)

    assert signing.key_ring(at + timedelta(seconds=59)) is first
    assert signing.key_ring(at + timedelta(seconds=61)) is not first
    assert signing.known_ring() is not first


def test_code_that_may_not_wait_is_told_when_nothing_was_read():
    with pytest.raises(signing.NoSigningKey):
        signing.known_ring()


def test_new_key_is_published_before_it_signs_and_the_old_one_stays():
    at = timezone.now()
    old = signing.refresh_ring(at).signer(at).kid

    new = signing.rotate(at=at).kid
    ring = signing.refresh_ring(at)

    assert set(kids(ring)) == {old, new}
    assert ring.signer(at).kid == old
    assert ring.signer(at + timedelta(minutes=9)).kid == old
    assert ring.signer(at + timedelta(minutes=10)).kid == new
    signed = tokens.sign_config(b"{}", ring=ring, at=at)
    assert signed
    late = at + timedelta(days=30, minutes=11)
    assert kids(signing.refresh_ring(late)) == [new]


def test_second_rotation_does_not_prolong_the_life_of_the_first_key():
    at = timezone.now()
    old = signing.refresh_ring(at).signer(at).kid
    signing.rotate(at=at)
    retired_at = SigningKey.objects.get(kid=old).retired_at

    signing.rotate(at=at + timedelta(days=1))

    assert SigningKey.objects.get(kid=old).retired_at == retired_at


def test_compromised_key_is_withdrawn_at_once():
    at = timezone.now()
    old = signing.refresh_ring(at).signer(at).kid
    signing.rotate(at=at)

    new = signing.rotate(at=at, compromised=True).kid
    ring = signing.refresh_ring(at)

    assert kids(ring) == [new]
    assert ring.signer(at).kid == new
    assert ring.verifier(old, at) is None


def test_other_secret_key_leaves_old_keys_for_verification_only(settings):
    at = timezone.now()
    old = signing.refresh_ring(at).signer(at).kid

    settings.SECRET_KEY = "another-secret-key-of-sufficient-length-for-a-test"
    ring = signing.refresh_ring(at)

    assert ring.signer(at).kid != old
    assert ring.verifier(old, at) is not None


def test_command_rotates(capsys):
    signing.refresh_ring(timezone.now())

    call_command("rotate_signing_key")

    assert "signs from" in capsys.readouterr().out
    assert SigningKey.objects.count() == 2

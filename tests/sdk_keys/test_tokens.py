from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sdk_keys import tokens
from sdk_keys.signing import KeyRing, NoSigningKey, Signer, Verifier
from sdk_keys.tokens import InvalidToken, Session, TokenExpired, UnknownSigningKey

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
OURS = Ed25519PrivateKey.generate()
FOREIGN = Ed25519PrivateKey.generate()
KID = "2026-11-20-aabbccdd"


def ring_of(private: Ed25519PrivateKey = OURS, **changes) -> KeyRing:
    signer = Signer(kid=KID, private=private, active_from=NOW - timedelta(days=1))
    verifier = Verifier(public=private.public_key(), retired_at=None)
    ring = KeyRing(read_at=NOW, signers=(signer,), verifiers={KID: verifier}, jwks=b"{}")
    return replace(ring, **changes)


RING = ring_of()
SESSION = Session(
    subject="anonymous:1",
    organization="acme",
    stream="derby-2026",
    client="web-player",
    key="a1b2c3d4e5f6",
    id="j1",
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    origin="https://www.acme.example",
    platform="web",
    sdk="gantry-js 0.1.0",
)


def claims(**changes) -> dict:
    base = {
        "iss": "gantry",
        "aud": "gantry-sdk",
        "sub": "anonymous:1",
        "org": "acme",
        "stream": "derby-2026",
        "client": "web-player",
        "key": "a1b2c3d4e5f6",
        "jti": "j1",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3600,
    }
    return base | changes


def token_of(body: object, *, header: dict | None = None, private=OURS) -> str:
    """Sign anything at all with our key: only the checks stand between it and a session."""
    header = {"alg": "EdDSA", "kid": KID, "typ": "gantry-sdk+jwt"} | (header or {})
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = f"{part(json.dumps(header).encode())}.{part(raw)}"
    return f"{signed}.{part(private.sign(signed.encode()))}"


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read(token: str, at: datetime = NOW) -> Session:
    return tokens.read_session(token, ring=RING, at=at)


def test_session_comes_back_as_it_was_signed():
    token = tokens.sign_session(SESSION, ring=RING, at=NOW)

    assert read(token) == SESSION
    assert SESSION.schema_name == "org_acme"


def test_session_without_optional_claims_comes_back():
    bare = replace(SESSION, origin="", platform="", sdk="")

    token = tokens.sign_session(bare, ring=RING, at=NOW)

    assert read(token) == bare
    assert set(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))) == tokens.CLAIMS


def test_hand_made_token_of_our_key_is_read():
    assert read(token_of(claims())).organization == "acme"


@pytest.mark.parametrize("claim", sorted(tokens.CLAIMS))
def test_every_claim_is_required(claim):
    body = claims()
    del body[claim]

    with pytest.raises(InvalidToken, match="missing"):
        read(token_of(body))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody"},
        {"aud": "another-product"},
        {"aud": ["gantry-sdk"]},
        {"sub": 7},
        {"sub": ""},
        {"sub": "x" * 300},
        {"org": None},
        {"org": "../rival"},
        {"org": "org_rival"},
        {"org": "public:x"},
        {"stream": "UPPER"},
        {"client": "a/b"},
        {"key": ["a"]},
        {"jti": {}},
        {"origin": 5},
        {"origin": ""},
        {"role": "admin"},
        {"iat": "now"},
        {"iat": True},
        {"iat": 1.5},
        {"exp": "never"},
        {"exp": None},
        {"exp": 10**17},
        {"exp": int(NOW.timestamp()) + 3601},
        {"exp": int(NOW.timestamp())},
        {"iat": int(NOW.timestamp()) + 60, "exp": int(NOW.timestamp()) + 120},
    ],
)
def test_wrong_claim_is_refused(change):
    with pytest.raises(InvalidToken):
        read(token_of(claims(**change)))


def test_absurd_expiry_is_refused():
    body = json.dumps(claims()).replace(str(int(NOW.timestamp()) + 3600), "1" + "0" * 30)

    with pytest.raises(InvalidToken):
        read(token_of(body.encode()))


def test_session_ends_on_time_with_little_leeway():
    token = token_of(claims())

    read(token, NOW + timedelta(seconds=3600 + 4))
    with pytest.raises(TokenExpired):
        read(token, NOW + timedelta(seconds=3600 + 5))


def test_issued_a_little_ahead_of_our_clock_is_fine():
    read(token_of(claims()), NOW - timedelta(seconds=5))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"alg": None},
        {"typ": "JWT"},
        {"typ": tokens.CONFIG_TYPE},
        {"typ": None},
        {"jku": "https://evil.example/keys"},
        {"jwk": {"kty": "OKP"}},
        {"crit": ["exp"]},
        {"b64": False},
    ],
)
def test_other_header_is_refused(header):
    with pytest.raises(InvalidToken):
        read(token_of(claims(), header=header))


@pytest.mark.parametrize("kid", ["another", "", "../../etc/passwd", "x" * 500])
def test_unknown_key_is_refused_and_named_as_such(kid):
    with pytest.raises(UnknownSigningKey):
        read(token_of(claims(), header={"kid": kid}))


def test_kid_that_is_no_text_is_refused():
    with pytest.raises(InvalidToken):
        read(token_of(claims(), header={"kid": 5}))


def test_foreign_key_under_our_kid_is_refused():
    with pytest.raises(InvalidToken, match="signature"):
        read(token_of(claims(), private=FOREIGN))


def test_public_key_as_hmac_secret_is_refused():
    header = part(json.dumps({"alg": "HS256", "kid": KID, "typ": "gantry-sdk+jwt"}).encode())
    signed = f"{header}.{part(json.dumps(claims()).encode())}"
    secret = OURS.public_key().public_bytes_raw()
    mac = hmac.digest(secret, signed.encode(), hashlib.sha256)

    with pytest.raises(InvalidToken):
        read(f"{signed}.{part(mac)}")


def test_unsigned_token_is_refused():
    token = jwt.encode(
        claims(), "", algorithm="none", headers={"kid": KID, "typ": "gantry-sdk+jwt"}
    )

    with pytest.raises(InvalidToken):
        read(token)


def test_configuration_is_no_session():
    with pytest.raises(InvalidToken):
        read(tokens.sign_config(json.dumps(claims()).encode(), ring=RING, at=NOW))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"text"', b"{", b"\xff", b'{"iss":"gantry","iss":"x"}', b"[" * 900],
)
def test_payload_that_is_no_object_is_refused(body):
    with pytest.raises(InvalidToken):
        read(token_of(body))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "ey.ey.ey",
        "é" * 20,
        "x" * 3000,
        "\x00.\x00.\x00",
        "e30.e30.e30",
    ],
)
def test_text_that_is_no_token_is_refused(text):
    with pytest.raises(InvalidToken):
        read(text)


@given(st.text(max_size=200))
def test_no_text_brings_anything_but_a_refusal(text):
    with pytest.raises(InvalidToken):
        read(text)


@given(st.data())
def test_no_changed_character_survives(data):
    token = token_of(claims())
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("AZaz09-_."))
    changed = token[:at] + other + token[at + 1 :]
    try:
        session = read(changed)
    except (InvalidToken, TokenExpired):
        return
    # The last characters of base64 carry unused bits: the same bytes, the same session.
    assert session == read(token)


def test_retired_key_verifies_no_more():
    verifier = Verifier(public=OURS.public_key(), retired_at=NOW)
    ring = ring_of(verifiers={KID: verifier})

    with pytest.raises(UnknownSigningKey):
        tokens.read_session(token_of(claims()), ring=ring, at=NOW)
    tokens.read_session(token_of(claims()), ring=ring, at=NOW - timedelta(seconds=1))


def test_latest_active_key_signs():
    later = Signer(kid="later", private=FOREIGN, active_from=NOW + timedelta(minutes=10))
    ring = ring_of(signers=(later, *RING.signers))

    assert ring.signer(NOW).kid == KID
    assert ring.signer(NOW + timedelta(minutes=10)).kid == "later"


def test_nothing_is_signed_without_an_active_key():
    with pytest.raises(NoSigningKey):
        tokens.sign_config(b"{}", ring=ring_of(signers=()), at=NOW)


def test_configuration_is_signed_over_exactly_its_bytes():
    payload = b'{"settings": {"b":1,  "a":2}}'

    compact = tokens.sign_config(payload, ring=RING, at=NOW)

    header, body, signature = compact.split(".")
    assert base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)) == payload
    assert json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))) == {
        "alg": "EdDSA",
        "kid": KID,
        "typ": "gantry-config+jws",
    }
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    OURS.public_key().verify(raw, f"{header}.{body}".encode())
    assert tokens.detached(compact) == f"{header}..{signature}"


def test_session_ids_differ():
    assert tokens.new_session_id() != tokens.new_session_id()

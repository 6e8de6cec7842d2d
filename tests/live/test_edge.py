from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import uuid
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils import timezone

from core.tenancy import organization_context
from sdk_keys.models import SdkKey
from streams.models import Client
from tenants.models import Organization
from tests.live.conftest import Sdk, in_thread

pytestmark = pytest.mark.django_db


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def slug_of(answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    body = answer.json()
    assert body["status"] == answer.status_code
    return body["type"].removeprefix("/problems/")


async def public_key(sdk: Sdk, kid: str) -> Ed25519PublicKey:
    keys = (await sdk.http.get("/.well-known/jwks.json")).json()["keys"]
    [key] = [key for key in keys if key["kid"] == kid]
    return Ed25519PublicKey.from_public_bytes(unb64(key["x"]))


async def test_session_brings_token_and_signed_snapshot(sdk, place):
    answer = await sdk.open()

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"token", "expires_at", "expires_in_s", "snapshot", "jws", "urls"}
    assert body["expires_in_s"] == 3600
    snapshot = body["snapshot"]
    assert (snapshot["organization"], snapshot["stream"], snapshot["client"]) == (
        place.slug,
        "derby",
        "web",
    )
    assert "sdk.allowed_origins" not in snapshot["settings"]
    header, payload, signature = body["jws"].split(".")
    assert json.loads(unb64(payload)) == snapshot
    key = await public_key(sdk, json.loads(unb64(header))["kid"])
    key.verify(unb64(signature), f"{header}.{payload}".encode())


async def test_session_notes_when_the_key_was_seen(sdk, place):
    await sdk.open()

    key = await in_thread(SdkKey.objects.get, public_id=place.keys["web"].split("_")[2])
    assert timezone.now() - key.last_seen_at < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("key", "slug"),
    [
        ("", "missing-key"),
        ("nonsense", "invalid-key"),
        ("gk_publishable_aaaaaaaaaaaa_" + "0" * 32, "invalid-key"),
        ("gk_secret_aaaaaaaaaaaa_" + "0" * 32, "invalid-key"),
        ("gk_publishable_aaaaaaaaaaaa_\x80", "invalid-key"),
        ("' OR 1=1 --", "invalid-key"),
    ],
)
async def test_wrong_key_is_refused(process, place, key, slug):
    sdk = Sdk(process.port, key.encode("latin-1"))

    answer = await sdk.open()

    assert (answer.status_code, slug_of(answer)) == (401, slug)


async def test_right_id_with_wrong_secret_is_refused(process, place):
    sdk = Sdk(process.port, place.keys["web"][:-4] + "0000")

    assert slug_of(await sdk.open()) == "invalid-key"


async def test_publishable_key_sent_as_secret_is_refused(process, place):
    sdk = Sdk(process.port, place.keys["web"].replace("publishable", "secret"))

    assert slug_of(await sdk.open()) == "invalid-key"


@pytest.mark.parametrize(
    ("fields", "slug"),
    [
        ({"revoked_at": timezone.now()}, "key-revoked"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "key-expired"),
    ],
)
async def test_key_that_is_over_is_refused(process, place, fields, slug):
    sdk = Sdk(process.port, await in_thread(place.add_key, **fields))

    answer = await sdk.open()

    assert (answer.status_code, slug_of(answer)) == (401, slug)


async def test_session_never_outlives_its_key(process, place):
    ends = timezone.now() + timedelta(minutes=5)
    sdk = Sdk(process.port, await in_thread(place.add_key, expires_at=ends))

    await sdk.open()

    assert sdk.answer["expires_in_s"] <= 300


@pytest.mark.parametrize(
    ("state", "status", "slug"),
    [
        ("draft", 403, "stream-not-open"),
        ("archived", 403, "stream-not-open"),
        ("ended", 201, ""),
        ("scheduled", 201, ""),
    ],
)
async def test_only_open_streams_let_sdks_in(sdk, place, state, status, slug):
    await in_thread(place.add_stream, "other", state)

    answer = await sdk.open("other")

    assert answer.status_code == status
    assert not slug or slug_of(answer) == slug


async def test_unknown_stream_and_another_organizations_look_the_same(sdk, other_place):
    await in_thread(other_place.add_stream, "theirs")

    unknown, foreign = await sdk.open("nowhere"), await sdk.open("theirs")

    assert (unknown.status_code, slug_of(unknown)) == (404, "unknown-stream")
    assert foreign.json() == unknown.json()


def change(place, model, slug, **fields):
    with organization_context(place.schema_name):
        model.objects.filter(slug=slug).update(**fields)


async def test_disabled_client_is_refused(sdk, place):
    await in_thread(change, place, Client, "web", disabled_at=timezone.now())

    answer = await sdk.open()

    assert (answer.status_code, slug_of(answer)) == (403, "client-disabled")


async def test_suspended_organization_is_refused(sdk, place):
    suspended = Organization.objects.filter(slug=place.slug).update
    await in_thread(suspended, status="suspended")

    answer = await sdk.open()

    assert (answer.status_code, slug_of(answer)) == (403, "organization-suspended")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://www.acme.example", 201),
        ("https://WWW.acme.example", 201),
        ("https://evil.example", 403),
        ("https://www.acme.example.evil.example", 403),
        ("null", 403),
        (None, 201),
    ],
)
async def test_origin_must_be_one_the_key_allows(process, place, origin, status):
    key = await in_thread(place.add_key, origins=["https://www.acme.example/"])
    sdk = Sdk(process.port, key)

    answer = await sdk.open(**({"Origin": origin} if origin else {}))

    assert answer.status_code == status
    assert status == 201 or slug_of(answer) == "wrong-origin"


async def test_origins_of_the_client_and_of_the_setting_count_too(process, place):
    await in_thread(change, place, Client, "web", origins=["https://one.example"])
    await in_thread(
        place.publish, "sdk.allowed_origins", ["https://two.example"], stream=None, client="web"
    )
    sdk = Sdk(process.port, place.keys["web"])

    answers = [await sdk.open(Origin=f"https://{name}.example") for name in ("one", "two", "three")]

    assert [answer.status_code for answer in answers] == [201, 201, 403]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b"{}", "stream"),
        (b'{"stream": 5, "sdk": {"name": "x", "version": "1"}}', "stream"),
        (b'{"stream": "../x", "sdk": {"name": "x", "version": "1"}}', "stream"),
        (b'{"stream": "derby"}', "sdk"),
        (b'{"stream": "derby", "sdk": "x"}', "sdk"),
        (b'{"stream": "derby", "sdk": {"name": "", "version": "1"}}', "sdk.name"),
        (b'{"stream": "derby", "sdk": {"name": "x", "version": 1}}', "sdk.version"),
        (b'{"stream":"derby","sdk":{"name":"x","version":"1"},"device":[]}', "device"),
        (b'{"stream":"derby","sdk":{"name":"x","version":"1"},"device":{"a":1}}', "device.a"),
        (b'{"stream":"derby","sdk":{"name":"x","version":"1"},"viewer_token":7}', "viewer_token"),
        (b'{"stream": "derby", "stream": "other", "sdk": {"name": "x", "version": "1"}}', ""),
        (b'{"stream": "der\\u0000by", "sdk": {"name": "x", "version": "1"}}', ""),
        (b'{"stream": "\\ud800", "sdk": {"name": "x", "version": "1"}}', ""),
        (b'{"stream": NaN}', ""),
        (b'{"a": 1' + b"0" * 40 + b"}", ""),
        (b"[" * 8000, ""),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, ""),
        (b"\xff\xfe", ""),
    ],
)
async def test_bad_body_is_refused_next_to_its_cause(sdk, body, field):
    answer = await sdk.http.post("/sdk/v1/sessions", content=body, headers={"X-SDK-Key": sdk.key})

    assert (answer.status_code, slug_of(answer)) == (400, "invalid-body")
    assert not field or answer.json()["errors"][0]["field"] == field


async def test_too_large_body_is_refused(sdk):
    answer = await sdk.http.post(
        "/sdk/v1/sessions", content=b"x" * 16_385, headers={"X-SDK-Key": sdk.key}
    )

    assert (answer.status_code, slug_of(answer)) == (413, "too-large")


async def test_too_large_body_of_unknown_length_is_refused(sdk):
    async def pieces():
        for _ in range(40):
            yield b"x" * 1000

    answer = await sdk.http.post(
        "/sdk/v1/sessions", content=pieces(), headers={"X-SDK-Key": sdk.key}
    )

    assert (answer.status_code, slug_of(answer)) == (413, "too-large")


async def test_same_device_is_the_same_viewer(process, place):
    device = {"id": str(uuid.uuid4())}
    subjects = []
    for given in (device, device, {"id": "no uuid"}, {}):
        sdk = Sdk(process.port, place.keys["web"])
        answer = await sdk.http.post(
            "/sdk/v1/sessions",
            json={"stream": "derby", "sdk": {"name": "t", "version": "1"}, "device": given},
            headers={"X-SDK-Key": sdk.key},
        )
        subjects.append(json.loads(unb64(answer.json()["token"].split(".")[1]))["sub"])

    assert subjects[0] == subjects[1]
    assert len(set(subjects)) == 3


# ── GET /sdk/v1/config ────────────────────────────────────────────────────────────────────────


async def test_config_is_the_signed_snapshot(sdk):
    await sdk.open()

    answer = await sdk.config()

    assert answer.status_code == 200
    assert answer.json() == sdk.snapshot
    digest = hashlib.sha256(answer.content).hexdigest()[:16]
    assert answer.headers["etag"] == f'"{sdk.snapshot["version"]}-{digest}"'
    header, nothing, signature = answer.headers["config-jws"].split(".")
    assert nothing == ""
    body = base64.urlsafe_b64encode(answer.content).rstrip(b"=").decode()
    key = await public_key(sdk, json.loads(unb64(header))["kid"])
    key.verify(unb64(signature), f"{header}.{body}".encode())
    assert "config-stale" not in answer.headers


async def test_config_as_jws(sdk):
    await sdk.open()

    answer = await sdk.config(Accept="application/jose")

    assert answer.headers["content-type"] == "application/jose"
    assert answer.text == sdk.answer["jws"]
    assert answer.headers["etag"].endswith('-jose"')


@pytest.mark.parametrize("shape", ["{}", "W/{}", '"x", {}', "*", '{}, "y"'])
async def test_unchanged_config_is_not_sent_again(sdk, shape):
    await sdk.open()
    etag = (await sdk.config()).headers["etag"]

    answer = await sdk.config(**{"If-None-Match": shape.format(etag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag


async def test_tag_of_the_other_representation_does_not_match(sdk):
    await sdk.open()
    etag = (await sdk.config()).headers["etag"]

    answer = await sdk.config(**{"If-None-Match": etag, "Accept": "application/jose"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Basic abc", "Bearer x.y.z", "Bearer " + "a" * 5000, "Bearer é"],
)
async def test_bad_token_is_refused(sdk, authorization):
    answer = await sdk.config(Authorization=authorization.encode("latin-1"))

    assert (answer.status_code, slug_of(answer)) == (401, "invalid-token")


async def test_token_of_one_organization_never_shows_another(sdk, process, place, other_place):
    stranger = Sdk(process.port, other_place.keys["web"])
    await sdk.open()
    await stranger.open()

    assert (await sdk.config()).json()["organization"] == place.slug
    assert (await stranger.config()).json()["organization"] == other_place.slug


async def test_connection_that_is_to_close_is_closed(sdk):
    await sdk.open()
    await sdk.config()

    answer = await sdk.config(Connection="close")

    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"
    assert answer.json() == sdk.snapshot


async def test_head_of_a_known_answer_has_no_body(sdk):
    await sdk.open()
    full = await sdk.config()

    answer = await sdk.http.head("/sdk/v1/config", headers={"Authorization": f"Bearer {sdk.token}"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == full.headers["etag"]


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/sdk/v1/sessions", 405, "method-not-allowed"),
        ("PUT", "/sdk/v1/config", 405, "method-not-allowed"),
        ("DELETE", "/sdk/v1/events", 405, "method-not-allowed"),
        ("POST", "/.well-known/jwks.json", 405, "method-not-allowed"),
        ("GET", "/sdk/v1/nothing", 404, "not-found"),
        ("GET", "/sdk/", 404, "not-found"),
        ("GET", "/sdk/v1/config/", 404, "not-found"),
    ],
)
async def test_wrong_path_or_method(sdk, method, path, status, slug):
    answer = await sdk.http.request(method, path)

    assert (answer.status_code, slug_of(answer)) == (status, slug)
    assert status != 405 or "OPTIONS" in answer.headers["allow"]


async def test_preflight_is_answered(sdk):
    answer = await sdk.http.options("/sdk/v1/sessions", headers={"Origin": "https://x.example"})

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "X-SDK-Key" in answer.headers["access-control-allow-headers"]


async def test_keys_are_public_and_cached(sdk):
    answer = await sdk.http.get("/.well-known/jwks.json")

    assert answer.headers["cache-control"] == "public, max-age=300"
    again = await sdk.http.get(
        "/.well-known/jwks.json", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


# ── POST /sdk/v1/events ───────────────────────────────────────────────────────────────────────


def event(**changes) -> dict:
    at = timezone.now().isoformat().replace("+00:00", "Z")
    return {"id": str(uuid.uuid4()), "type": "reaction", "at": at} | changes


async def send_events(sdk: Sdk, content: bytes, **headers: str):
    headers = {"Authorization": f"Bearer {sdk.token}", **headers}
    return await sdk.http.post("/sdk/v1/events", content=content, headers=headers)


async def test_events_are_accepted(sdk):
    await sdk.open()
    batch = [event(), event(type="nonsense"), event()]

    answer = await send_events(sdk, json.dumps(batch).encode())

    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 2,
        "duplicate": 0,
        "rejected": [{"index": 1, "reason": "unknown-type"}],
    }


async def test_zipped_lines_are_accepted(sdk):
    await sdk.open()
    lines = "\n".join(json.dumps(event()) for _ in range(3)).encode()

    answer = await send_events(
        sdk,
        gzip.compress(lines),
        **{"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
    )

    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)


@pytest.mark.parametrize(
    ("content", "headers", "status", "slug"),
    [
        (b"{", {}, 400, "invalid-body"),
        (b"{}", {}, 400, "invalid-body"),
        (b"\x1f\x8bnot gzip", {"Content-Encoding": "gzip"}, 400, "invalid-body"),
        (b"x" * 1_048_577, {}, 413, "too-large"),
    ],
)
async def test_bad_batch_is_refused(sdk, content, headers, status, slug):
    await sdk.open()

    answer = await send_events(sdk, content, **headers)

    assert (answer.status_code, slug_of(answer)) == (status, slug)


async def test_events_need_a_token(sdk):
    answer = await sdk.http.post("/sdk/v1/events", content=b"[]")

    assert slug_of(answer) == "invalid-token"


async def test_many_sessions_at_once_all_open(process, place):
    sdks = [Sdk(process.port, place.keys["web"]) for _ in range(40)]

    answers = await asyncio.gather(*(sdk.open() for sdk in sdks))

    assert {answer.status_code for answer in answers} == {201}

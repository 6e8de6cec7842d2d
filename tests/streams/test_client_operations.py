"""Clients: which identifiers fit which platform, and what is written beside a change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.models import AuditEntry, OutboxEntry
from streams.client_operations import (
    ClientArchived,
    archive_client,
    create_client,
    disable_client,
    enable_client,
    restore_client,
    update_client,
)
from streams.models import Client, Platform
from streams.operations import StaleVersion
from streams.platforms import PLATFORMS
from streams.validation import ClientFields, InvalidFields, checked_client
from tests.factories import make_client

NOW = datetime(2026, 11, 20, 21, 3, tzinfo=UTC)


def create(actor, platform="web", slug="player", **fields):
    return create_client(
        fields=ClientFields(**({"name": "Player"} | fields)),
        slug=slug,
        platform=platform,
        actor=actor,
        at=NOW,
    )


def test_create_keeps_origins_as_browsers_send_them(in_acme, actor):
    client = create(actor, origins=("HTTPS://Example.com:443/", "http://localhost:8000"))

    assert client.origins == ["https://example.com", "http://localhost:8000"]
    entry = AuditEntry.objects.get(action="client.create")
    assert dict(entry.after or {})["origins"] == client.origins


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("example.com", "https://"),
        ("ftp://example.com", "https://"),
        ("https://*.example.com", "wildcards"),
        ("https://example.com/path", "without a path"),
        ("https://example.com?x=1", "without a path"),
        ("https://user@example.com", "no user"),
        ("https://", "host"),
        ("https://exa mple.com", "host"),
        ("https://example.com:99999", "not an origin"),
        ("https://[::1", "not an origin"),
        ("null", "https://"),
        ("https://" + "a" * 300 + ".com", "not an origin|host"),
    ],
)
def test_what_is_no_origin_is_refused(in_acme, actor, origin, words):
    with pytest.raises(InvalidFields, match=words) as refused:
        create(actor, origins=(origin,))

    assert [field for field, _ in refused.value.errors] == ["origins"]
    assert not Client.objects.exists()


def test_every_platform_accepts_its_own_example():
    for platform, rules in PLATFORMS.items():
        if rules.id_pattern is not None:
            fields = ClientFields(name="x", bundle_ids=(rules.id_example,))
            assert checked_client(fields, platform).bundle_ids == (rules.id_example,)


@pytest.mark.parametrize(
    ("platform", "bundle_id"),
    [
        (Platform.IOS, "player"),
        (Platform.IOS, "com.example.*"),
        (Platform.ANDROID, "com.1example"),
        (Platform.ANDROID, "com.exämple.app"),
        (Platform.ROKU, "com.example.app"),
        (Platform.TIZEN, "short.App"),
        (Platform.PLAYSTATION, "cusa12345"),
        (Platform.XBOX, "Example"),
        (Platform.WEB, "com.example.app"),
    ],
)
def test_ids_of_another_shape_are_refused(platform, bundle_id):
    with pytest.raises(InvalidFields) as refused:
        checked_client(ClientFields(name="x", bundle_ids=(bundle_id,)), platform)

    assert [field for field, _ in refused.value.errors] == ["bundle_ids"]


def test_app_platforms_have_no_origins():
    with pytest.raises(InvalidFields, match="not origins"):
        checked_client(ClientFields(name="x", origins=("https://e.com",)), "ios")


def test_unknown_platform_and_bad_slug_are_refused(in_acme, actor):
    with pytest.raises(InvalidFields, match="platforms"):
        create(actor, platform="toaster")
    with pytest.raises(InvalidFields, match="lower-case"):
        create(actor, slug="Player One")


def test_too_many_identifiers_are_refused():
    many = tuple(f"https://e{number}.com" for number in range(51))

    with pytest.raises(InvalidFields, match="50"):
        checked_client(ClientFields(name="x", origins=many), "web")
    with pytest.raises(InvalidFields, match="50"):
        checked_client(ClientFields(name="x", bundle_ids=many), "ios")


def test_taken_slug_is_refused(in_acme, actor):
    create(actor)

    with pytest.raises(InvalidFields, match="Another client"):
        create(actor)


def test_update_tells_the_live_processes(in_acme, actor):
    client = create(actor)

    changed = update_client(
        client=client,
        fields=ClientFields(name="Player", origins=("https://e.com",)),
        based_on=1,
        actor=actor,
        at=NOW,
    )

    assert changed.version == 2
    assert OutboxEntry.objects.get().payload == {"client": "player", "enabled": True}
    entry = AuditEntry.objects.get(action="client.update")
    assert dict(entry.before or {})["origins"] == []


def test_unchanged_update_does_nothing(in_acme, actor):
    client = create(actor)

    update_client(client=client, fields=ClientFields.of(client), based_on=1, actor=actor, at=NOW)

    assert not AuditEntry.objects.filter(action="client.update").exists()
    assert not OutboxEntry.objects.exists()


def test_stale_update_is_refused(in_acme, actor):
    client = create(actor)
    for name, expected in (("First", 2), ("Second", None)):
        fields = ClientFields(name=name)
        if expected is None:
            with pytest.raises(StaleVersion, match="changed name"):
                update_client(client=client, fields=fields, based_on=1, actor=actor, at=NOW)
        else:
            update_client(client=client, fields=fields, based_on=1, actor=actor, at=NOW)


def test_status_changes_are_recorded_once(in_acme, actor):
    client = create(actor)
    for operation in (disable_client, disable_client, enable_client, archive_client):
        client = operation(client=client, actor=actor, at=NOW)

    with pytest.raises(ClientArchived):
        enable_client(client=client, actor=actor, at=NOW)
    with pytest.raises(ClientArchived):
        update_client(
            client=client, fields=ClientFields(name="x"), based_on=None, actor=actor, at=NOW
        )
    restored = restore_client(client=client, actor=actor, at=NOW)

    assert restored.is_enabled
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == [
        "client.create",
        "client.disable",
        "client.enable",
        "client.archive",
        "client.restore",
    ]
    enabled = [entry.payload["enabled"] for entry in OutboxEntry.objects.all()]
    assert enabled == [False, True, False, True]


def test_other_organizations_clients_do_not_exist_here(in_acme, rival):
    make_client(rival, "theirs")

    assert not Client.objects.filter(slug="theirs").exists()

"""SDK keys: what is made, what is kept of it, and what is told when one ends."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from core.models import AuditEntry, OutboxEntry
from sdk_keys import operations
from sdk_keys.models import SdkKey
from sdk_keys.operations import (
    ClientNotAvailable,
    IssuedKey,
    KeyFields,
    KeyNotUsable,
    TooManyKeys,
    create_key,
    revoke_key,
    rotate_key,
)
from sdk_keys.queries import (
    KeyFilter,
    find_keys,
    is_in_use,
    key_tallies,
    keys_needing_attention,
    status_of,
)
from streams.validation import InvalidFields
from tests.counting import at_most
from tests.factories import make_client

NOW = datetime(2026, 11, 20, 21, 3, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def web(in_acme):
    return make_client(in_acme, "web")


@pytest.fixture
def issue(in_acme, web, actor):
    def issued(client=web, at=NOW, **fields) -> IssuedKey:
        wanted = KeyFields(**({"name": "Production", "kind": "publishable"} | fields))
        return create_key(organization=in_acme, client=client, fields=wanted, actor=actor, at=at)

    return issued


def test_key_has_its_format_and_only_its_hash_is_kept(issue):
    issued = issue(kind="secret")

    prefix, kind, public_id, secret = issued.text.split("_", 3)
    assert (prefix, kind, len(public_id)) == ("gk", "secret", 12)
    assert secret.isalnum()
    assert len(secret) * 5.9 > 128
    row = SdkKey.objects.get()
    assert row.public_id == public_id
    assert row.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in json.dumps(list(SdkKey.objects.values()), default=str)
    assert secret not in repr(issued)


def test_audit_names_the_key_and_never_its_secret(issue, actor):
    issued = issue()

    entry = AuditEntry.objects.get(action="key.create")
    assert (entry.target_id, entry.actor_label) == (issued.key.public_id, actor.label)
    kept = json.dumps([entry.before, entry.after, entry.target_label])
    assert issued.text.rpartition("_")[2] not in kept
    assert issued.key.secret_sha256 not in kept


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"kind": "root"}, "kind"),
        ({"expires_at": NOW}, "expires_at"),
        ({"expires_at": NOW + 4000 * DAY}, "expires_at"),
        ({"origins": ("https://*.e.com",)}, "origins"),
        ({"bundle_ids": ("com.example.app",)}, "bundle_ids"),
    ],
)
def test_bad_field_is_refused_by_name(issue, fields, bad):
    with pytest.raises(InvalidFields) as refused:
        issue(**fields)

    assert [field for field, _ in refused.value.errors] == [bad]
    assert not SdkKey.objects.exists()


def test_apps_have_no_origins(issue, in_acme):
    phone = make_client(in_acme, "phone", platform="ios")

    with pytest.raises(InvalidFields, match="no origins"):
        issue(phone, origins=("https://e.com",))
    assert issue(phone, bundle_ids=("com.e.app",)).key.bundle_ids == ["com.e.app"]


def test_archived_client_gets_no_keys(issue, in_acme):
    with pytest.raises(ClientNotAvailable):
        issue(make_client(in_acme, "gone", archived_at=NOW))


def test_number_of_keys_in_force_is_limited(issue, monkeypatch, actor):
    monkeypatch.setattr(operations, "MAX_USABLE_KEYS", 2)
    first = issue()
    issue()

    with pytest.raises(TooManyKeys):
        issue()
    revoke_key(key=first.key, actor=actor, at=NOW)
    issue()


@pytest.mark.parametrize(("overlap", "kept"), [("1h", DAY / 24), ("24h", DAY), ("7d", 7 * DAY)])
def test_rotation_overlaps(issue, actor, overlap, kept):
    old = issue(origins=("https://e.com",)).key

    new = rotate_key(key=old, overlap=overlap, expires_at=None, actor=actor, at=NOW).key

    old.refresh_from_db()
    assert (old.expires_at, old.revoked_at) == (NOW + kept, None)
    assert (new.rotated_from, new.name, new.origins) == (old, old.name, old.origins)
    assert new.public_id != old.public_id
    assert not OutboxEntry.objects.exists()
    entry = AuditEntry.objects.get(action="key.rotate")
    assert dict(entry.after or {})["replaced_by"] == new.public_id


def test_rotation_never_prolongs_the_old_key(issue, actor):
    old = issue(expires_at=NOW + DAY / 24).key

    rotate_key(key=old, overlap="7d", expires_at=None, actor=actor, at=NOW)

    old.refresh_from_db()
    assert old.expires_at == NOW + DAY / 24


def test_rotation_without_overlap_revokes_and_closes_sockets(issue, actor):
    old = issue().key

    rotate_key(key=old, overlap="now", expires_at=None, actor=actor, at=NOW)

    old.refresh_from_db()
    assert old.revoked_at == NOW
    assert OutboxEntry.objects.get(kind="revoke").payload == {"key": old.public_id}


def test_key_that_is_over_is_not_rotated(issue, actor):
    revoked = revoke_key(key=issue().key, actor=actor, at=NOW)
    expired = issue(at=NOW - 2 * DAY, expires_at=NOW - DAY).key

    for key in (revoked, expired):
        with pytest.raises(KeyNotUsable):
            rotate_key(key=key, overlap="24h", expires_at=None, actor=actor, at=NOW)
    assert SdkKey.objects.count() == 2


def test_unknown_overlap_is_refused(issue, actor):
    with pytest.raises(InvalidFields, match="1h"):
        rotate_key(key=issue().key, overlap="1y", expires_at=None, actor=actor, at=NOW)


def test_revoking_twice_does_it_once(issue, actor):
    key = issue().key

    first = revoke_key(key=key, actor=actor, at=NOW, comment="leaked")
    second = revoke_key(key=key, actor=actor, at=NOW + DAY)

    assert first.revoked_at == second.revoked_at == NOW
    assert AuditEntry.objects.get(action="key.revoke").comment == "leaked"
    assert OutboxEntry.objects.filter(kind="revoke").count() == 1


def test_status_and_attention(issue, in_acme, actor):
    fine = issue(name="fine").key
    soon = issue(name="soon", expires_at=NOW + 3 * DAY).key
    lapsed = issue(name="lapsed", at=NOW - 9 * DAY, expires_at=NOW - DAY).key
    replaced = issue(name="replaced").key
    rotate_key(key=replaced, overlap="24h", expires_at=None, actor=actor, at=NOW)
    gone = revoke_key(key=issue(name="gone").key, actor=actor, at=NOW)

    statuses = [status_of(key, NOW) for key in (fine, soon, lapsed, gone)]
    assert statuses == ["usable", "expiring", "expired", "revoked"]
    assert list(keys_needing_attention(in_acme, NOW)) == [lapsed, soon]


def test_filters(issue, in_acme, actor):
    phone = make_client(in_acme, "phone", platform="ios")
    one = issue(name="Site").key
    two = issue(phone, name="App", kind="secret").key
    gone = revoke_key(key=issue(name="Old").key, actor=actor, at=NOW)

    def found(**wanted):
        return set(find_keys(in_acme, KeyFilter(**wanted), NOW))

    assert found() == {one, two, gone}
    assert found(search="site") == {one}
    assert found(client="phone") == found(kind="secret") == {two}
    assert found(status="usable") == {one, two}
    assert found(status="revoked") == {gone}
    assert found(status="expired") == set()


def test_tallies_count_usable_keys_in_one_query(issue, in_acme, actor):
    key = issue().key
    revoke_key(key=issue().key, actor=actor, at=NOW)
    SdkKey.objects.filter(pk=key.pk).update(last_seen_at=NOW - DAY)

    with at_most(1):
        tallies = key_tallies(in_acme, ["web", "phone"], NOW)

    assert (tallies["web"].usable, tallies["web"].last_seen_at) == (1, NOW - DAY)
    assert tallies["phone"].usable == 0


def test_key_seen_this_week_is_in_use(issue):
    key = issue().key
    assert not is_in_use(key, NOW)
    key.last_seen_at = NOW - 6 * DAY
    assert is_in_use(key, NOW)


def test_keys_of_other_organizations_stay_apart(issue, in_acme, rival):
    issue()

    assert not find_keys(rival, KeyFilter(), NOW).exists()

"""`prepare` makes everything ready and is quick when everything is."""

import time

import pytest
from django.core.management import call_command
from django.utils import timezone

from analytics import clickhouse
from core.tenancy import organization_context
from sdk_keys import signing
from sdk_keys.models import SigningKey
from settings_hierarchy.models import ConfigState
from tenants import provisioning


@pytest.fixture
def event_store(monkeypatch):
    """Which migrations the event store reports; it is a server of its own."""
    applied = ["001_events"]
    monkeypatch.setattr(clickhouse, "migrate", lambda: applied)
    return applied


def test_it_makes_everything_and_then_nothing(acme, event_store, capsys):
    acme.schema_digest = ""
    acme.save()

    call_command("prepare")
    first = capsys.readouterr().out
    event_store.clear()
    begun = time.perf_counter()
    call_command("prepare")

    assert "Migrated" in first
    assert capsys.readouterr().out == ""
    assert time.perf_counter() - begun < 1
    acme.refresh_from_db()
    assert acme.schema_digest == provisioning.migrations_digest()
    assert SigningKey.objects.exists()


def test_it_publishes_the_catalogue(acme, event_store, capsys):
    with organization_context(acme.schema_name):
        ConfigState.objects.update(catalogue_digest="of an older release")

    call_command("prepare")

    assert "acme: catalogue is version 2" in capsys.readouterr().out


def test_event_store_that_is_away_holds_up_nothing(acme, monkeypatch, capsys):
    def away():
        raise clickhouse.AnalyticsUnavailable("It is away.")

    monkeypatch.setattr(clickhouse, "migrate", away)

    call_command("prepare")

    assert "left as it is" in capsys.readouterr().err
    assert signing.refresh_ring(timezone.now()).signers


def test_demo_is_seeded_only_in_demo_mode(acme, event_store, settings, monkeypatch):
    seeded = []
    monkeypatch.setattr("live.showcase.seeding.seed", lambda at: seeded.append(at))

    call_command("prepare")
    assert seeded == []
    settings.DEMO = True
    call_command("prepare")
    assert len(seeded) == 1

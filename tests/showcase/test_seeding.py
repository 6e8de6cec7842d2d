"""The demo: made once through real operations, its logins in one file, refused elsewhere."""

import json
import re
import stat

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.models import AuditEntry
from core.tenancy import organization_context
from live.showcase import content, seeding
from sdk_keys.models import SdkKey
from settings_hierarchy.models import Change, Override
from streams.models import Client, Stream
from streams.platforms import PLATFORMS
from tenants.models import Organization, Role, User


@pytest.fixture
def demo(settings, tmp_path):
    settings.DEMO = True
    settings.VAR = tmp_path
    settings.BASE_URL = "http://127.0.0.1:8000"
    return tmp_path


@pytest.fixture
def seeded(db, demo):
    call_command("seed_demo")
    return json.loads((demo / "demo.json").read_text())


def holds_what_people_expect_to_see(seeded):
    northwind = Organization.objects.get(slug="northwind-sports")
    with organization_context(northwind.schema_name):
        states = list(Stream.objects.values_list("state", flat=True))
        platforms = set(Client.objects.values_list("platform", flat=True))
        zones = set(Stream.objects.values_list("time_zone", flat=True))
        overrides = list(Override.objects.all())

    assert len(states) >= 40
    assert set(states) == set(Stream.State.values)
    assert states.count("live") >= 3
    assert platforms == {str(platform) for platform in PLATFORMS}
    assert len(zones) >= 8
    assert {str(row.level) for row in overrides} == {
        "organization",
        "stream",
        "client",
        "client_on_stream",
    }
    assert any(row.locked for row in overrides)
    assert set(northwind.memberships.values_list("role", flat=True)) == set(Role.values)
    assert SdkKey.objects.filter(organization=northwind).count() == len(content.NORTHWIND.apps)


def has_one_person_in_both(seeded):
    sam = User.objects.get(email="sam@partners.example")

    assert set(sam.memberships.values_list("organization__slug", flat=True)) == {
        "northwind-sports",
        "aurora-media",
    }


def was_audited_in_the_past(seeded):
    now = timezone.now()
    for showcase in content.SHOWCASES:
        with organization_context("org_" + showcase.slug.replace("-", "_")):
            actions = set(AuditEntry.objects.values_list("action", flat=True))
            assert {"organization.create", "invitation.accept", "stream.create"} <= actions
            assert AuditEntry.objects.filter(at__gt=now).count() == 0
            versions = list(Change.objects.order_by("pk").values_list("pk", flat=True))
            assert versions == list(range(1, len(versions) + 1))
            late = Stream.objects.filter(state="live", live_at__gt=now)
            assert not late.exists()


def keeps_its_logins_to_the_owner(seeded, demo, client):
    assert stat.S_IMODE((demo / "demo.json").stat().st_mode) == 0o600
    assert not (demo / "demo.part").exists()
    for organization in seeded["organizations"]:
        for person in organization["people"]:
            user = User.objects.get(email=person["email"])
            membership = user.memberships.get(organization__slug=organization["slug"])
            assert membership.role == person["role"]
    person = seeded["organizations"][0]["people"][0]
    assert User.objects.get(email=person["email"]).check_password(person["password"])
    assert re.fullmatch(r"[a-z]+(-[a-z]+){4}", person["password"])


def opens_with_its_tokens_and_keys(seeded, client):
    for organization in seeded["organizations"]:
        answer = client.get(
            f"/api/v1/organizations/{organization['slug']}/streams",
            headers={"Authorization": f"Bearer {organization['api_token']}"},
        )
        assert answer.status_code == 200
        slugs = {row["slug"] for row in answer.json()["results"]}
        assert organization["live_stream"] in slugs
        for each in organization["clients"]:
            public_id = each["sdk_key"].split("_")[2]
            assert SdkKey.objects.get(public_id=public_id).client_slug == each["slug"]


def tells_programs_how_to_get_in(seeded, capsys):
    call_command("demo_credentials", "--json")

    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"base_url", "organizations"}
    for organization in document["organizations"]:
        assert set(organization) == {
            "slug",
            "name",
            "live_stream",
            "people",
            "streams",
            "clients",
            "api_token",
        }
        assert all(set(row) == {"email", "password", "role"} for row in organization["people"])
        assert all(set(row) == {"slug", "platform", "sdk_key"} for row in organization["clients"])
        assert organization["live_stream"] in organization["streams"]


def tells_people_how_to_get_in(seeded, capsys):
    call_command("demo_credentials")

    text = capsys.readouterr().out
    assert "Northwind Sports" in text
    assert "owner@northwind.example" in text
    assert "API token" in text


def is_made_once(seeded, demo, capsys):
    before = (demo / "demo.json").read_text()
    call_command("seed_demo")
    assert (demo / "demo.json").read_text() == before

    (demo / "demo.json").unlink()
    call_command("seed_demo")
    assert "another folder" in capsys.readouterr().err


def test_the_demo(seeded, demo, client, capsys):
    """One test, because making the demo takes longer than looking at it."""
    holds_what_people_expect_to_see(seeded)
    has_one_person_in_both(seeded)
    was_audited_in_the_past(seeded)
    keeps_its_logins_to_the_owner(seeded, demo, client)
    opens_with_its_tokens_and_keys(seeded, client)
    capsys.readouterr()
    tells_programs_how_to_get_in(seeded, capsys)
    tells_people_how_to_get_in(seeded, capsys)
    is_made_once(seeded, demo, capsys)


def test_all_or_nothing(db, demo, monkeypatch):
    monkeypatch.setattr(seeding, "_token", lambda *arguments: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        call_command("seed_demo")

    assert not Organization.objects.filter(slug="northwind-sports").exists()
    assert not (demo / "demo.json").exists()


@pytest.mark.parametrize("command", ["demo_credentials", "seed_demo"])
def test_outside_a_demo_it_is_refused_with_one_sentence(db, settings, command):
    settings.DEMO = False

    with pytest.raises(CommandError, match="This is not a demo") as refused:
        call_command(command)

    assert "\n" not in str(refused.value)


def test_credentials_before_seeding_are_refused(demo):
    with pytest.raises(CommandError, match="was not seeded"):
        call_command("demo_credentials")

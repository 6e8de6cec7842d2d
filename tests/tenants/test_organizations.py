"""Making, suspending and renaming an organization."""

from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.audit import Actor
from core.models import AuditEntry, OutboxEntry
from core.tenancy import organization_context
from tenants import operations, provisioning, tasks
from tenants.models import Organization, Role, User
from tests.factories import make_user

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def founder(db):
    return make_user("founder@new.example", name="Founder")


@pytest.fixture
def waiting(founder):
    """An organization that nobody has made yet."""
    actor = Actor(kind="person", id=str(founder.pk), label=founder.email)
    return operations.create_organization(
        name="New League", slug="new-league", owner=founder, actor=actor, at=AT
    )


def found(slug):
    return Organization.objects.get(slug=slug)


def audit_of(organization):
    with organization_context(organization.schema_name):
        return [(row.action, row.actor_label) for row in AuditEntry.objects.order_by("pk")]


def test_new_organization_waits_for_a_worker_with_its_owner(waiting, founder):
    assert waiting.status == Organization.Status.PROVISIONING
    assert waiting.schema_name == "org_new_league"
    assert founder.memberships.get().role == Role.OWNER


def test_a_task_is_sent_after_the_commit(
    founder, actor, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append((name, kwargs)))

    with django_capture_on_commit_callbacks(execute=True):
        operations.create_organization(
            name="New", slug="new-one", owner=founder, actor=actor, at=AT
        )
        assert sent == []

    assert sent == [("tenants.provision", {"organization": "new-one"})]


def test_taken_short_name_is_refused(waiting, founder, actor):
    with pytest.raises(operations.SlugTaken, match="taken"):
        operations.create_organization(
            name="Other", slug="new-league", owner=founder, actor=actor, at=AT
        )

    assert Organization.objects.filter(slug="new-league").count() == 1


def test_reserved_short_name_is_refused(founder, actor):
    with pytest.raises(operations.SlugTaken, match="reserved"):
        operations.create_organization(name="New", slug="new", owner=founder, actor=actor, at=AT)


def test_provisioning_opens_it_with_an_audit_row(waiting, founder):
    made = operations.provision(organization=waiting, at=AT)

    waiting.refresh_from_db()
    assert made
    assert waiting.status == Organization.Status.ACTIVE
    assert waiting.progress_pct == 100
    assert waiting.schema_digest == provisioning.migrations_digest()
    assert audit_of(waiting) == [("organization.create", founder.email)]


def test_provisioning_twice_does_nothing_more(waiting):
    operations.provision(organization=waiting, at=AT)

    assert operations.provision(organization=waiting, at=AT) is False

    assert len(audit_of(waiting)) == 1


def test_half_made_schema_is_finished(waiting):
    provisioning.make_schema(waiting.schema_name)

    operations.provision(organization=waiting, at=AT)

    waiting.refresh_from_db()
    assert waiting.is_ready


def test_progress_is_reported_on_the_way(waiting, monkeypatch):
    seen = []
    original = provisioning.make_schema

    def watched(*arguments):
        seen.append(found("new-league").progress_note)
        original(*arguments)

    monkeypatch.setattr(provisioning, "make_schema", watched)

    operations.provision(organization=waiting, at=AT)

    assert seen == ["Making the tables"]


def test_task_makes_the_organization(waiting):
    assert tasks.provision.apply(kwargs={"organization": "new-league"}).get() is True

    assert found("new-league").is_ready


def test_sweeper_finishes_what_was_lost(waiting):
    assert tasks.provision_waiting.apply().get() == 1

    assert found("new-league").is_ready


def test_sweeper_leaves_fresh_ones_to_their_task(founder, actor):
    operations.create_organization(
        name="Fresh", slug="fresh", owner=founder, actor=actor, at=timezone.now()
    )

    assert tasks.provision_waiting.apply().get() == 0


def test_sweeper_reports_a_failure_and_goes_on(waiting, founder, actor, monkeypatch):
    operations.create_organization(
        name="After", slug="z-after", owner=founder, actor=actor, at=AT - timedelta(hours=1)
    )
    original = provisioning.make_schema

    def broken(schema_name, template):
        if schema_name == waiting.schema_name:
            raise RuntimeError("disk full")
        original(schema_name, template)

    monkeypatch.setattr(provisioning, "make_schema", broken)

    assert tasks.provision_waiting.apply().get() == 1

    waiting.refresh_from_db()
    assert waiting.status == Organization.Status.PROVISIONING
    assert "tried again" in waiting.progress_note


class TestSuspension:
    def test_suspending_closes_it_and_tells_the_sdk_plane(self, acme, actor):
        operations.suspend_organization(organization=acme, actor=actor, at=AT)

        acme.refresh_from_db()
        assert acme.is_suspended
        assert acme.suspended_at == AT
        with organization_context(acme.schema_name):
            assert OutboxEntry.objects.get().kind == "suspend"
            assert AuditEntry.objects.get().action == "organization.suspend"

    def test_suspending_twice_does_nothing_more(self, acme, actor):
        operations.suspend_organization(organization=acme, actor=actor, at=AT)
        operations.suspend_organization(organization=acme, actor=actor, at=AT + timedelta(1))

        acme.refresh_from_db()
        assert acme.suspended_at == AT
        assert len(audit_of(acme)) == 1

    def test_resuming_opens_it_again(self, acme, actor):
        operations.suspend_organization(organization=acme, actor=actor, at=AT)

        operations.resume_organization(organization=acme, actor=actor, at=AT)

        acme.refresh_from_db()
        assert acme.is_ready
        assert acme.suspended_at is None
        assert [action for action, _ in audit_of(acme)][-1] == "organization.resume"

    def test_resuming_an_active_one_does_nothing(self, acme, actor):
        operations.resume_organization(organization=acme, actor=actor, at=AT)

        assert audit_of(acme) == []

    def test_pages_of_a_suspended_organization_say_so(self, acme, owner, actor, browse):
        operations.suspend_organization(organization=acme, actor=actor, at=AT)

        answer = browse(owner).get("/o/acme/")

        assert answer.status_code == 403
        assert "suspended" in answer.content.decode()

    def test_api_of_a_suspended_organization_says_so(self, acme, actor, api):
        operations.suspend_organization(organization=acme, actor=actor, at=AT)

        answer = api().get("/api/v1/organizations/acme/")

        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/organization-suspended"


class TestRename:
    def test_name_changes_with_an_audit_row(self, acme, actor):
        operations.rename_organization(organization=acme, name="Acme Live", actor=actor, at=AT)

        acme.refresh_from_db()
        assert acme.name == "Acme Live"
        with organization_context(acme.schema_name):
            row = AuditEntry.objects.get()
        assert (row.before, row.after) == ({"name": "Acme Sports"}, {"name": "Acme Live"})

    def test_unchanged_name_does_nothing(self, acme, actor):
        operations.rename_organization(organization=acme, name="Acme Sports", actor=actor, at=AT)

        assert audit_of(acme) == []


class TestCommands:
    def test_create_organization_makes_account_and_organization(self, db):
        call_command(
            "create_organization", "club", "The Club", "Boss@Club.example", password="x" * 12
        )

        organization = found("club")
        assert organization.is_ready
        assert audit_of(organization) == [("organization.create", "create_organization")]
        assert User.objects.get(email="boss@club.example").check_password("x" * 12)

    def test_create_organization_uses_an_existing_account(self, founder):
        call_command("create_organization", "club", "The Club", founder.email)

        assert founder.memberships.get().organization.slug == "club"

    @pytest.mark.parametrize(
        ("slug", "owner", "reason"),
        [
            ("acme", "founder@new.example", "taken"),
            ("Not a slug", "founder@new.example", "lower-case"),
            ("club", "unknown@new.example", "--password"),
        ],
    )
    def test_create_organization_says_what_is_wrong(self, acme, founder, slug, owner, reason):
        with pytest.raises(CommandError, match=reason):
            call_command("create_organization", slug, "The Club", owner)

    def test_suspend_and_resume(self, acme, capsys):
        call_command("suspend_organization", "acme")
        acme.refresh_from_db()
        assert acme.is_suspended

        call_command("suspend_organization", "acme", "--resume")
        acme.refresh_from_db()
        assert acme.is_ready
        assert "Acme Sports is suspended." in capsys.readouterr().out

    def test_make_staff_and_end_it(self, founder):
        call_command("make_staff", founder.email.upper())
        founder.refresh_from_db()
        assert founder.is_staff

        call_command("make_staff", founder.email, "--end")
        founder.refresh_from_db()
        assert not founder.is_staff

    def test_make_staff_of_nobody(self, db):
        with pytest.raises(CommandError, match="no account"):
            call_command("make_staff", "unknown@new.example")

    def test_suspend_unknown_organization(self, db):
        with pytest.raises(CommandError, match="no organization"):
            call_command("suspend_organization", "nowhere")


def test_no_mail_is_sent_by_any_of_this(waiting):
    operations.provision(organization=waiting, at=AT)

    assert mail.outbox == []

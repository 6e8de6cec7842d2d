"""Roles, removal, and the rule that every organization keeps an owner."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connections

from core.audit import Actor
from core.errors import NotFound
from core.models import AuditEntry
from core.tenancy import organization_context
from tenants import operations
from tenants.models import Membership, Organization, Role
from tenants.provisioning import drop_schema, make_schema
from tests.factories import make_member

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def membership_of(user, organization):
    return Membership.objects.get(user=user, organization=organization)


def change(acme, user, role, by, actor):
    operations.change_role(
        organization=acme,
        user_id=user.pk,
        role=role,
        by=membership_of(by, acme),
        actor=actor,
        at=AT,
    )


def remove(acme, user, by, actor):
    operations.remove_member(
        organization=acme, user_id=user.pk, by=membership_of(by, acme), actor=actor, at=AT
    )


def audit_rows(organization):
    with organization_context(organization.schema_name):
        return list(AuditEntry.objects.order_by("pk"))


class TestRole:
    def test_admin_changes_a_role_with_an_audit_row(self, acme, admin, viewer, actor):
        change(acme, viewer, Role.OPERATOR, admin, actor)

        assert membership_of(viewer, acme).role == Role.OPERATOR
        (row,) = audit_rows(acme)
        assert (row.action, row.before, row.after) == (
            "member.change_role",
            {"role": "viewer"},
            {"role": "operator"},
        )
        assert row.target_label == viewer.email

    def test_unchanged_role_does_nothing(self, acme, admin, viewer, actor):
        change(acme, viewer, Role.VIEWER, admin, actor)

        assert audit_rows(acme) == []

    def test_admin_makes_no_owner(self, acme, admin, viewer, actor):
        with pytest.raises(operations.AboveOwnRole):
            change(acme, viewer, Role.OWNER, admin, actor)

        assert membership_of(viewer, acme).role == Role.VIEWER
        assert audit_rows(acme) == []

    def test_admin_demotes_no_owner(self, acme, owner, admin, actor):
        make_member(acme, Role.OWNER, "second@acme.example")

        with pytest.raises(operations.AboveOwnRole):
            change(acme, owner, Role.VIEWER, admin, actor)

    def test_roles_above_ones_own_are_refused(self, acme, operator, viewer, actor):
        with pytest.raises(operations.AboveOwnRole, match="above your own"):
            change(acme, viewer, Role.ADMIN, operator, actor)

    def test_last_owner_is_not_demoted(self, acme, owner, actor):
        with pytest.raises(operations.LastOwner):
            change(acme, owner, Role.ADMIN, owner, actor)

        assert membership_of(owner, acme).role == Role.OWNER

    def test_one_of_two_owners_is_demoted(self, acme, owner, actor):
        second = make_member(acme, Role.OWNER, "second@acme.example")

        change(acme, second, Role.VIEWER, owner, actor)

        assert membership_of(second, acme).role == Role.VIEWER

    def test_members_of_other_organizations_are_not_found(self, acme, owner, stranger, actor):
        with pytest.raises(NotFound):
            change(acme, stranger, Role.VIEWER, owner, actor)


class TestRemoval:
    def test_removed_person_leaves_with_an_audit_row(self, acme, admin, viewer, actor):
        remove(acme, viewer, admin, actor)

        assert not viewer.memberships.exists()
        (row,) = audit_rows(acme)
        assert (row.action, row.target_label) == ("member.remove", viewer.email)

    def test_last_owner_is_not_removed(self, acme, owner, actor):
        with pytest.raises(operations.LastOwner):
            remove(acme, owner, owner, actor)

        assert owner.memberships.exists()

    def test_admin_removes_no_owner(self, acme, owner, admin, actor):
        with pytest.raises(operations.AboveOwnRole):
            remove(acme, owner, admin, actor)

    def test_anybody_may_leave(self, acme, owner, viewer):
        myself = Actor(kind="person", id=str(viewer.pk), label=viewer.email)

        remove(acme, viewer, viewer, myself)

        assert not viewer.memberships.exists()

    def test_other_memberships_stay(self, acme, rival, admin, viewer, actor):
        Membership.objects.create(user=viewer, organization=rival, role=Role.VIEWER)

        remove(acme, viewer, admin, actor)

        assert viewer.memberships.get().organization == rival

    def test_strangers_are_not_found(self, acme, owner, stranger, actor):
        with pytest.raises(NotFound):
            remove(acme, stranger, owner, actor)


@pytest.fixture
def duel(transactional_db):
    """An organization that the test may commit to: it is dropped afterwards."""
    make_schema("org_duel")
    yield Organization.objects.create(
        slug="duel", name="Duel", schema_name="org_duel", status=Organization.Status.ACTIVE
    )
    drop_schema("org_duel")


def test_two_owners_who_demote_each_other_at_once_leave_one(duel, actor):
    """Each may: the other is an owner too. The second sees what the first did."""
    ann, ben = (make_member(duel, Role.OWNER, f"{name}@acme.example") for name in ("ann", "ben"))
    start = threading.Barrier(2, timeout=10)
    refused: list[operations.LastOwner] = []

    def demote(other, by):
        try:
            start.wait()
            operations.change_role(
                organization=duel,
                user_id=other.pk,
                role=Role.VIEWER,
                by=by,
                actor=actor,
                at=AT,
            )
        except operations.LastOwner as error:
            refused.append(error)
        finally:
            connections.close_all()

    pairs = [(ben, membership_of(ann, duel)), (ann, membership_of(ben, duel))]
    racers = [threading.Thread(target=demote, args=pair) for pair in pairs]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(timeout=20)

    assert len(refused) == 1
    assert duel.memberships.filter(role=Role.OWNER).count() == 1

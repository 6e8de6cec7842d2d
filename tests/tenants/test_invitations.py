"""A link by e-mail: made, sent, accepted, and clear about why it no longer works."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from core.errors import NotFound
from core.models import AuditEntry
from core.tenancy import organization_context
from tenants import invitations, operations
from tenants.models import Invitation, Membership, Role, User
from tests.factories import PASSWORD, make_member, make_user

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
GUEST = "guest@new.example"


@pytest.fixture
def invite(acme, admin, actor):
    """Invite the guest and return the invitation with the secret of its link."""

    def made(email=GUEST, role=Role.OPERATOR, at=None, by=admin):
        invitation, link = invitations.invite(
            organization=acme,
            email=email,
            role=role,
            by=Membership.objects.get(user=by, organization=acme),
            actor=actor,
            at=at or timezone.now(),
        )
        return invitation, link.rstrip("/").rpartition("/")[2]

    return made


def actions(organization):
    with organization_context(organization.schema_name):
        return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


class TestInvite:
    def test_mail_holds_the_link_and_the_row_only_its_hash(
        self, acme, invite, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            invitation, secret = invite()

        (message,) = mail.outbox
        assert message.to == [GUEST]
        assert f"/invitations/{secret}/" in message.body
        assert "Acme Sports" in message.subject
        assert secret not in str(Invitation.objects.values().get(pk=invitation.pk))
        assert actions(acme) == ["invitation.create"]

    def test_address_is_kept_in_lower_case(self, invite):
        invitation, _ = invite(email="Guest@New.Example")

        assert invitation.email == GUEST

    def test_admin_invites_no_owner(self, acme, invite):
        with pytest.raises(operations.AboveOwnRole):
            invite(role=Role.OWNER)

        assert not Invitation.objects.exists()
        assert actions(acme) == []

    def test_owner_invites_an_owner(self, invite, owner):
        invitation, _ = invite(role=Role.OWNER, by=owner)

        assert invitation.role == Role.OWNER

    def test_member_is_not_invited(self, invite, viewer):
        with pytest.raises(invitations.AlreadyMember):
            invite(email=viewer.email)

    def test_second_invitation_is_refused_while_the_first_is_open(self, invite):
        invite()

        with pytest.raises(invitations.AlreadyInvited):
            invite()

    def test_expired_invitation_gives_way_to_a_new_one(self, invite):
        first, _ = invite(at=timezone.now() - timedelta(days=8))

        second, _ = invite()

        first.refresh_from_db()
        assert first.withdrawn_at is not None
        assert second.is_open(timezone.now())


class TestResendAndWithdraw:
    def test_resending_renews_link_and_week(self, acme, admin, invite, actor):
        invitation, old_secret = invite(at=timezone.now() - timedelta(days=8))

        renewed, link = invitations.resend_invitation(
            organization=acme,
            invitation_id=invitation.pk,
            by=admin.memberships.get(),
            actor=actor,
            at=timezone.now(),
        )

        assert renewed.is_open(timezone.now())
        with pytest.raises(invitations.InvitationClosed, match="not valid"):
            invitations.open_invitation(secret=old_secret, at=timezone.now())
        assert link.rstrip("/").rpartition("/")[2] != old_secret
        assert actions(acme)[-1] == "invitation.resend"

    def test_withdrawn_link_stops_working(self, acme, invite, actor):
        invitation, secret = invite()

        invitations.withdraw_invitation(
            organization=acme, invitation_id=invitation.pk, actor=actor, at=AT
        )

        with pytest.raises(invitations.InvitationClosed, match="withdrawn"):
            invitations.open_invitation(secret=secret, at=timezone.now())
        assert actions(acme)[-1] == "invitation.withdraw"

    def test_invitations_of_others_are_not_found(self, rival, invite, actor):
        invitation, _ = invite()

        with pytest.raises(NotFound):
            invitations.withdraw_invitation(
                organization=rival, invitation_id=invitation.pk, actor=actor, at=AT
            )


class TestAccept:
    def test_invited_person_becomes_a_member_once(self, acme, invite):
        _, secret = invite()
        guest = make_user(GUEST)

        membership = invitations.accept_invitation(secret=secret, user=guest, at=timezone.now())

        assert (membership.organization, membership.role) == (acme, Role.OPERATOR)
        assert actions(acme)[-1] == "invitation.accept"
        with pytest.raises(invitations.InvitationClosed, match="already used"):
            invitations.accept_invitation(secret=secret, user=guest, at=timezone.now())

    def test_another_person_is_refused(self, invite, nobody):
        _, secret = invite()

        with pytest.raises(invitations.OtherAddress):
            invitations.accept_invitation(secret=secret, user=nobody, at=timezone.now())

        assert not nobody.memberships.exists()

    def test_expired_link_is_refused(self, invite):
        _, secret = invite(at=timezone.now() - timedelta(days=8))

        with pytest.raises(invitations.InvitationClosed, match="expired"):
            invitations.accept_invitation(secret=secret, user=make_user(GUEST), at=timezone.now())

    def test_somebody_who_joined_meanwhile_keeps_their_role(self, acme, invite):
        _, secret = invite(role=Role.VIEWER)
        guest = make_member(acme, Role.ADMIN, GUEST)

        membership = invitations.accept_invitation(secret=secret, user=guest, at=timezone.now())

        assert membership.role == Role.ADMIN

    def test_registering_makes_account_and_membership(self, invite):
        _, secret = invite()

        user = invitations.register_with_invitation(
            secret=secret, name="Gus Guest", password=PASSWORD, at=timezone.now()
        )

        assert (user.email, user.name) == (GUEST, "Gus Guest")
        assert user.memberships.get().role == Role.OPERATOR

    def test_registering_over_an_account_is_refused(self, invite):
        _, secret = invite()
        make_user(GUEST)

        with pytest.raises(invitations.AlreadyMember, match="Sign in"):
            invitations.register_with_invitation(
                secret=secret, name="", password=PASSWORD, at=timezone.now()
            )


class TestPages:
    def url(self, secret, rest=""):
        return f"/invitations/{secret}/{rest}"

    def test_link_offers_a_new_account(self, invite, browse):
        _, secret = invite()

        answer = browse().get(self.url(secret))

        assert answer.status_code == 200
        assert "Join Acme Sports" in answer.content.decode()
        assert "Create account" in answer.content.decode()

    def test_new_account_is_signed_in_and_lands_on_the_home(self, invite, browse):
        _, secret = invite()
        browser = browse()

        answer = browser.post(self.url(secret, "account/"), {"name": "Gus", "password": PASSWORD})

        assert (answer.status_code, answer["Location"]) == (302, "/o/acme/")
        assert browser.get("/o/acme/").status_code == 200

    @pytest.mark.parametrize("password", ["short", "guest@new.example"])
    def test_weak_password_is_refused_beside_the_field(self, invite, browse, password):
        _, secret = invite()

        answer = browse().post(self.url(secret, "account/"), {"name": "G", "password": password})

        assert answer.status_code == 422
        assert "id_password-error" in answer.content.decode()
        assert not User.objects.filter(email=GUEST).exists()

    def test_account_made_meanwhile_is_told_to_sign_in(self, invite, browse):
        _, secret = invite()
        make_user(GUEST)

        answer = browse().post(self.url(secret, "account/"), {"name": "G", "password": PASSWORD})

        assert answer.status_code == 422
        assert "Sign in" in answer.content.decode()

    def test_invited_person_accepts_while_signed_in(self, invite, browse):
        _, secret = invite()
        guest = make_user(GUEST)

        page = browse(guest).get(self.url(secret))
        answer = browse(guest).post(self.url(secret))

        assert "Accept" in page.content.decode()
        assert answer["Location"] == "/o/acme/"

    def test_accepting_asks_for_a_sign_in_first(self, invite, browse):
        _, secret = invite()
        make_user(GUEST)

        answer = browse().post(self.url(secret))

        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=/invitations/")

    def test_somebody_else_is_told_whom_it_is_for(self, invite, nobody, browse):
        _, secret = invite()
        make_user(GUEST)

        answer = browse(nobody).post(self.url(secret))

        assert answer.status_code == 403
        assert GUEST in answer.content.decode()

    @pytest.mark.parametrize("rest", ["", "account/"])
    @pytest.mark.parametrize("secret", ["nothing", "%00", "a" * 500])
    def test_closed_link_says_why(self, db, browse, rest, secret):
        browser = browse()
        answer = browser.post(self.url(secret, rest))

        assert answer.status_code == 410
        assert "not valid" in answer.content.decode()

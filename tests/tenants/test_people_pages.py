"""People, invitations and tokens as pages: with htmx and without."""

import pytest
from django.utils import timezone

from tenants import invitations
from tenants.models import ApiToken, Invitation, Membership, Role
from tests.counting import at_most
from tests.factories import make_member, make_token


def text(answer):
    return answer.content.decode()


def role_of(user):
    return Membership.objects.get(user=user, organization__slug="acme").role


class TestPeople:
    def test_lists_members_and_invitations(self, acme, admin, viewer, browse, actor):
        invitations.invite(
            organization=acme,
            email="guest@new.example",
            role=Role.VIEWER,
            by=admin.memberships.get(),
            actor=actor,
            at=timezone.now(),
        )

        page = text(browse(admin).get("/o/acme/people/"))

        assert viewer.email in page
        assert "guest@new.example" in page

    def test_search_and_sorting_answer_with_the_table(self, admin, viewer, browse):
        answer = browse(admin, htmx=True).get("/o/acme/people/?q=viewer&sort=-role")

        assert viewer.email in text(answer)
        assert admin.email not in text(answer)
        assert "<html" not in text(answer)

    def test_owner_is_beyond_an_admins_reach(self, owner, admin, browse):
        page = text(browse(admin).get("/o/acme/people/"))

        assert f"/people/{owner.pk}/role/" not in page
        assert f"/people/{admin.pk}/role/" in page

    def test_operator_may_not_look(self, operator, browse):
        assert browse(operator).get("/o/acme/people/").status_code == 403

    def test_list_takes_the_same_queries_for_many(self, acme, admin, browse):
        for number in range(30):
            make_member(acme, Role.VIEWER, f"fan{number}@acme.example")
        browser = browse(admin)
        browser.get("/o/acme/people/")

        with at_most(10):
            browser.get("/o/acme/people/")


class TestRole:
    def url(self, user):
        return f"/o/acme/people/{user.pk}/role/"

    def test_changes_with_htmx(self, admin, viewer, browse):
        answer = browse(admin, htmx=True).post(self.url(viewer), {"role": "operator"})

        assert answer.status_code == 200
        assert "Role changed" in answer["HX-Trigger"]
        assert role_of(viewer) == Role.OPERATOR

    def test_changes_without_htmx(self, admin, viewer, browse):
        answer = browse(admin).post(self.url(viewer), {"role": "operator"})

        assert answer["Location"] == "/o/acme/people/"
        assert role_of(viewer) == Role.OPERATOR

    @pytest.mark.parametrize("role", ["emperor", "", "owner"])
    def test_refused_role_stands_above_the_list(self, admin, viewer, browse, role):
        answer = browse(admin, htmx=True).post(self.url(viewer), {"role": role})

        assert answer.status_code == 422
        assert "error-summary" in text(answer)
        assert role_of(viewer) == Role.VIEWER

    def test_last_owner_stays(self, owner, browse):
        answer = browse(owner).post(self.url(owner), {"role": "viewer"})

        assert answer.status_code == 422
        assert "Make somebody else an owner first" in text(answer)

    def test_member_of_another_organization_is_refused(self, admin, stranger, browse):
        answer = browse(admin, htmx=True).post(self.url(stranger), {"role": "viewer"})

        assert answer.status_code == 422
        assert "not a member" in text(answer)


class TestRemove:
    def url(self, user):
        return f"/o/acme/people/{user.pk}/remove/"

    def test_removes_a_person(self, admin, viewer, browse):
        answer = browse(admin, htmx=True).post(self.url(viewer))

        assert "Person removed" in answer["HX-Trigger"]
        assert not viewer.memberships.exists()

    def test_leaving_leads_to_the_other_organizations(self, owner, admin, browse):
        answer = browse(admin).post(self.url(admin))

        assert answer["Location"] == "/organizations/"

    def test_refused_removal_says_why(self, owner, browse):
        answer = browse(owner).post(self.url(owner))

        assert answer.status_code == 422


class TestInvite:
    URL = "/o/acme/invitations/new/"

    def test_form_opens_as_dialog_and_as_page(self, admin, browse):
        dialog = text(browse(admin, htmx=True).get(self.URL))
        page = text(browse(admin).get(self.URL))

        assert "Invite somebody" in dialog
        assert "<html" not in dialog
        assert "<html" in page

    @pytest.mark.parametrize("htmx", [True, False])
    def test_link_is_shown_once(self, admin, browse, htmx):
        browser = browse(admin, htmx=htmx)

        answer = browser.post(self.URL, {"email": "guest@new.example", "role": "viewer"})

        assert answer.status_code == 200
        assert "/invitations/" in text(answer)
        assert Invitation.objects.get().email == "guest@new.example"
        assert answer["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(
        ("fields", "where"),
        [
            ({"email": "nonsense", "role": "viewer"}, "id_email-error"),
            ({"email": "viewer@acme.example", "role": "viewer"}, "id_email-error"),
            ({"email": "guest@new.example", "role": "owner"}, "id_role-error"),
            ({}, "id_email-error"),
        ],
    )
    def test_mistakes_stand_beside_their_field(self, admin, viewer, browse, fields, where):
        answer = browse(admin, htmx=True).post(self.URL, fields)

        assert answer.status_code == 422
        assert where in text(answer)
        assert not Invitation.objects.exists()

    def test_resend_and_withdraw(self, admin, browse):
        browser = browse(admin, htmx=True)
        browser.post(self.URL, {"email": "guest@new.example", "role": "viewer"})
        invitation = Invitation.objects.get()
        former = invitation.secret_sha256

        again = browser.post(f"/o/acme/invitations/{invitation.pk}/resend/")
        gone = browser.post(f"/o/acme/invitations/{invitation.pk}/withdraw/")
        once_more = browse(admin).post(f"/o/acme/invitations/{invitation.pk}/withdraw/")

        invitation.refresh_from_db()
        assert invitation.secret_sha256 != former
        assert "/invitations/" in text(again)
        assert "Invitation withdrawn" in gone["HX-Trigger"]
        assert once_more.status_code == 404

    def test_withdraw_without_htmx_returns_to_the_people(self, admin, browse):
        browser = browse(admin)
        browser.post(self.URL, {"email": "guest@new.example", "role": "viewer"})
        invitation = Invitation.objects.get()

        answer = browser.post(f"/o/acme/invitations/{invitation.pk}/withdraw/")

        assert answer["Location"] == "/o/acme/people/"


class TestTokens:
    NEW = "/o/acme/tokens/new/"

    def test_lists_tokens_without_their_secret(self, acme, admin, browse):
        token = make_token(acme)

        page = text(browse(admin).get("/o/acme/tokens/"))

        assert token.rpartition("_")[0] in page
        assert token not in page

    @pytest.mark.parametrize("htmx", [True, False])
    def test_token_is_shown_once(self, admin, browse, client, htmx):
        fields = {"name": "import", "role": "operator", "expires": "90"}

        answer = browse(admin, htmx=htmx).post(self.NEW, fields)

        token = ApiToken.objects.get()
        assert f"gt_{token.public_id}_" in text(answer)
        assert token.expires_at is not None
        assert token.created_by == admin

    def test_token_without_end(self, admin, browse):
        fields = {"name": "import", "role": "viewer", "expires": ""}

        browse(admin).post(self.NEW, fields)

        assert ApiToken.objects.get().expires_at is None

    @pytest.mark.parametrize(
        ("fields", "where"),
        [
            ({"name": "", "role": "viewer"}, "id_name-error"),
            ({"name": "x", "role": "owner"}, "id_role-error"),
            ({"name": "x", "role": "viewer", "expires": "9999"}, "id_expires-error"),
            ({"name": "x\x00", "role": "viewer"}, "id_name-error"),
        ],
    )
    def test_mistakes_stand_beside_their_field(self, admin, browse, fields, where):
        answer = browse(admin, htmx=True).post(self.NEW, fields)

        assert answer.status_code == 422
        assert where in text(answer)
        assert not ApiToken.objects.exists()

    @pytest.mark.parametrize("htmx", [True, False])
    def test_revoke(self, acme, admin, browse, htmx):
        make_token(acme)
        token = ApiToken.objects.get()

        answer = browse(admin, htmx=htmx).post(f"/o/acme/tokens/{token.public_id}/revoke/")

        token.refresh_from_db()
        assert token.revoked_at is not None
        assert answer.status_code == (200 if htmx else 302)

    def test_form_opens(self, admin, browse):
        assert "New API token" in text(browse(admin, htmx=True).get(self.NEW))

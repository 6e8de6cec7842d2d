"""Landing, switching, home, profile, palette: what people see first."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.models import OutboxEntry
from core.tenancy import organization_context
from tenants import operations
from tenants.models import Membership, Organization, Role
from tests.counting import at_most
from tests.factories import make_token, make_user


def text(answer):
    return answer.content.decode()


class TestStart:
    def test_anonymous_people_sign_in(self, db, browse):
        answer = browse().get("/")

        assert answer["Location"] == "/accounts/login/?next=/"

    def test_only_organization_opens(self, owner, browse):
        assert browse(owner).get("/")["Location"] == "/o/acme/"

    def test_member_of_two_chooses_then_returns_to_the_last(self, rival, owner, browse):
        Membership.objects.create(user=owner, organization=rival, role=Role.VIEWER)
        browser = browse(owner)

        assert browser.get("/")["Location"] == "/organizations/"
        browser.get("/o/rival/")
        assert browser.get("/")["Location"] == "/o/rival/"

    def test_member_of_nothing_learns_how_to_get_in(self, nobody, browse):
        browser = browse(nobody)

        assert browser.get("/")["Location"] == "/organizations/"
        assert "in no organization yet" in text(browser.get("/organizations/"))


class TestSwitch:
    def test_lists_only_ones_own(self, owner, rival, browse):
        page = text(browse(owner).get("/organizations/"))

        assert "Acme Sports" in page
        assert "Rival" not in page

    def test_search_narrows_it_down(self, owner, browse):
        browser = browse(owner, htmx=True)

        assert "Acme Sports" in text(browser.get("/organizations/?q=ACME"))
        nothing = text(browser.get("/organizations/?q=zz%00z"))
        assert "Nothing matches" in nothing
        assert "<html" not in nothing

    def test_suspended_and_waiting_ones_are_marked(self, acme, owner, browse):
        acme.status = Organization.Status.SUSPENDED
        acme.save()

        assert "Suspended" in text(browse(owner).get("/organizations/"))


class TestCreate:
    @pytest.fixture
    def staff(self, db):
        user = make_user("staff@platform.example")
        user.is_staff = True
        user.save()
        return user

    def test_staff_make_an_organization_and_wait_for_it(self, staff, browse):
        browser = browse(staff)

        answer = browser.post("/o/new/", {"name": "The Club", "slug": "club"})
        waiting = browser.get(answer["Location"])
        operations.provision(organization=Organization.objects.get(slug="club"), at=timezone.now())

        assert answer["Location"] == "/o/club/"
        assert waiting.status_code == 503
        assert waiting["Retry-After"]
        assert "Waiting for a worker" in text(waiting)
        assert browser.get("/o/club/").status_code == 200

    @pytest.mark.parametrize("slug", ["acme", "new", "Not a slug", "a" * 41, ""])
    def test_bad_short_name_is_refused_beside_the_field(self, acme, staff, browse, slug):
        answer = browse(staff).post("/o/new/", {"name": "The Club", "slug": slug})

        assert answer.status_code == 422
        assert "id_slug-error" in text(answer)
        assert Organization.objects.filter(name="The Club").count() == 0

    def test_others_find_nothing(self, owner, browse):
        assert browse(owner).get("/o/new/").status_code == 404

    def test_staff_have_no_rights_inside_organizations(self, acme, staff, browse):
        assert browse(staff).get("/o/acme/").status_code == 404


class TestHome:
    def test_shows_the_organization_and_where_to_go(self, operator, browse):
        page = text(browse(operator).get("/o/acme/"))

        assert "<h1>Acme Sports" in page
        assert "Needs attention" in page
        assert "Recent changes" in page

    def test_viewer_sees_no_audit(self, viewer, browse):
        assert "Recent changes" not in text(browse(viewer).get("/o/acme/"))

    def test_late_pushes_ending_tokens_and_expired_invitations_need_attention(
        self, acme, admin, browse
    ):
        now = timezone.now()
        make_token(acme, expires_at=now + timedelta(days=3))
        make_token(acme, expires_at=now + timedelta(days=300))
        acme.invitations.create(
            email="late@new.example", role=Role.VIEWER, secret_sha256="x", expires_at=now
        )
        with organization_context(acme.schema_name):
            OutboxEntry.objects.create(
                kind="config", payload={}, created_at=now - timedelta(minutes=2)
            )

        page = text(browse(admin).get("/o/acme/"))

        assert "1 change waits to be pushed" in page
        assert page.count("expires within 14 days") == 1
        assert "late@new.example has expired" in page

    def test_strangers_find_nothing(self, acme, stranger, browse):
        assert browse(stranger).get("/o/acme/").status_code == 404

    def test_it_takes_few_queries(self, owner, browse):
        browser = browse(owner)
        browser.get("/o/acme/")

        with at_most(12):
            browser.get("/o/acme/")


class TestProfile:
    def test_owner_renames_the_organization(self, acme, owner, browse):
        answer = browse(owner).post("/o/acme/profile/", {"name": "Acme Live"})

        acme.refresh_from_db()
        assert answer.status_code == 302
        assert acme.name == "Acme Live"

    def test_empty_name_is_refused(self, acme, owner, browse):
        answer = browse(owner).post("/o/acme/profile/", {"name": ""})

        assert answer.status_code == 422
        assert "id_name-error" in text(answer)

    def test_admin_may_not(self, acme, admin, browse):
        answer = browse(admin).post("/o/acme/profile/", {"name": "Mine"})

        acme.refresh_from_db()
        assert answer.status_code == 403
        assert acme.name == "Acme Sports"


class TestPalette:
    def test_offers_the_pages_one_may_see(self, viewer, admin, browse):
        assert "People" in text(browse(admin, htmx=True).get("/o/acme/palette/?q=peo"))
        assert "People" not in text(browse(viewer, htmx=True).get("/o/acme/palette/?q=peo"))

    def test_works_as_a_page(self, viewer, browse):
        page = text(browse(viewer).get("/o/acme/palette/?q=<b>home"))

        assert "<html" in page
        assert "<b>home" not in page


def test_sidebar_offers_the_other_organizations(rival, owner, browse):
    Membership.objects.create(user=owner, organization=rival, role=Role.VIEWER)

    page = text(browse(owner).get("/o/acme/"))

    assert "/o/rival/" in page

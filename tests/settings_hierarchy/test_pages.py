"""The settings pages: what they show, how a change is saved, reviewed, refused or merged."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from django.http import QueryDict

from core.models import AuditEntry, OutboxEntry
from settings_hierarchy import operations
from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.forms import posted_value
from settings_hierarchy.models import Change, Override, Scope
from settings_hierarchy.queries import current_version, resolved
from settings_hierarchy.schema import InvalidValue
from settings_hierarchy.values import SettingType, ValueRules
from streams.models import Stream
from tests.counting import at_most
from tests.factories import make_client, make_stream

GAMES = "overlays.games.enabled"
SLOW = "chat.slow_mode_s"
BASE = "/o/acme"
PLACES = {
    "organization": "/settings/",
    "stream": "/streams/final/settings/",
    "client": "/clients/ios/settings/",
    "client_on_stream": "/streams/final/clients/ios/settings/",
}


@pytest.fixture
def derby(acme):
    return make_stream(acme, "derby", title="The Derby", state=Stream.State.LIVE)


def page(browser, place="organization", query=""):
    return browser.get(f"{BASE}{PLACES.get(place, place)}{query}")


def change(browser, key=GAMES, place="organization", **posted):
    return browser.post(f"{BASE}{PLACES.get(place, place)}{key}/change/", posted)


def shown_keys(response):
    return re.findall(r'class="setting-key"><code>([^<]+)</code>', response.content.decode())


def row_of(response, key):
    """Return the HTML of one row."""
    found = response.content.decode().split(f'id="setting-{key.replace(".", "--")}"', 1)[1]
    return found.split('<div class="setting ', 1)[0].split('<div class="setting"', 1)[0]


def toast_of(response):
    return json.loads(response["HX-Trigger-After-Swap"])["gantry:toast"]


def stored(inside, key=GAMES, scope=None):
    return inside(lambda: resolved(scope or Scope()).setting(key).current.value)


class TestShown:
    @pytest.mark.parametrize("place", PLACES)
    def test_every_setting_is_shown_at_every_level(self, browse, viewer, final, ios, place):
        response = page(browse(viewer), place)

        assert response.status_code == 200
        assert shown_keys(response) == list(CATALOGUE.settings)

    def test_a_row_tells_value_source_who_and_what_it_would_be(
        self, browse, operator, put, final, actor
    ):
        put(SLOW, 30, Scope(stream=final), comment="Too fast <b>")

        row = row_of(page(browse(operator), "stream"), SLOW)

        assert 'value="30"' in row
        assert 'min="0" max="120"' in row
        assert "Stream</span>" in row
        assert actor.label in row
        assert "Too fast &lt;b&gt;" in row
        assert "Without this override: 0 (default)" in row
        assert "Reset to inherited" in row

    def test_a_lock_above_is_told_and_nothing_can_be_done(self, browse, admin, put, final):
        put(GAMES, False, Scope(stream=final))
        put(GAMES, True, locked=True)

        row = row_of(page(browse(admin), "stream"), GAMES)

        assert "Locked · organization" in row
        assert "disabled" in row
        assert "Set here to Off, without effect while locked." in row
        assert "Remove override" in row
        assert 'value="set"' not in row

    def test_a_level_that_may_not_set_it_says_where_to(self, browse, admin, ios):
        row = row_of(page(browse(admin), "client"), "live.save_replay")

        assert "Set at: organization, stream." in row
        assert 'value="set"' not in row

    def test_overrides_below_are_counted(self, browse, admin, put, final, ios):
        put(GAMES, False, Scope(stream=final))
        put(GAMES, False, Scope(stream=final, client=ios))

        assert "2 overrides below" in row_of(page(browse(admin)), GAMES)
        assert "1 override below" in row_of(page(browse(admin), "stream"), GAMES)

    def test_a_rule_without_effect_is_told(self, browse, admin):
        assert "Has effect only when" in row_of(page(browse(admin)), "ui.layout.lbar_mode")

    def test_a_viewer_sees_no_buttons(self, browse, viewer, put):
        put(GAMES, False)

        row = row_of(page(browse(viewer)), GAMES)

        assert "<button" not in row

    def test_an_operator_sees_no_lock(self, browse, operator, admin):
        assert 'value="lock"' not in row_of(page(browse(operator)), GAMES)
        assert 'value="lock"' in row_of(page(browse(admin)), GAMES)

    def test_the_address_narrows_the_list(self, browse, viewer, put, final):
        put(GAMES, False)
        put(SLOW, 5, Scope(stream=final), comment="")
        put("moderation.automod_level", 3, locked=True)
        browser = browse(viewer)

        assert shown_keys(page(browser, query="?q=slow+mode")) == [SLOW]
        assert shown_keys(page(browser, query="?show=changed")) == [
            GAMES,
            "moderation.automod_level",
        ]
        assert shown_keys(page(browser, "stream", "?show=here")) == [SLOW]
        assert shown_keys(page(browser, query="?show=locked")) == ["moderation.automod_level"]
        assert len(shown_keys(page(browser, query="?group=chat"))) == 12
        assert shown_keys(page(browser, query="?group=nothing&show=x")) == list(CATALOGUE.settings)
        empty = page(browser, query="?q=qqqq")
        assert "No setting fits" in empty.content.decode()

    def test_htmx_gets_the_list_alone(self, browse, viewer):
        response = page(browse(viewer, htmx=True), query="?group=chat")

        assert response.content.decode().lstrip().startswith('<div id="settings"')
        assert "HX-Request" in response["Vary"]

    def test_a_page_costs_the_same_however_much_is_overridden(
        self, browse, viewer, put, final, ios
    ):
        for setting in CATALOGUE.in_group("overlays")[:8]:
            put(setting.key, not setting.default, Scope(stream=final))
        browser = browse(viewer)
        page(browser, "client_on_stream")

        with at_most(10):
            page(browser, "client_on_stream")

    @pytest.mark.parametrize(
        "address",
        ["/streams/nowhere/settings/", "/clients/nobody/settings/", "/settings/ui.nothing/"],
    )
    def test_what_does_not_exist_is_not_found(self, browse, viewer, address):
        assert page(browse(viewer), address).status_code == 404

    @pytest.mark.parametrize("place", PLACES)
    def test_strangers_find_nothing(self, browse, stranger, nobody, final, ios, place):
        for person in (stranger, nobody):
            assert page(browse(person), place).status_code == 404
            assert change(browse(person), place=place).status_code == 404
        assert page(browse(), place).status_code == 302


class TestSave:
    def test_a_toggle_is_saved_at_once_with_undo(self, browse, operator, inside):
        response = change(browse(operator, htmx=True), based_on=1)

        assert response.status_code == 200
        assert response["HX-Retarget"] == "#setting-overlays--games--enabled"
        toast = toast_of(response)
        assert toast["text"] == "Saved"
        assert toast["undo_url"] == "/o/acme/settings/undo/2/"
        body = response.content.decode()
        assert "Without this override: On (default)" in body
        assert '<span class="num" id="config-version" hx-swap-oob="true">2</span>' in body
        assert stored(inside) is False
        entry = inside(AuditEntry.objects.get)
        assert (entry.action, entry.actor_label) == ("settings.set", operator.email)
        assert inside(OutboxEntry.objects.get).payload["version"] == 2

    def test_without_script_the_page_comes_back_at_the_row(self, browse, operator, inside):
        response = change(browse(operator), SLOW, value="15", based_on=1)

        assert response.status_code == 302
        assert response["Location"] == "/o/acme/settings/#setting-chat--slow_mode_s"
        assert stored(inside, SLOW) == 15

    @pytest.mark.parametrize("place", PLACES)
    def test_every_level_can_be_changed(self, browse, operator, inside, final, ios, place):
        assert change(browse(operator), place=place, value="").status_code == 302

        assert inside(Override.objects.get).level == place

    @pytest.mark.parametrize(
        ("key", "posted", "value"),
        [
            ("chat.non_moderator_delay_s", "4", 4),
            ("sdk.applied_ack_sample_pct", "12.5", 12.5),
            ("ui.theme_mode", "dark", "dark"),
            ("branding.primary_color", "#aa00ff", "#aa00ff"),
            ("branding.button_icon_url", " https://cdn.example.com/i.svg ", None),
            ("overlays.menu_order", ["games", " chat ", ""], ["games", "chat"]),
            ("notifications.in_app_modes", ["games", "promotions"], ["games", "promotions"]),
            ("triggers.hmac_secret_ref", "env:FEED_SECRET", "env:FEED_SECRET"),
            ("ui.language", "pt-BR", "pt-BR"),
        ],
    )
    def test_every_type_is_read_as_its_json(self, browse, operator, inside, key, posted, value):
        assert change(browse(operator), key, value=posted).status_code == 302

        assert stored(inside, key) == (posted.strip() if value is None else value)

    @pytest.mark.parametrize(
        ("key", "posted", "complaint"),
        [
            (SLOW, "fast", "must be a whole number"),
            (SLOW, "", "must be a whole number"),
            (SLOW, "1_0", "must be a whole number"),
            (SLOW, "٣", "must be a whole number"),
            (SLOW, "9" * 500, "must be a whole number"),
            (SLOW, "121", "must be at most 120 s, not 121"),
            (SLOW, "-1", "must be at least 0 s, not -1"),
            ("sdk.applied_ack_sample_pct", "nan", "must be a finite number"),
            ("sdk.applied_ack_sample_pct", "1e999", "must be a finite number"),
            ("ui.theme_mode", "sepia", "must be one of light, dark, auto"),
            ("branding.primary_color", "red", "must be a colour"),
            ("branding.button_icon_url", "javascript:alert(1)", "must be a web address"),
            ("branding.share_text", "x" * 141, "must have at most 140 characters"),
            ("branding.share_text", "a\x00b", "control character"),
            ("overlays.menu_order", ["a", "a"], "twice"),
            ("promotions.allowed_types", ["banner"], "item 1 must be one of"),
            ("slo.interaction_p90_ms", "250", "would be 200 ms, below"),
        ],
    )
    @pytest.mark.parametrize("htmx", [True, False])
    def test_a_refused_value_stays_with_the_reason_beside_it(
        self, browse, operator, inside, key, posted, complaint, htmx
    ):
        response = change(browse(operator, htmx=htmx), key, value=posted, based_on=1)

        assert response.status_code == 422
        row = row_of(response, key)
        assert complaint in row
        assert 'aria-invalid="true"' in row
        assert f'id="setting-{key.replace(".", "--")}-error"' in row
        if isinstance(posted, str) and len(posted) < 40 and posted.isprintable():
            assert posted.replace('"', "&quot;") in row
        assert inside(current_version) == 1

    def test_a_long_comment_is_refused(self, browse, operator, inside):
        response = change(browse(operator, htmx=True), value="true", comment="x" * 501)

        assert response.status_code == 422
        assert "at most 500 characters" in response.content.decode()
        assert inside(current_version) == 1

    @pytest.mark.parametrize("posted", [{"do": "destroy"}, {"based_on": "x"}, {"do": "restore"}])
    def test_a_senseless_form_is_refused(self, browse, operator, inside, posted):
        response = change(browse(operator, htmx=True), **posted)

        assert response.status_code in {409, 422}
        assert inside(current_version) == 1

    def test_an_unchanged_value_does_nothing(self, browse, operator, put, inside):
        put(GAMES, False)

        response = change(browse(operator, htmx=True), based_on=2)

        assert toast_of(response)["text"] == "Nothing to change"
        assert "undo_url" not in toast_of(response)
        assert inside(current_version) == 2

    def test_reset_inherits_again(self, browse, operator, put, inside):
        put(GAMES, False)

        change(browse(operator), do="reset", based_on=2)

        assert stored(inside) is True
        assert not inside(Override.objects.exists)

    def test_a_locked_row_is_refused(self, browse, operator, put, final):
        put(GAMES, False, locked=True)

        response = change(browse(operator, htmx=True), place="stream", value="true")

        assert response.status_code == 409
        assert "is locked by tester@acme.example" in response.content.decode()

    @pytest.mark.parametrize("role", ["viewer", "analyst", "moderator"])
    def test_reading_roles_are_refused(self, browse, request, inside, role):
        person = request.getfixturevalue(role)

        assert change(browse(person)).status_code == 403
        assert browse(person).post(f"{BASE}/settings/undo/1/").status_code == 403
        assert inside(current_version) == 1
        assert inside(AuditEntry.objects.filter(result="refused").count) == 2


class TestLock:
    def test_an_admin_locks_and_unlocks(self, browse, admin, inside):
        change(browse(admin), do="lock", value="true")
        assert inside(Override.objects.get).locked
        assert stored(inside) is True

        change(browse(admin), do="unlock", value="true")
        assert not inside(Override.objects.get).locked

    def test_an_operator_may_not(self, browse, operator, put, inside):
        assert change(browse(operator), do="lock", value="true").status_code == 403
        put(GAMES, False, locked=True)
        for verb in ("unlock", "reset"):
            assert change(browse(operator), do=verb).status_code == 403
        assert inside(Override.objects.get).locked
        assert (
            inside(AuditEntry.objects.filter(action="settings.lock", result="refused").count) == 3
        )

    def test_an_operator_may_change_a_locked_value(self, browse, operator, put, inside):
        put(GAMES, False, locked=True)

        change(browse(operator), value="true")

        assert inside(Override.objects.get).locked
        assert stored(inside) is True

    def test_undo_of_a_lock_needs_the_right(self, browse, operator, put):
        put(GAMES, False, locked=True)

        assert browse(operator).post(f"{BASE}/settings/undo/2/").status_code == 403


class TestUndo:
    def test_the_toast_takes_a_change_back(self, browse, operator, inside):
        browser = browse(operator, htmx=True)
        undo_url = toast_of(change(browser, place="organization"))["undo_url"]

        response = browser.post(undo_url)

        assert toast_of(response)["text"] == "Undone"
        assert stored(inside) is True
        assert inside(lambda: Change.objects.get(version=3).undoes_id) == 2

    def test_what_changed_again_is_not_undone(self, browse, operator, put, inside):
        put(SLOW, 5)
        put(SLOW, 10)

        response = browse(operator).post(f"{BASE}/settings/undo/2/")

        assert response.status_code == 409
        assert stored(inside, SLOW) == 10

    @pytest.mark.parametrize(("version", "status"), [(1, 409), (99, 404)])
    def test_what_cannot_be_undone_is_told(self, browse, operator, version, status):
        assert browse(operator).post(f"{BASE}/settings/undo/{version}/").status_code == status


class TestLive:
    PLACE = "/streams/derby/settings/"

    def test_a_change_is_reviewed_before_anybody_sees_it(self, browse, operator, derby, inside):
        response = change(browse(operator, htmx=True), place=self.PLACE, based_on=1)

        assert response.status_code == 200
        assert response["HX-Retarget"] == "#modal"
        body = response.content.decode()
        assert "Review change" in body
        assert 'class="diff-value">On<' in body
        assert 'class="diff-value">Off<' in body
        assert 'name="reviewed" value="true"' in body
        assert "Reaches" in body
        assert inside(current_version) == 1

    def test_without_script_the_review_is_a_page(self, browse, operator, derby, inside):
        response = change(browse(operator), SLOW, place=self.PLACE, value="30", based_on=1)

        body = response.content.decode()
        assert "<html" in body
        assert 'name="value" value="30"' in body
        assert inside(current_version) == 1

    def test_a_reviewed_change_is_published_with_its_comment(self, browse, operator, derby, inside):
        response = change(
            browse(operator, htmx=True),
            SLOW,
            place=self.PLACE,
            value="30",
            based_on=1,
            reviewed="true",
            comment="Raid",
        )

        assert toast_of(response) == {"text": "Version 2 published"}
        assert "gantry:close-dialog" in response["HX-Trigger-After-Swap"]
        assert 'id="published" hx-swap-oob="true"' in response.content.decode()
        assert inside(lambda: Change.objects.get(version=2).comment) == "Raid"

    @pytest.mark.parametrize("place", ["organization", "client"])
    def test_a_wider_change_is_reviewed_while_one_stream_is_live(
        self, browse, operator, derby, ios, inside, place
    ):
        response = change(browse(operator, htmx=True), place=place, based_on=1)

        assert "Review change" in response.content.decode()
        assert inside(current_version) == 1

    def test_another_stream_is_saved_at_once(self, browse, operator, derby, final, inside):
        change(browse(operator), place="stream")

        assert inside(current_version) == 2

    def test_reset_and_lock_are_reviewed_with_what_they_mean_below(
        self, browse, admin, derby, ios, put, inside
    ):
        put(GAMES, False, Scope(stream=derby, client=ios))
        put(SLOW, 30, Scope(stream=derby))
        browser = browse(admin, htmx=True)

        lock = change(browser, place=self.PLACE, do="lock", value="true", based_on=3)
        reset = change(browser, SLOW, place=self.PLACE, do="reset", based_on=3)

        assert "overrides that lose their effect: 1." in lock.content.decode()
        assert 'class="diff-value">0<' in reset.content.decode()
        assert inside(current_version) == 3

    def test_an_unchanged_value_needs_no_review(self, browse, operator, derby, put, inside):
        put(GAMES, False, Scope(stream=derby))

        response = change(browse(operator, htmx=True), place=self.PLACE, based_on=2)

        assert toast_of(response)["text"] == "Nothing to change"

    def test_an_illegal_value_is_refused_before_the_review(self, browse, operator, derby):
        response = change(browse(operator, htmx=True), SLOW, place=self.PLACE, value="999")

        assert response.status_code == 422

    def test_undo_is_reviewed_too(self, browse, operator, derby, put, inside):
        put(GAMES, False, Scope(stream=derby))

        response = browse(operator, htmx=True).post(f"{BASE}/settings/undo/2/")

        assert "Review change" in response.content.decode()
        assert inside(current_version) == 2


class TestConflict:
    @pytest.mark.parametrize("htmx", [True, False])
    def test_the_same_setting_meanwhile_opens_the_merge_view(
        self, browse, operator, put, inside, htmx
    ):
        put(SLOW, 5)
        put(SLOW, 10, comment="Quicker")

        response = change(browse(operator, htmx=htmx), SLOW, value="30", based_on=2)

        assert response.status_code == 409
        body = response.content.decode()
        assert "Changed meanwhile" in body
        facts = re.findall(r"<dd>(?:<strong>)?([^<]+?)(?:</strong>)? ", body)
        assert facts == ["5", "10", "30"]
        assert "tester@acme.example" in body
        assert "Quicker" in body
        assert 'name="based_on" value="3"' in body
        assert stored(inside, SLOW) == 10

    def test_mine_can_be_used_after_reading_theirs(self, browse, operator, put, inside):
        put(SLOW, 10)

        change(browse(operator), SLOW, value="30", based_on=2)

        assert stored(inside, SLOW) == 30

    def test_another_setting_meanwhile_does_not_matter(self, browse, operator, put, inside):
        put("ui.theme_mode", "dark")

        assert change(browse(operator), SLOW, value="30", based_on=1).status_code == 302

    def test_a_stale_reset_shows_what_would_be_inherited(self, browse, operator, put):
        put(SLOW, 10)

        response = change(browse(operator, htmx=True), SLOW, do="reset", based_on=1)

        assert response.status_code == 409
        assert "inherited" in response.content.decode()


class TestHistory:
    def test_one_setting_has_a_page_with_its_history(self, browse, viewer, put):
        put(SLOW, 5, comment="For the derby")
        put(SLOW, 10)

        body = page(browse(viewer), f"/settings/{SLOW}/").content.decode()

        assert "For the derby" in body
        assert "<html" in body
        assert "Restore" not in body

    def test_the_dialog_gets_the_history_and_the_row_itself(self, browse, operator, put):
        put(SLOW, 5)
        put(SLOW, 10)
        browser = browse(operator, htmx=True)

        dialog = browser.get(f"{BASE}/settings/{SLOW}/", headers={"HX-Target": "modal"})
        part = browser.get(f"{BASE}/settings/{SLOW}/", headers={"HX-Target": "setting-history"})
        row = browser.get(f"{BASE}/settings/{SLOW}/")

        assert part.content.decode().lstrip().startswith('<ol class="stream-history"')
        assert "Slow mode: history" in dialog.content.decode()
        assert 'name="version" value="2"' in dialog.content.decode()
        assert row.content.decode().count('class="setting ') == 1
        assert "Slow mode: history" not in row.content.decode()

    def test_restoring_is_a_new_change(self, browse, operator, put, inside):
        put(SLOW, 5)
        put(SLOW, 10)

        change(browse(operator), SLOW, do="restore", version=2, based_on=3)

        assert stored(inside, SLOW) == 5
        assert inside(current_version) == 4

    def test_a_version_of_another_setting_is_refused(self, browse, operator, put, inside):
        put(SLOW, 5)
        put("ui.theme_mode", "dark")

        response = change(browse(operator, htmx=True), SLOW, do="restore", version=3)

        assert response.status_code == 409
        assert "changed something else" in response.content.decode()
        assert inside(current_version) == 3

    def test_a_setting_never_changed_says_so(self, browse, viewer):
        assert "Never changed here." in page(browse(viewer), f"/settings/{SLOW}/").content.decode()


def test_the_neighbouring_levels_are_tabs(browse, viewer, final, semifinal, ios, web):
    on_stream = page(browse(viewer), "stream").content.decode()
    of_client = page(browse(viewer), "client").content.decode()

    assert 'href="/o/acme/streams/final/clients/ios/settings/"' in on_stream
    assert 'href="/o/acme/streams/final/clients/web/settings/"' in on_stream
    assert 'href="/o/acme/streams/semifinal/clients/ios/settings/"' in of_client


def posted(text: str) -> QueryDict:
    query = QueryDict(mutable=True)
    query["value"] = text
    return query


class TestObject:
    """No shipped setting holds an object yet; the form must be ready for the first."""

    SETTING = dataclasses.replace(
        CATALOGUE.setting("branding.share_text"), rules=ValueRules(type=SettingType.OBJECT)
    )

    @pytest.mark.parametrize("text", ["{", '{"a":1,"a":2}', "[" * 40, '{"a": 1e999}', "\ud800"])
    def test_what_is_not_sound_json_is_refused(self, text):
        with pytest.raises(InvalidValue, match="must be JSON"):
            posted_value(self.SETTING, posted(text))

    def test_json_is_read(self):
        value = posted_value(self.SETTING, posted('{"a": [1, true]}'))

        assert self.SETTING.parse(value) == {"a": [1, True]}


def test_a_client_among_many_keeps_its_tab(browse, viewer, acme, final):
    for number in range(13):
        make_client(acme, f"app-{number:02}", name=f"App {number:02}")
    place = "/streams/final/clients/app-12/settings/"

    body = page(browse(viewer), place).content.decode()

    assert f'href="/o/acme{place}" aria-current="page"' in body


def test_undo_of_a_setting_that_left_the_catalogue_is_refused(browse, operator, put, monkeypatch):
    put(GAMES, False)
    rows = {key: row for key, row in CATALOGUE.settings.items() if key != GAMES}
    monkeypatch.setattr(operations, "CATALOGUE", dataclasses.replace(CATALOGUE, settings=rows))

    assert browse(operator).post(f"{BASE}/settings/undo/2/").status_code == 409


def test_unlocking_says_what_takes_effect_again(browse, admin, derby, ios, put):
    put(GAMES, True, Scope(stream=derby, client=ios))
    put(GAMES, False, Scope(stream=derby), locked=True)
    browser = browse(admin, htmx=True)

    answer = change(browser, place=TestLive.PLACE, do="unlock", based_on=3)

    assert "overrides that take effect again: 1." in answer.content.decode()

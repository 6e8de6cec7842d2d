"""The management API of settings, its contract as outside tools count on it."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from core.models import AuditEntry, OutboxEntry
from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.models import Override, Scope
from settings_hierarchy.queries import current_version
from tests.counting import at_most
from tests.factories import make_client, make_stream

BASE = "/api/v1/organizations/acme"
GAMES = "overlays.games.enabled"


def set_games(browser, *, level="organization", if_match="*", **fields):
    body = {"level": level, "key": GAMES, "value": False} | fields
    return put_raw(browser, json.dumps(body), if_match=if_match)


def put_raw(browser, raw, *, if_match="*"):
    headers = {} if if_match is None else {"If-Match": if_match}
    return browser.put(
        f"{BASE}/overrides", data=raw, content_type="application/json", headers=headers
    )


def clear_games(browser, *, level="organization", if_match="*", **fields):
    query = urlencode({"level": level, "key": GAMES} | fields)
    headers = {} if if_match is None else {"If-Match": if_match}
    return browser.delete(f"{BASE}/overrides?{query}", headers=headers)


def problem(response, status, slug):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"/problems/{slug}"
    assert body["status"] == status
    return body


def wrong_fields(response):
    return [row["field"] for row in problem(response, 400, "invalid-body")["errors"]]


class TestPut:
    def test_a_value_is_set_and_told(self, api, inside):
        answer = set_games(api(), comment="Feed is wrong")

        assert answer.status_code == 200
        assert answer["ETag"] == '"2"'
        body = answer.json()
        assert (body["version"], body["changed"]) == (2, True)
        assert body["override"]["value"] is False
        assert body["override"]["version"] == 2
        assert body["override"]["changed_by"] == "admin token"
        assert body["resolved"]["value"] is False
        assert body["resolved"]["provenance"]["level"] == "organization"
        entry = inside(AuditEntry.objects.get)
        assert (entry.actor_kind, entry.comment) == ("token", "Feed is wrong")
        assert inside(OutboxEntry.objects.get).payload["version"] == 2

    @pytest.mark.parametrize(
        ("place", "level"),
        [
            ({"level": "organization"}, "organization"),
            ({"level": "stream", "stream": "final"}, "stream"),
            ({"level": "client", "client": "ios"}, "client"),
            ({"level": "client", "client": "ios", "stream": "final"}, "client_on_stream"),
        ],
    )
    def test_every_level_is_named_as_documented(self, api, final, ios, place, level):
        body = set_games(api(), **place).json()

        assert body["override"]["level"] == level
        assert body["override"]["stream"] == place.get("stream")
        assert body["override"]["client"] == place.get("client")

    @pytest.mark.parametrize(
        ("place", "fields"),
        [
            ({"level": "default"}, ["level"]),
            ({"level": "client_on_stream"}, ["level"]),
            ({"level": None}, ["level"]),
            ({"level": "stream"}, ["stream"]),
            ({"level": "client"}, ["client"]),
            ({"level": "client", "stream": "final"}, ["client"]),
            ({"level": "organization", "stream": "final"}, ["stream"]),
            ({"level": "stream", "stream": "final", "client": "ios"}, ["client"]),
            ({"stream": ["final"], "level": "stream"}, ["stream"]),
            ({"locked": "yes"}, ["locked"]),
            ({"locked": 1}, ["locked"]),
            ({"lock": True}, ["lock"]),
            ({"comment": "x" * 501}, ["comment"]),
            ({"comment": 5.5, "key": {}}, ["key"]),
        ],
    )
    def test_a_wrong_field_is_named(self, api, final, ios, inside, place, fields):
        assert wrong_fields(set_games(api(), **place)) == fields
        assert inside(current_version) == 1

    @pytest.mark.parametrize("missing", ["level", "key", "value"])
    def test_a_missing_field_is_named(self, api, missing):
        body = {"level": "organization", "key": GAMES, "value": False}
        del body[missing]

        assert wrong_fields(put_raw(api(), json.dumps(body))) == [missing]

    @pytest.mark.parametrize(
        "place",
        [
            {"level": "stream", "stream": "nowhere"},
            {"level": "client", "client": "nobody"},
            {"level": "client", "client": "ios", "stream": "theirs"},
            {"level": "stream", "stream": "theirs"},
        ],
    )
    def test_a_stream_or_client_of_another_organization_is_not_found(
        self, api, ios, rival, inside, place
    ):
        make_stream(rival, "theirs")

        problem(set_games(api(), **place), 404, "not-found")
        assert inside(current_version) == 1

    @pytest.mark.parametrize(
        ("key", "value", "status", "slug"),
        [
            ("ui.nothing", True, 404, "unknown-setting"),
            (GAMES, "yes", 422, "invalid-value"),
            (GAMES, None, 422, "invalid-value"),
            (GAMES, 1, 422, "invalid-value"),
            ("chat.slow_mode_s", True, 422, "invalid-value"),
            ("chat.slow_mode_s", 1.5, 422, "invalid-value"),
            ("chat.slow_mode_s", 121, 422, "invalid-value"),
            ("branding.primary_color", "red", 422, "invalid-value"),
            ("overlays.menu_order", ["a", "a"], 422, "invalid-value"),
            ("triggers.hmac_secret_ref", "hunter2", 422, "invalid-value"),
            ("slo.interaction_p90_ms", 250, 422, "invalid-value"),
        ],
    )
    def test_a_wrong_value_is_refused_with_the_reason(self, api, inside, key, value, status, slug):
        body = problem(set_games(api(), key=key, value=value), status, slug)

        assert body["errors"][0]["field"] in {"value", "key"}
        assert inside(current_version) == 1
        assert not inside(OutboxEntry.objects.exists)

    @pytest.mark.parametrize(
        ("raw", "status", "slug"),
        [
            ("", 400, "invalid-body"),
            ("{", 400, "invalid-body"),
            ("[]", 400, "invalid-body"),
            ('"text"', 400, "invalid-body"),
            ("null", 400, "invalid-body"),
            ('{"level":"organization","level":"stream"}', 400, "invalid-body"),
            ('{"value":' + "[" * 500 + "]" * 500 + "}", 400, "invalid-body"),
            ('{"value": NaN}', 400, "invalid-body"),
            ('{"value": 1e999}', 400, "invalid-body"),
            ('{"value": ' + "9" * 400 + "}", 400, "invalid-body"),
            ('{"key": "a\\u0000b"}', 400, "invalid-body"),
            ('{"key": "\\ud800"}', 400, "invalid-body"),
            ('{"value": "' + "x" * 300_000 + '"}', 413, "too-large"),
        ],
    )
    def test_what_is_not_sound_json_is_refused(self, api, inside, raw, status, slug):
        problem(put_raw(api(), raw), status, slug)
        assert inside(current_version) == 1

    def test_a_level_that_may_not_set_it_is_refused(self, api, ios):
        answer = set_games(api(), level="client", client="ios", key="live.save_replay")

        assert problem(answer, 422, "level-not-allowed")["errors"][0]["field"] == "level"

    def test_a_lock_above_is_refused_and_named(self, api, final):
        set_games(api(), locked=True)

        body = problem(
            set_games(api(), level="stream", stream="final", value=True), 409, "locked-above"
        )

        assert body["locked_by"] == {"level": "organization", "version": 2, "value": False}
        assert "admin token" in body["detail"]

    def test_locking_the_unlockable_is_refused(self, api):
        answer = set_games(api(), key="ui.theme_mode", value="dark", locked=True)

        problem(answer, 422, "not-lockable")

    def test_the_same_again_changes_nothing(self, api):
        set_games(api())

        body = set_games(api()).json()

        assert (body["version"], body["changed"]) == (2, False)
        assert body["override"]["version"] == 2


class TestPrecondition:
    def test_it_is_required(self, api, inside):
        problem(set_games(api(), if_match=None), 428, "precondition-required")
        problem(clear_games(api(), if_match=None), 428, "precondition-required")
        assert inside(current_version) == 1

    def test_the_current_version_is_accepted(self, api):
        assert set_games(api(), if_match='"1"').status_code == 200
        assert clear_games(api(), if_match='"2"').status_code == 200

    def test_a_stale_one_is_refused_with_who_changed_what(self, api, inside):
        set_games(api(), key="ui.theme_mode", value="dark")

        body = problem(set_games(api(), if_match='"1"'), 412, "stale-version")

        assert body["current_version"] == 2
        assert body["changes"][0]["key"] == "ui.theme_mode"
        assert body["changes"][0]["by"] == "admin token"
        problem(clear_games(api(), if_match='"1"'), 412, "stale-version")
        assert inside(current_version) == 2

    @pytest.mark.parametrize("sent", ["1", 'W/"1"', '"one"', '"1", "2"', '"-1"', '""'])
    def test_a_malformed_one_is_refused(self, api, sent):
        problem(set_games(api(), if_match=sent), 400, "invalid-if-match")


class TestDelete:
    def test_an_override_is_cleared(self, api, inside, final):
        set_games(api(), level="stream", stream="final")

        answer = clear_games(api(), level="stream", stream="final", comment="Feed is back")

        assert answer.status_code == 200
        assert answer.json()["override"] is None
        assert answer.json()["version"] == 3
        assert answer.json()["resolved"]["provenance"]["level"] == "default"
        assert (
            inside(AuditEntry.objects.filter(action="settings.clear").get).comment == "Feed is back"
        )

    def test_clearing_nothing_changes_nothing(self, api):
        answer = clear_games(api())

        assert answer.status_code == 200
        assert answer.json()["changed"] is False

    def test_wrong_names_are_refused(self, api, final):
        assert wrong_fields(clear_games(api(), value="x")) == ["value"]
        assert wrong_fields(clear_games(api(), level="stream")) == ["stream"]
        problem(clear_games(api(), level="stream", stream="nowhere"), 404, "not-found")
        problem(clear_games(api(), key="ui.nothing"), 404, "unknown-setting")
        assert wrong_fields(clear_games(api(), comment="a\x00")) == ["comment"]


class TestRights:
    @pytest.mark.parametrize("role", ["viewer", "analyst", "moderator"])
    def test_reading_roles_may_not_write(self, api, inside, role):
        problem(set_games(api(role)), 403, "forbidden")
        problem(clear_games(api(role)), 403, "forbidden")
        assert api(role).get(f"{BASE}/resolved").status_code == 200
        assert inside(current_version) == 1
        assert inside(AuditEntry.objects.filter(result="refused").count) == 2

    def test_an_operator_sets_values_but_no_locks(self, api, inside):
        operator = api("operator")

        assert set_games(operator).status_code == 200
        assert set_games(operator, locked=False).status_code == 200
        problem(set_games(operator, locked=True), 403, "forbidden")
        set_games(api(), locked=True)
        problem(set_games(operator, locked=False), 403, "forbidden")
        problem(clear_games(operator), 403, "forbidden")
        assert inside(Override.objects.get).locked
        assert (
            inside(AuditEntry.objects.filter(action="settings.lock", result="refused").count) == 3
        )

    def test_another_organization_is_not_found(self, api, rival, inside):
        stranger = api("owner", rival)

        problem(set_games(stranger), 404, "not-found")
        for path in ("catalogue", "overrides", "resolved", "versions", "versions/1", "snapshot"):
            problem(stranger.get(f"{BASE}/{path}"), 404, "not-found")
        assert inside(current_version) == 1

    def test_without_a_token_nothing_is_told(self, client, acme):
        for path in ("catalogue", "overrides", "resolved", "versions", "versions/1", "snapshot"):
            problem(client.get(f"{BASE}/{path}"), 401, "unauthorized")


class TestReading:
    def test_the_catalogue_tells_every_setting(self, api):
        body = api("viewer").get(f"{BASE}/catalogue").json()

        assert body["digest"] == CATALOGUE.digest()
        assert [row["key"] for row in body["settings"]] == list(CATALOGUE.settings)
        assert len(body["groups"]) == len(CATALOGUE.groups)
        row = next(row for row in body["settings"] if row["key"] == "slo.interaction_p95_ms")
        assert row["requires"] == {
            "relation": ">=",
            "key": "slo.interaction_p90_ms",
            "value": None,
        }
        assert row["schema"]["maximum"] == 10000
        assert row["levels"] == ["organization", "stream"]

    def test_resolved_tells_every_setting_with_provenance(self, api, final, ios):
        set_games(api())
        set_games(api(), level="stream", stream="final", value=True, comment="On for the final")

        answer = api("viewer").get(f"{BASE}/resolved?stream=final&client=ios")

        assert answer["ETag"] == '"3"'
        body = answer.json()
        assert (body["stream"], body["client"], body["version"]) == ("final", "ios", 3)
        assert len(body["settings"]) == len(CATALOGUE)
        row = next(row for row in body["settings"] if row["key"] == GAMES)
        assert row["value"] is True
        assert row["provenance"]["level"] == "stream"
        assert row["provenance"]["version"] == 3
        assert row["provenance"]["changed_by"] == "admin token"
        assert row["provenance"]["comment"] == "On for the final"
        assert row["override"] is None
        assert row["inherited"]["value"] is True
        default = next(row for row in body["settings"] if row["key"] == "ui.theme_mode")
        assert default["provenance"] == {
            "level": "default",
            "locked": False,
            "version": None,
            "changed_at": None,
            "changed_by": None,
            "comment": "",
        }

    def test_resolved_tells_locks_and_what_they_hide(self, api, final):
        set_games(api(), level="stream", stream="final", value=True)
        set_games(api(), locked=True)

        body = api().get(f"{BASE}/resolved?stream=final").json()

        row = next(row for row in body["settings"] if row["key"] == GAMES)
        assert row["locked_by"] == "organization"
        assert row["override"]["value"] is True
        assert [value["provenance"]["level"] for value in row["ignored"]] == ["stream"]

    def test_resolved_at_a_past_version(self, api):
        set_games(api())
        set_games(api(), value=True)

        body = api().get(f"{BASE}/resolved?version=2").json()

        assert body["config_version"] == 2
        assert next(row for row in body["settings"] if row["key"] == GAMES)["value"] is False
        problem(api().get(f"{BASE}/resolved?version=99"), 404, "unknown-version")
        assert wrong_fields(api().get(f"{BASE}/resolved?version=x")) == ["version"]
        assert wrong_fields(api().get(f"{BASE}/resolved?strem=final")) == ["strem"]

    def test_resolved_of_a_foreign_stream_is_not_found(self, api, rival):
        make_stream(rival, "theirs")
        make_client(rival, "their-app")

        problem(api().get(f"{BASE}/resolved?stream=theirs"), 404, "not-found")
        problem(api().get(f"{BASE}/resolved?client=their-app"), 404, "not-found")

    def test_snapshot_is_what_an_sdk_gets(self, api, final, ios):
        set_games(api())
        set_games(api(), key="auth.jwks_url", value="https://id.example.com/keys")

        body = api().get(f"{BASE}/snapshot?stream=final&client=ios").json()

        assert (body["organization"], body["version"]) == ("acme", 3)
        assert body["settings"][GAMES] is False
        assert "auth.jwks_url" not in body["settings"]
        past = api().get(f"{BASE}/snapshot?stream=final&client=ios&version=1").json()
        assert past["settings"] == CATALOGUE.delivered()
        assert wrong_fields(api().get(f"{BASE}/snapshot?stream=final")) == ["client"]

    def test_overrides_are_listed_and_narrowed(self, api, final, ios):
        set_games(api())
        set_games(api(), level="stream", stream="final")
        set_games(api(), level="client", client="ios", stream="final")
        set_games(api(), key="ui.theme_mode", value="dark")

        def listed(query):
            answer = api().get(f"{BASE}/overrides?{query}")
            assert answer["ETag"] == '"5"'
            return [(row["level"], row["key"]) for row in answer.json()["results"]]

        assert len(listed("")) == 4
        assert listed("key=ui.theme_mode") == [("organization", "ui.theme_mode")]
        assert listed("level=stream") == [("stream", GAMES)]
        assert {level for level, _ in listed("stream=final")} == {"stream", "client_on_stream"}
        assert listed("level=client_on_stream&client=ios") == [("client_on_stream", GAMES)]
        problem(api().get(f"{BASE}/overrides?stream=nowhere"), 404, "not-found")

    def test_versions_tell_the_history(self, api, final):
        set_games(api(), comment="Feed is wrong")
        set_games(api(), level="stream", stream="final", value=True)
        clear_games(api())

        rows = api().get(f"{BASE}/versions").json()["results"]
        assert [(row["version"], row["kind"]) for row in rows] == [
            (4, "clear"),
            (3, "set"),
            (2, "set"),
            (1, "catalogue"),
        ]
        assert rows[2]["comment"] == "Feed is wrong"
        assert (rows[1]["stream"], rows[1]["value_after"]) == ("final", True)
        one = api().get(f"{BASE}/versions/3").json()
        assert one == rows[1]
        problem(api().get(f"{BASE}/versions/9"), 404, "not-found")
        problem(api().get(f"{BASE}/versions/{'9' * 40}"), 404, "not-found")
        after = api().get(f"{BASE}/versions?after=3").json()["results"]
        assert [row["version"] for row in after] == [4]

    def test_lists_cost_the_same_however_long(self, api, final, ios, put):
        for setting in CATALOGUE.in_group("overlays")[:8]:
            put(setting.key, not setting.default, Scope(stream=final))
        browser = api()

        with at_most(7):
            browser.get(f"{BASE}/overrides?stream=final")
        with at_most(5):
            browser.get(f"{BASE}/versions")
        with at_most(6):
            browser.get(f"{BASE}/resolved?stream=final&client=ios")


def test_a_suspended_organization_is_told(api, acme, inside):
    acme.status = acme.Status.SUSPENDED
    acme.save(update_fields=["status"])

    problem(set_games(api()), 403, "organization-suspended")
    assert inside(current_version) == 1

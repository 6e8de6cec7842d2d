"""The audit page, one entry, and the file of what was found."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from core.models import AuditEntry
from tenants import audit_views
from tests.counting import at_most

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
URL = "/o/acme/audit/"


@pytest.fixture
def entries(in_acme):
    rows = [
        ("settings.set", "olga@acme.example", "setting", "chat.slow_mode_s", "done"),
        ("stream.create", "olga@acme.example", "stream", "cup-final", "done"),
        ("keys.change", "vic@acme.example", "page", "/o/acme/keys/", "refused"),
    ]
    return [
        AuditEntry.objects.create(
            at=AT + timedelta(days=number),
            actor_kind="person",
            actor_id="1",
            actor_label=actor,
            action=action,
            target_type=kind,
            target_id=target,
            before={"value": 1},
            after={"value": 2},
            result=result,
        )
        for number, (action, actor, kind, target, result) in enumerate(rows)
    ]


@pytest.fixture
def find(entries, operator, browse):
    """Return which of the rows an address shows."""

    def found(query):
        page = browse(operator).get(URL + query).content.decode()
        return [entry.target_id for entry in entries if f"/audit/{entry.pk}/" in page]

    return found


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["chat.slow_mode_s", "cup-final", "/o/acme/keys/"]),
        ("?q=CUP", ["cup-final"]),
        ("?action=settings.set", ["chat.slow_mode_s"]),
        ("?actor=vic@acme.example", ["/o/acme/keys/"]),
        ("?target_type=stream&target=cup-final", ["cup-final"]),
        ("?result=refused", ["/o/acme/keys/"]),
        ("?since=2026-11-21", ["cup-final", "/o/acme/keys/"]),
        ("?until=2026-11-20", ["chat.slow_mode_s"]),
        ("?since=2026-11-21&until=2026-11-21", ["cup-final"]),
        ("?q=nothing+like+it", []),
        (
            "?since=nonsense&result=maybe&page=999",
            ["chat.slow_mode_s", "cup-final", "/o/acme/keys/"],
        ),
        ("?q=%00", ["chat.slow_mode_s", "cup-final", "/o/acme/keys/"]),
        ("?until=9999-12-31", ["chat.slow_mode_s", "cup-final", "/o/acme/keys/"]),
    ],
)
def test_search_and_filters(find, query, shown):
    assert find(query) == shown


def test_htmx_gets_the_table_and_the_export_link(entries, operator, browse):
    answer = browse(operator, htmx=True).get(URL + "?q=cup").content.decode()

    assert "<html" not in answer
    assert "export.csv?q=cup" in answer


def test_entry_shows_was_and_became(entries, operator, browse):
    answer = browse(operator, htmx=True).get(f"{URL}{entries[0].pk}/").content.decode()

    assert "Was" in answer
    assert "Became" in answer
    assert "olga@acme.example" in answer


def test_entry_is_a_page_of_its_own_too(entries, operator, browse):
    assert "<html" in browse(operator).get(f"{URL}{entries[0].pk}/").content.decode()


def test_unknown_entry_is_not_found(in_acme, operator, browse):
    assert browse(operator).get(f"{URL}999999999999999999999/").status_code == 404


def test_viewer_may_not_look(viewer, browse):
    assert browse(viewer).get(URL).status_code == 403


def test_it_takes_few_queries(entries, operator, browse):
    browser = browse(operator)
    browser.get(URL)

    with at_most(9):
        browser.get(URL)


class TestExport:
    def rows(self, browser, query=""):
        answer = browser.get(f"{URL}export.csv{query}")
        assert answer["Content-Type"].startswith("text/csv")
        assert "acme-audit-" in answer["Content-Disposition"]
        return list(csv.DictReader(io.StringIO(answer.content.decode())))

    def test_holds_what_was_found(self, entries, operator, browse):
        rows = self.rows(browse(operator), "?action=stream.create")

        assert [row["target"] for row in rows] == ["cup-final"]
        assert rows[0]["after"] == '{"value": 2}'

    @pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
    def test_cells_are_no_formulas(self, in_acme, operator, browse, evil):
        AuditEntry.objects.create(
            at=AT,
            actor_kind="person",
            actor_label=evil,
            action="stream.create",
            target_type="stream",
            target_label=evil,
        )

        (row,) = self.rows(browse(operator))

        assert row["actor"].startswith("'")
        assert row["target_label"].startswith("'")

    def test_is_limited(self, entries, operator, browse, monkeypatch):
        monkeypatch.setattr(audit_views, "EXPORT_ROWS", 2)

        assert len(self.rows(browse(operator))) == 2


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        (None, {"a": 1}, ["a"]),
        ({"a": 1}, None, ["a"]),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ["b"]),
        (1, 2, ["value"]),
        (None, None, []),
    ],
)
def test_differences_name_only_what_differs(before, after, keys):
    assert [row["key"] for row in audit_views.differences(before, after)] == keys

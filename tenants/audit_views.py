"""Who changed what, when and from where? Search, one entry, and a file of the rows found."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from core import htmx
from core.access import requires
from core.lists import Column, page_of
from core.models import AuditEntry
from core.tenancy import OrganizationRequest
from tenants import queries
from tenants.forms import AuditForm

EXPORT_ROWS = 20_000
COLUMNS = (
    Column(key="when", label="When", order=("at",)),
    Column(key="who", label="Who"),
    Column(key="what", label="What"),
    Column(key="target", label="On"),
    Column(key="result", label="Result"),
)
EXPORT_COLUMNS = (
    "at",
    "actor_kind",
    "actor",
    "address",
    "action",
    "target_type",
    "target",
    "target_label",
    "result",
    "comment",
    "before",
    "after",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@require_GET
@requires("audit.view")
def audit(request: OrganizationRequest) -> HttpResponse:
    """Search the audit rows of this organization."""
    form = AuditForm(request.GET)
    chosen = form.chosen()
    context = {
        "section": "audit",
        "form": form,
        "chosen": chosen,
        "filtered": chosen != queries.AuditFilter(),
        "filters": _filters(chosen),
        "columns": COLUMNS,
        "sort": "-when",
        "page": page_of(request, queries.audit_entries(chosen), columns=COLUMNS, sort="-when"),
        "query": request.GET.urlencode(),
    }
    return htmx.render(request, "tenants/audit.html", "tenants/_audit.html", context)


@require_GET
@requires("audit.view")
def audit_entry(request: OrganizationRequest, entry_id: int) -> HttpResponse:
    """Show one row with what was and what became."""
    entry = AuditEntry.objects.filter(pk=entry_id).first()
    if entry is None:
        raise Http404
    context = {
        "section": "audit",
        "entry": entry,
        "changes": differences(entry.before, entry.after),
        "fragment": "tenants/_audit_entry.html",
        "heading": entry.action,
    }
    return htmx.render(request, "tenants/dialog.html", "tenants/_audit_entry.html", context)


@require_GET
@requires("audit.view")
def audit_export(request: OrganizationRequest) -> HttpResponse:
    """Answer the rows found as CSV that a spreadsheet shows and never runs."""
    rows = queries.audit_entries(AuditForm(request.GET).chosen())[:EXPORT_ROWS]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(EXPORT_COLUMNS)
    writer.writerows([_cell(value) for value in _row(entry)] for entry in rows.iterator())
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"{request.organization.slug}-audit-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def differences(before: Any, after: Any) -> list[dict[str, Any]]:
    """Return what _diff.html shows: one row per field that differs."""
    was = before if isinstance(before, dict) else {"value": before}
    becomes = after if isinstance(after, dict) else {"value": after}
    if before is None and isinstance(after, dict):
        was = {}
    if after is None and isinstance(before, dict):
        becomes = {}
    keys = [*was, *(key for key in becomes if key not in was)]
    return [
        {"key": key, "was": was.get(key), "becomes": becomes.get(key)}
        for key in keys
        if was.get(key) != becomes.get(key)
    ]


def _filters(chosen: queries.AuditFilter) -> list[dict[str, Any]]:
    actions = [(name, name) for name in queries.audit_actions()]
    results = list(AuditEntry.Result.choices)
    return [
        {
            "name": "action",
            "label": "Action",
            "value": chosen.action,
            "choices": [("", "Any action"), *actions],
        },
        {
            "name": "result",
            "label": "Result",
            "value": chosen.result,
            "choices": [("", "Any result"), *results],
        },
    ]


def _row(entry: AuditEntry) -> tuple[Any, ...]:
    return (
        entry.at.isoformat(),
        entry.actor_kind,
        entry.actor_label,
        entry.address or "",
        entry.action,
        entry.target_type,
        entry.target_id,
        entry.target_label,
        entry.result,
        entry.comment,
        "" if entry.before is None else json.dumps(entry.before, ensure_ascii=False),
        "" if entry.after is None else json.dumps(entry.after, ensure_ascii=False),
    )


def _cell(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text

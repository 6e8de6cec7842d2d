"""How does the settings page answer a change: saved, refused, to be reviewed, or in conflict?"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django_htmx.http import reswap, retarget, trigger_client_event

from core import htmx
from core.errors import DomainError
from core.tenancy import OrganizationRequest
from settings_hierarchy.operations import StaleVersion, Written
from settings_hierarchy.queries import overrides_below, resolved
from settings_hierarchy.rows import Draft, Place, SettingRow, row_id
from settings_hierarchy.schema import Level, Setting
from settings_hierarchy.wishes import Wish, preview

ROW = "settings_hierarchy/_row.html"
SECTIONS = {
    Level.ORGANIZATION: "settings",
    Level.STREAM: "streams",
    Level.CLIENT: "clients",
    Level.CLIENT_ON_STREAM: "streams",
}


def row_at(place: Place, setting: Setting, draft: Draft | None = None) -> SettingRow:
    """Read one row as it stands now."""
    found = resolved(place.scope)
    return SettingRow(
        resolved=found.setting(setting.key),
        place=place,
        based_on=found.config_version,
        below=overrides_below(place.scope).get(setting.key, 0),
        draft=draft,
    )


def saved(
    request: OrganizationRequest, place: Place, setting: Setting, written: Written
) -> HttpResponseBase:
    """Answer a change that is done, or that changed nothing."""
    text, undo = _toast(request, place, written)
    row = row_at(place, setting)
    if not htmx.wants_fragment(request):
        return htmx.redirect(request, f"{place.url}#{row.id}", toast=text, undo_url=undo)
    context = page_context(place) | {
        "row": row,
        "config_version": row.based_on,
        "published": written.version if place.is_live and written.change is not None else None,
    }
    answer = render(request, "settings_hierarchy/_saved.html", context)
    # After the swap: a new toast takes the place of the one whose Undo asked for this.
    detail = {"text": text} | ({"undo_url": undo} if undo else {})
    trigger_client_event(answer, "gantry:toast", detail, after="swap")
    return htmx.close_dialog(_into_row(answer, row))


def _toast(request: OrganizationRequest, place: Place, written: Written) -> tuple[str, str]:
    """Return the toast's words and, where the change reaches nobody yet, the way to undo it."""
    if written.change is None:
        return "Nothing to change", ""
    if place.is_live:
        return f"Version {written.version} published"[: htmx.TOAST_CHARACTERS], ""
    arguments = {"organization": request.organization.slug, "version": written.version}
    text = "Undone" if written.change.undoes_id else "Saved"
    return text, reverse("settings_hierarchy:undo", kwargs=arguments)


def refused(
    request: OrganizationRequest, place: Place, setting: Setting, error: DomainError
) -> HttpResponse:
    """Answer with the reason beside the input, and what was typed still in it."""
    status = error.status if error.status == 409 else 422
    row = row_at(place, setting, Draft(value=_typed(request, setting), error=error.message))
    return _row_or_page(request, row, status=status)


def _typed(request: OrganizationRequest, setting: Setting) -> object:
    texts = request.POST.getlist("value")
    if setting.rules.items is not None:
        return [text for text in texts if text.strip()]
    if setting.type == "bool":
        return texts == ["true"]
    return texts[0] if texts else ""


def review(request: OrganizationRequest, place: Place, wish: Wish) -> HttpResponse:
    """Ask for a second look: a live stream's viewers would see the change at once."""
    now = resolved(place.scope)
    seen = preview(wish, now)
    context = page_context(place) | {
        "wish": wish,
        "preview": seen,
        "action": place.change_url(wish.setting.key),
        "based_on": wish.based_on.version if wish.based_on else now.config_version,
    }
    return _sheet(request, "review", context)


def conflict(
    request: OrganizationRequest, place: Place, wish: Wish, stale: StaleVersion
) -> HttpResponse:
    """Show what it was, what others made of it, and what this person wants."""
    now = resolved(place.scope)
    key = wish.setting.key
    base = None
    if wish.based_on is not None and 1 <= wish.based_on.version <= now.config_version:
        base = resolved(place.scope, version=wish.based_on.version).setting(key).current
    context = page_context(place) | {
        "wish": wish,
        "stale": stale,
        "base": base,
        "theirs": now.setting(key).current,
        "yours": now.setting(key).inherited.value if wish.value is None else wish.value,
        "action": place.change_url(key),
        "row_url": place.setting_url(key),
        "row_id": row_id(key),
        "based_on": now.config_version,
    }
    return _sheet(request, "conflict", context, status=409)


def page_context(place: Place) -> dict[str, Any]:
    """Return what every template of a scope needs."""
    return {
        "place": place,
        "scope": place.scope,
        "stream": place.scope.stream,
        "client": place.scope.client,
        "level": place.scope.level,
        "section": SECTIONS[place.scope.level],
    }


def _row_or_page(request: OrganizationRequest, row: SettingRow, *, status: int) -> HttpResponse:
    context = page_context(row.place) | {"row": row, "config_version": row.based_on}
    answer = htmx.render(request, "settings_hierarchy/setting.html", ROW, context, status=status)
    if htmx.wants_fragment(request):
        return htmx.close_dialog(_into_row(answer, row))
    return answer


def _sheet(
    request: OrganizationRequest, name: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    answer = htmx.render(
        request,
        f"settings_hierarchy/{name}.html",
        f"settings_hierarchy/_{name}.html",
        context,
        status=status,
    )
    return reswap(retarget(answer, "#modal"), "innerHTML")


def _into_row(answer: HttpResponse, row: SettingRow) -> HttpResponse:
    return reswap(retarget(answer, f"#{row.id}"), "outerHTML")

"""The settings pages: parse, one call, answer."""

from __future__ import annotations

from dataclasses import replace

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from core import audit, htmx
from core.access import may, permissions_of, requires
from core.audit import Actor
from core.errors import DomainError
from core.tenancy import OrganizationRequest
from settings_hierarchy import answers
from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.forms import ChangeForm, SettingsFilter, Verb
from settings_hierarchy.models import Scope
from settings_hierarchy.operations import StaleVersion, Written, setting_change
from settings_hierarchy.queries import (
    changes_lock,
    history,
    live_streams,
    override_at,
    overrides_below,
    resolved,
)
from settings_hierarchy.rows import Place, grouped_rows, rows_of
from settings_hierarchy.wishes import Wish, read_wish
from streams.models import Client, Stream

MAX_TABS = 12
FRAGMENTS = {"modal": "_history", "setting-history": "_changes"}  # else the row


@require_GET
@requires("settings.view")
def settings_page(request: OrganizationRequest, stream: str = "", client: str = "") -> HttpResponse:
    """Show the settings of a scope that the address asks for."""
    place = _place(request, stream, client)
    wanted = SettingsFilter.of(request.GET)
    found = resolved(place.scope)
    rows = rows_of(found, place, overrides_below(place.scope))
    kept = [row for row in rows if wanted.keeps(row.resolved)]
    context = answers.page_context(place) | {
        "groups": grouped_rows(kept),
        "count": len(kept),
        "total": len(rows),
        "wanted": wanted,
        "filters": wanted.choices(),
        "config_version": found.config_version,
        "version": found.version,
        "published_at": found.published_at,
        "tabs": _tabs(place),
    }
    page, fragment = "settings_hierarchy/settings.html", "settings_hierarchy/_settings.html"
    return htmx.render(request, page, fragment, context)


@require_GET
@requires("settings.view")
def setting_page(
    request: OrganizationRequest, key: str, stream: str = "", client: str = ""
) -> HttpResponse:
    """Show one setting with its history; htmx gets the row, or the history where it asks for it."""
    place = _place(request, stream, client)
    setting = CATALOGUE.setting(key)
    row = answers.row_at(place, setting)
    context = answers.page_context(place) | {
        "row": row,
        "config_version": row.based_on,
        "history": history(place.scope, key),
    }
    fragment = FRAGMENTS.get(request.headers.get("HX-Target", ""), "_row")
    page = "settings_hierarchy/setting.html"
    return htmx.render(request, page, f"settings_hierarchy/{fragment}.html", context)


@require_POST
@requires("settings.change")
def setting_change_page(
    request: OrganizationRequest, key: str, stream: str = "", client: str = ""
) -> HttpResponseBase:
    """Change one setting: at once, or after a review when a live stream's viewers see it."""
    return _change(request, _place(request, stream, client), key, ChangeForm(request.POST))


@require_POST
@requires("settings.change")
def undo(request: OrganizationRequest, version: int) -> HttpResponseBase:
    """Take back one change, unless the setting has changed again since."""
    change = setting_change(version)
    form = ChangeForm({"do": Verb.UNDO, "version": version})
    return _change(request, _placed(request, change.scope), change.key, form)


def _change(
    request: OrganizationRequest, place: Place, key: str, form: ChangeForm
) -> HttpResponseBase:
    setting = CATALOGUE.setting(key)
    try:
        if not form.is_valid():
            raise _first_error(form)
        return _fulfil(request, place, read_wish(place.scope, setting, form, request.POST))
    except DomainError as error:
        return answers.refused(request, place, setting, error)


def _fulfil(request: OrganizationRequest, place: Place, wish: Wish) -> HttpResponseBase:
    key = wish.setting.key
    if wish.locked is not None and changes_lock(place.scope, key, wish.locked):
        _require_lock_right(request)
    if place.is_live and not wish.reviewed and wish.changes(override_at(place.scope, key)):
        return answers.review(request, place, wish)
    try:
        written: Written = wish.do(actor=Actor.of(request), at=timezone.now())
    except StaleVersion as stale:
        return answers.conflict(request, place, wish, stale)
    return answers.saved(request, place, wish.setting, written)


def _require_lock_right(request: OrganizationRequest) -> None:
    if not may(request.membership, "settings.lock"):
        audit.record_refusal(request, "settings.lock")
        raise PermissionDenied("Your role may not set or release a lock.")


def _first_error(form: ChangeForm) -> DomainError:
    field, errors = next(iter(form.errors.items()))
    return DomainError(f"{field.capitalize()}: {errors[0]}", field=field)


def _place(request: OrganizationRequest, stream: str, client: str) -> Place:
    """Return where the address points; a slug of another organization is not found."""
    scope = Scope(
        stream=get_object_or_404(Stream, slug=stream) if stream else None,
        client=get_object_or_404(Client, slug=client) if client else None,
    )
    return _placed(request, scope)


def _placed(request: OrganizationRequest, scope: Scope) -> Place:
    return Place(
        organization=request.organization.slug,
        scope=scope,
        may=permissions_of(request.membership.role),
        is_live=live_streams(scope).exists(),
    )


def _tabs(place: Place) -> list[dict[str, object]]:
    """Return the neighbouring scopes: a stream's clients, or the streams of a client."""
    scope = place.scope
    if scope.stream is not None:
        clients = list(Client.objects.current()[:MAX_TABS])
        if scope.client is not None and scope.client not in clients:
            clients.append(scope.client)
        whole = Scope(stream=scope.stream)
        scopes = [Scope(stream=scope.stream, client=client) for client in clients]
        labels = ["All clients", *(client.name for client in clients)]
    elif scope.client is not None:
        streams = list(Stream.objects.current()[:MAX_TABS])
        whole = Scope(client=scope.client)
        scopes = [Scope(stream=stream, client=scope.client) for stream in streams]
        labels = ["Every stream", *(stream.title for stream in streams)]
    else:
        return []
    return [
        {"label": label, "url": replace(place, scope=each).url, "current": each == scope}
        for label, each in zip(labels, [whole, *scopes], strict=True)
    ]

"""How one view answers a whole page or the fragment htmx asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render as render_page
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_htmx.http import HttpResponseClientRedirect, HttpResponseLocation, trigger_client_event
from django_htmx.middleware import HtmxDetails

TOAST_CHARACTERS: Final = 30


def wants_fragment(request: HttpRequest) -> bool:
    """Return whether htmx will swap the answer into a page that is already there."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    if htmx is None or not htmx:
        return False
    return not htmx.boosted and not htmx.history_restore_request


def render(
    request: HttpRequest,
    page: str,
    fragment: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Return the page for a plain request and its fragment for htmx, from the same context."""
    template = fragment if wants_fragment(request) else page
    response = render_page(request, template, dict(context or {}), status=status)
    patch_vary_headers(response, ("HX-Request",))
    return response


def toast(response: HttpResponse, text: str, undo_url: str | None = None) -> HttpResponse:
    """Make the page that swaps this response show a toast; `undo_url` takes a POST."""
    assert len(text) <= TOAST_CHARACTERS, f"A toast has at most {TOAST_CHARACTERS} characters."
    detail = {"text": text} | ({"undo_url": undo_url} if undo_url else {})
    return trigger_client_event(response, "gantry:toast", detail)


def redirect(
    request: HttpRequest, url: str, *, toast: str = "", undo_url: str = "", reload: bool = True
) -> HttpResponse:
    """Send a browser or htmx to `url`; the toast is shown there.

    With `reload=False` htmx fetches the page and swaps its body instead of loading it anew.
    """
    if toast:
        assert len(toast) <= TOAST_CHARACTERS, f"A toast has at most {TOAST_CHARACTERS} characters."
        messages.success(request, toast, extra_tags=undo_url)
    if not getattr(request, "htmx", False):
        return HttpResponseRedirect(url)
    return HttpResponseClientRedirect(url) if reload else HttpResponseLocation(url)


def close_dialog(response: HttpResponse) -> HttpResponse:
    """Make the page close the dialog that sent the request."""
    return trigger_client_event(response, "gantry:close-dialog", {}, after="swap")


def out_of_band(
    request: HttpRequest, target: str, template: str, context: Mapping[str, Any]
) -> SafeString:
    """Return a fragment that replaces the content of `#target` beside the main swap."""
    body = SafeString(render_to_string(template, dict(context), request))
    return format_html('<div hx-swap-oob="innerHTML:#{}">{}</div>', target, body)


def announce(text: str) -> SafeString:
    """Return the out-of-band line that a screen reader says after the swap."""
    return format_html('<div hx-swap-oob="innerHTML:#announcer">{}</div>', text)

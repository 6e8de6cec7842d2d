"""Tags and filters of the interface kit: icons, times, states and the parts of a list's address."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from django import template
from django.core.paginator import Paginator
from django.forms import BoundField
from django.http import HttpRequest
from django.template.context import Context
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

LEVELS: Final = {
    "default": "Default",
    "organization": "Organization",
    "stream": "Stream",
    "client": "Client",
    "client_on_stream": "Client on stream",
}
PLATFORM_ICONS: Final = {
    "ios": "brand-apple",
    "tvos": "device-tv",
    "android": "brand-android",
    "android_tv": "device-tv",
    "fire_tv": "device-tv",
    "web": "world",
    "react_native": "device-mobile",
    "roku": "device-tv",
    "tizen": "device-tv",
    "webos": "device-tv",
    "playstation": "device-gamepad-2",
    "xbox": "device-gamepad-2",
}
CHOICE_WIDGETS: Final = {"select", "selectmultiple", "nullbooleanselect"}
BARE_WIDGETS: Final = {"checkbox", "radioselect", "checkboxselectmultiple", "hidden"}


@register.simple_tag
def icon(name: str, label: str = "", size: str = "") -> SafeString:
    """Return one icon of the sprite; without a label it is hidden from assistive technology."""
    named = format_html('role="img" aria-label="{}"', label) if label else 'aria-hidden="true"'
    return format_html(
        '<svg class="ico{}" {}><use href="{}#{}"></use></svg>',
        f" ico-{size}" if size else "",
        SafeString(named),
        static("icons.svg"),
        name,
    )


@register.simple_tag
def local_time(at: datetime | None, style: str = "datetime", empty: str = "–") -> SafeString | str:
    """Return a <time> that the browser shows in the reader's zone: datetime, date, time or ago."""
    if at is None:
        return empty
    moment = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" data-local="{}">{} UTC</time>',
        moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
        style,
        moment.strftime("%-d %b %Y, %H:%M"),
    )


@register.filter
def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@register.filter
def clock(seconds: float | None) -> str:
    """Show a number of seconds as 1:02:03, or as 3 d 4 h from two days on."""
    if seconds is None:
        return "–"
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@register.filter
def grouped(number: float | None) -> str:
    """Show a number with thin groups of three, as 12,345."""
    return "–" if number is None else f"{number:,}"


@register.filter
def value_text(value: object) -> str:
    """Show a setting's value as an operator reads it; text keeps its exact characters."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, str):
        return value or "(empty)"
    if isinstance(value, list) and all(isinstance(part, str | int | float) for part in value):
        return ", ".join(str(part) for part in value) or "(empty list)"
    return json.dumps(value, ensure_ascii=False, indent=2)


@register.filter
def level_name(level: object) -> str:
    text = str(getattr(level, "value", level))
    return LEVELS.get(text, text)


@register.filter
def platform_icon(platform: object) -> str:
    key = str(getattr(platform, "value", platform)).lower().replace("-", "_").replace(" ", "_")
    return PLATFORM_ICONS.get(key, "code")


@register.filter
def initial(text: object) -> str:
    return str(text).strip()[:1] or "?"


@register.filter
def share_of(done: float | None, total: float | None) -> int:
    """Return how much of the total is done, in whole per cent; nothing to do counts as done."""
    if not total:
        return 100
    return min(100, int(100 * (done or 0) / total))


@register.filter
def page_numbers(paginator: Paginator[Any], current: int) -> list[int | None]:
    """Return the page numbers to offer; None stands for a gap."""
    shown = paginator.get_elided_page_range(current, on_each_side=1, on_ends=1)
    return [number if isinstance(number, int) else None for number in shown]


@register.simple_tag
def widget(field: BoundField, **attributes: str) -> SafeString:
    """Return a form field's widget with the class and the descriptions the kit gives it."""
    kind = field.widget_type
    classes = "form-select" if kind in CHOICE_WIDGETS else "form-control"
    own = str(field.field.widget.attrs.get("class", ""))
    attrs: dict[str, Any] = dict(attributes)
    if kind not in BARE_WIDGETS:
        attrs["class"] = f"{classes} {own}".strip()
    described = [f"{field.auto_id}-help"] if field.help_text else []
    if field.errors:
        described.append(f"{field.auto_id}-error")
        attrs["aria-invalid"] = "true"
    if described:
        attrs["aria-describedby"] = " ".join(described)
    return SafeString(field.as_widget(attrs=attrs))


@register.simple_tag(takes_context=True)
def hidden_query(context: Context, without: str = "") -> SafeString:
    """Return the address's parameters as hidden inputs, but for those named in `without`."""
    request: HttpRequest = context["request"]
    left_out = set(without.split())
    pairs = (
        (name, value)
        for name, values in request.GET.lists()
        if name not in left_out
        for value in values
        if value
    )
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


@register.inclusion_tag("components/_sort_th.html", takes_context=True)
def sort_th(context: Context, key: str, label: str, form: str, numeric: bool = False) -> Any:
    """Return the head of a sortable column; its button submits the list's sort form."""
    current = context.get("sort") or context["request"].GET.get("sort", "")
    ascending, descending = current == key, current == f"-{key}"
    return {
        "key": key,
        "label": label,
        "form": form,
        "numeric": numeric,
        "next_sort": f"-{key}" if ascending else key,
        "aria_sort": "ascending" if ascending else "descending" if descending else "none",
    }

"""What did a person type into the settings page, and what does its address ask for?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django import forms
from django.http import QueryDict

from core import strict_json
from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.models import MAX_COMMENT_LENGTH
from settings_hierarchy.queries import ResolvedSetting
from settings_hierarchy.schema import InvalidValue, Setting
from settings_hierarchy.values import SettingType

MAX_SEARCH_LENGTH = 200
MAX_NUMBER_LENGTH = 30
MAX_VERSION = 2**53


class Verb(StrEnum):
    """What a row of the settings page can be asked to do."""

    SET = "set"
    LOCK = "lock"
    UNLOCK = "unlock"
    RESET = "reset"
    RESTORE = "restore"
    UNDO = "undo"

    @property
    def takes_value(self) -> bool:
        return self in {Verb.SET, Verb.LOCK, Verb.UNLOCK}


class ChangeForm(forms.Form):
    """All of a posted change but its value, whose type only the catalogue knows."""

    do = forms.ChoiceField(choices=[(verb, verb) for verb in Verb], required=False)
    based_on = forms.IntegerField(min_value=0, max_value=MAX_VERSION, required=False)
    version = forms.IntegerField(min_value=1, max_value=MAX_VERSION, required=False)
    comment = forms.CharField(max_length=MAX_COMMENT_LENGTH, required=False)
    reviewed = forms.BooleanField(required=False)

    @property
    def verb(self) -> Verb:
        """Return what is asked; the field that was changed alone asks to be set."""
        return Verb(self.cleaned_data.get("do") or Verb.SET)


def posted_value(setting: Setting, posted: QueryDict) -> object:
    """Return the posted value as JSON would hold it; Setting.parse judges it.

    Raises InvalidValue for a number or an object that cannot be read at all.
    """
    if setting.type is SettingType.BOOL:
        return posted.get("value") == "true"
    if setting.type is SettingType.LIST:
        texts = [text.strip() for text in posted.getlist("value")]
        return [_choice(setting, text) for text in texts if text]
    text = posted.get("value", "").strip()
    if setting.type is SettingType.ENUM:
        return _choice(setting, text)
    if setting.type in {SettingType.INT, SettingType.FLOAT}:
        return _number(setting, text)
    if setting.type is SettingType.OBJECT:
        return _object(setting, text)
    return text


def _choice(setting: Setting, text: str) -> object:
    """Return the choice that is written like this; the text itself when there is none."""
    return next((choice for choice in setting.rules.choices if str(choice) == text), text)


def _number(setting: Setting, text: str) -> object:
    whole = setting.type is SettingType.INT
    try:
        if len(text) > MAX_NUMBER_LENGTH or "_" in text or not text.isascii():
            raise ValueError
        return int(text) if whole else float(text)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise InvalidValue(setting, f"must be {kind}") from None


def _object(setting: Setting, text: str) -> object:
    try:
        return strict_json.loads(text.encode("utf-8", "surrogatepass"))
    except (strict_json.InvalidJSON, strict_json.TooLarge) as error:
        raise InvalidValue(setting, f"must be JSON: {error.message}") from error


class Show(StrEnum):
    ALL = ""
    CHANGED = "changed"
    HERE = "here"
    LOCKED = "locked"


SHOWN = {
    Show.ALL: "All settings",
    Show.CHANGED: "Changed only",
    Show.HERE: "Set here",
    Show.LOCKED: "Locked",
}


@dataclass(frozen=True, kw_only=True)
class SettingsFilter:
    """What the address of a settings page asks for; what makes no sense in it is left out."""

    search: str
    group: str
    show: Show

    @classmethod
    def of(cls, query: QueryDict) -> SettingsFilter:
        group, show = query.get("group", ""), query.get("show", "")
        return cls(
            search=query.get("q", "").strip()[:MAX_SEARCH_LENGTH],
            group=group if group in CATALOGUE.groups else "",
            show=Show(show) if show in set(Show) else Show.ALL,
        )

    @property
    def is_narrow(self) -> bool:
        return bool(self.search or self.group or self.show)

    def keeps(self, row: ResolvedSetting) -> bool:
        if self.group and row.setting.group != self.group:
            return False
        return self._shows(row) and self._finds(row.setting)

    def _shows(self, row: ResolvedSetting) -> bool:
        if self.show is Show.CHANGED:
            return row.own is not None or not row.current.is_default
        if self.show is Show.HERE:
            return row.own is not None
        return self.show is not Show.LOCKED or row.current.locked

    def _finds(self, setting: Setting) -> bool:
        text = f"{setting.key} {setting.label} {setting.help}".lower()
        return all(word in text for word in self.search.lower().split())

    def choices(self) -> Sequence[dict[str, object]]:
        """Return the two selects of the filter bar."""
        groups = [("", "All groups")] + [(group.key, group.title) for group in CATALOGUE.headings]
        shows = [(show.value, text) for show, text in SHOWN.items()]
        return [
            {"name": "group", "label": "Group", "value": self.group, "choices": groups},
            {"name": "show", "label": "Show", "value": self.show.value, "choices": shows},
        ]

"""Is the catalogue fit to run with? Proved again at every start and in `manage.py check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.schema import Catalogue, InvalidValue, Relation
from settings_hierarchy.values import SettingType, identical


@register()
def catalogue_is_sound(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Prove what loading one row at a time cannot see."""
    return [Error(text, id="gantry.E010") for text in faults(CATALOGUE)]


def faults(catalogue: Catalogue) -> list[str]:
    """Return every fault as a sentence naming the setting."""
    return [
        *_illegal_defaults(catalogue),
        *_delivered_secrets(catalogue),
        *_rules_in_a_circle(catalogue),
        *_repeated_labels(catalogue),
        *_empty_groups(catalogue),
    ]


def _illegal_defaults(catalogue: Catalogue) -> Iterator[str]:
    for setting in catalogue:
        try:
            stored = setting.parse(setting.default)
        except InvalidValue as invalid:
            yield f"{setting.key}: the default is not legal: {invalid.reason}."
            continue
        if not identical(stored, setting.default):
            yield f"{setting.key}: the default is not in its stored form {stored!r}."


def _delivered_secrets(catalogue: Catalogue) -> Iterator[str]:
    for setting in catalogue:
        if setting.type is SettingType.SECRET and setting.is_delivered:
            yield f"{setting.key}: a secret must have the visibility server."


def _rules_in_a_circle(catalogue: Catalogue) -> Iterator[str]:
    for setting in catalogue:
        seen = {setting.key}
        rule = setting.requires
        while rule is not None and rule.relation is not Relation.EQUALS:
            if rule.key in seen:
                yield f"{setting.key}: its rule leads back to {rule.key}."
                break
            seen.add(rule.key)
            rule = catalogue.setting(rule.key).requires


def _repeated_labels(catalogue: Catalogue) -> Iterator[str]:
    seen: dict[tuple[str, str], str] = {}
    for setting in catalogue:
        first = seen.setdefault((setting.group, setting.label), setting.key)
        if first != setting.key:
            yield f"{setting.key}: has the same label as {first}."


def _empty_groups(catalogue: Catalogue) -> Iterator[str]:
    used = {setting.group for setting in catalogue}
    for group in catalogue.groups:
        if group not in used:
            yield f"Group {group}: has no setting."

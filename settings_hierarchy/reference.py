"""What does docs/settings.md say? Written from the catalogue, so that it cannot go stale."""

from __future__ import annotations

import json
from collections.abc import Iterator

from settings_hierarchy.schema import Catalogue, Requirement, Setting

INTRODUCTION = """\
# Settings

Written by `python manage.py write_settings_reference` from `settings_hierarchy/catalogue.toml`;
`--check` fails when this file is out of date. How to add one: [add-a-setting.md](add-a-setting.md).

The most specific level wins: catalogue default, organization, stream, client, client on one stream.
A level may lock a setting that is lockable; stronger levels then cannot change it. A client may set
on one stream what it may set on all. Settings marked *server* never leave the back office.
"""


def settings_reference(catalogue: Catalogue) -> str:
    """Return the whole document."""
    return "\n".join([INTRODUCTION, *_contents(catalogue), "", *_groups(catalogue)]).rstrip() + "\n"


def _contents(catalogue: Catalogue) -> Iterator[str]:
    yield "| Group | Settings |\n|---|---|"
    for group in catalogue.groups.values():
        anchor = group.title.lower().replace(",", "").replace(" ", "-")
        yield f"| [{group.title}](#{anchor}) | {len(catalogue.in_group(group.key))} |"


def _groups(catalogue: Catalogue) -> Iterator[str]:
    for group in catalogue.groups.values():
        yield f"## {group.title}\n\n{group.description}\n"
        for setting in catalogue.in_group(group.key):
            yield _section(setting)


def _section(setting: Setting) -> str:
    facts = [
        f"type {limits(setting)}",
        f"default `{json.dumps(setting.default, ensure_ascii=False)}`",
        f"set by {', '.join(level.label for level in setting.levels)}",
        "lockable" if setting.lockable else "not lockable",
        "delivered to SDKs" if setting.is_delivered else "*server*",
        f"since {setting.since}",
    ]
    text = f"### `{setting.key}`\n\n**{setting.label}.** {setting.help}\n\n{' · '.join(facts)}\n"
    if setting.requires is not None:
        text += f"\nRule: {rule_text(setting.requires)}.\n"
    return text


def limits(setting: Setting) -> str:
    """Return type and limits as short text, for example "int, 3 to 600 s"."""
    rules = setting.rules
    text = f"{rules.type} of {rules.items}" if rules.items else str(rules.type)
    if rules.minimum is not None:
        text += f", {rules.minimum} to {rules.maximum}"
    if rules.choices:
        text += ": " + ", ".join(f"`{choice}`" for choice in rules.choices)
    if rules.pattern:
        text += f" matching `{rules.pattern}`"
    if rules.max_length:
        text += f", at most {rules.max_length} characters"
    if rules.items:
        text += f", at most {rules.max_items}"
    if rules.unique:
        text += ", each once"
    return f"{text} {rules.unit}" if rules.unit and rules.minimum is not None else text


def rule_text(rule: Requirement) -> str:
    """Return a rule between settings as half a sentence."""
    if not rule.is_enforced:
        return f"has effect only when `{rule.key}` is `{json.dumps(rule.value)}`"
    relation = "below" if rule.relation == ">=" else "above"
    return f"never {relation} `{rule.key}`"

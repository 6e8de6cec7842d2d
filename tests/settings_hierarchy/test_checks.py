"""System checks: the shipped catalogue is sound, and each fault is named."""

from __future__ import annotations

import dataclasses

import pytest

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.checks import catalogue_is_sound, faults
from settings_hierarchy.schema import Catalogue, Relation, Requirement, Visibility


def changed(key: str, **fields) -> Catalogue:
    """Return the shipped catalogue with one row changed behind the loader's back."""
    row = dataclasses.replace(CATALOGUE.setting(key), **fields)
    return dataclasses.replace(CATALOGUE, settings={**CATALOGUE.settings, key: row})


def test_the_shipped_catalogue_is_sound():
    assert catalogue_is_sound(None) == []


@pytest.mark.parametrize(
    ("key", "fields", "fault"),
    [
        ("ui.theme_mode", {"default": "sepia"}, "the default is not legal"),
        ("sdk.applied_ack_sample_pct", {"default": 5}, "not in its stored form 5.0"),
        ("triggers.hmac_secret_ref", {"visibility": Visibility.CLIENT}, "must have the visibility"),
        (
            "slo.interaction_p90_ms",
            {"requires": Requirement(relation=Relation.AT_MOST, key="slo.interaction_p99_ms")},
            "its rule leads back to slo.interaction_p90_ms",
        ),
        ("ui.tooltips_enabled", {"label": "Menu always open"}, "has the same label as ui.menu"),
    ],
)
def test_a_fault_is_named(key, fields, fault):
    found = faults(changed(key, **fields))

    assert any(text.startswith(key) and fault in text for text in found), found


def test_a_group_without_settings_is_named():
    settings = {key: row for key, row in CATALOGUE.settings.items() if row.group != "chat"}

    assert faults(dataclasses.replace(CATALOGUE, settings=settings)) == [
        "Group chat: has no setting."
    ]

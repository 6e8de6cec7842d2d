"""docs/settings.md: names every setting and is up to date."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.management.commands import write_settings_reference
from settings_hierarchy.reference import limits, settings_reference


def test_the_reference_is_up_to_date():
    call_command("write_settings_reference", check=True)


def test_every_setting_has_a_section():
    text = settings_reference(CATALOGUE)

    for setting in CATALOGUE:
        assert f"### `{setting.key}`" in text


def test_an_outdated_reference_is_refused_then_written(tmp_path, monkeypatch, capsys):
    path = tmp_path / "settings.md"
    monkeypatch.setattr(write_settings_reference, "PATH", path)

    with pytest.raises(CommandError, match="out of date"):
        call_command("write_settings_reference", check=True)
    assert not path.exists()
    call_command("write_settings_reference")

    assert path.read_text() == settings_reference(CATALOGUE)
    assert "written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("chat.slow_mode_s", "int, 0 to 120 s"),
        ("ui.theme_mode", "enum: `light`, `dark`, `auto`"),
        ("ui.language", "string matching `^[a-z]{2}(-[A-Z]{2})?$`"),
        ("branding.share_text", "string, at most 140 characters"),
        ("overlays.menu_order", "list of string, at most 16, each once"),
        ("auth.jwks_url", "url"),
    ],
)
def test_limits_read_as_text(key, text):
    assert limits(CATALOGUE.setting(key)) == text


def test_rules_between_settings_are_told():
    text = settings_reference(CATALOGUE)

    assert 'Rule: has effect only when `ui.layout.mode` is `"l-bar"`.' in text
    assert "Rule: never below `slo.interaction_p90_ms`." in text

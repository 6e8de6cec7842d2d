"""The two guides name files and functions that exist, and the example row is a legal row."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from settings_hierarchy.catalogue import PATH, load_catalogue

GUIDES = ["add-a-setting.md", "trace-a-setting.md"]
FILE = re.compile(r"`((?:core|live|sdk_keys|sdks|settings_hierarchy)/[a-z_/.]+)`")
NAMES = {
    "settings_hierarchy/views.py": ["setting_change_page"],
    "settings_hierarchy/wishes.py": ["Wish"],
    "settings_hierarchy/operations.py": ["set_override", "publish_catalogue"],
    "settings_hierarchy/resolution.py": ["resolve"],
    "settings_hierarchy/queries.py": ["resolved"],
    "core/push.py": ["relay"],
    "live/relay.py": ["relay_config"],
    "live/hub.py": ["Hub", "fan_out"],
}


def text_of(guide: str) -> str:
    return (settings.BASE_DIR / "docs" / guide).read_text(encoding="utf-8")


@pytest.mark.parametrize("guide", GUIDES)
def test_named_files_exist(guide):
    files = FILE.findall(text_of(guide))

    assert files
    for name in files:
        assert (settings.BASE_DIR / name).exists(), name


@pytest.mark.parametrize(("file", "names"), NAMES.items())
def test_named_functions_exist(file, names):
    source = (settings.BASE_DIR / file).read_text(encoding="utf-8")

    for name in names:
        assert re.search(rf"(?:def|class) {name}\b", source), f"{file}: {name}"


def test_the_example_row_is_legal():
    example = re.search(r"```toml\n(.+?)```", text_of("add-a-setting.md"), re.DOTALL)
    assert example is not None
    row = re.sub(r"^ {3}", "", example[1], flags=re.MULTILINE)

    catalogue = load_catalogue(PATH.read_text(encoding="utf-8") + "\n" + row)

    assert catalogue.setting("overlays.polls.enabled").lockable

"""The catalogue: every row is complete and legal, and a wrong row stops the start."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from settings_hierarchy.catalogue import CATALOGUE, PATH, load_catalogue
from settings_hierarchy.schema import (
    CatalogueError,
    InvalidValue,
    Level,
    Relation,
    UnknownSetting,
)
from settings_hierarchy.values import SettingType

SHARED = Path(__file__).parents[3] / "shared" / "settings-catalogue.toml"
UNIT_OF_SUFFIX = {"_s": "s", "_ms": "ms", "_pct": "%", "_days": "days", "_min": "min"}
SETTINGS = [pytest.param(setting, id=setting.key) for setting in CATALOGUE]

ROW = {
    "group": "ui",
    "type": "int",
    "default": 3,
    "min": 1,
    "max": 5,
    "levels": ["organization", "stream"],
    "lockable": False,
    "visibility": "client",
    "label": "Steps",
    "help": "How many steps are shown.",
    "source": "own",
    "since": "0.1.0",
}


def written(key: str = "ui.steps", **fields) -> str:
    """Return a catalogue file with one row; a field of None is left out."""
    row = {name: value for name, value in (ROW | fields).items() if value is not None}
    lines = [f"{name} = {json.dumps(value)}" for name, value in row.items()]
    return "\n".join(
        [
            "[sources]",
            'own = "ours"',
            "[groups.ui]",
            "order = 1",
            'title = "Interface"',
            'description = "What viewers see."',
            f'[settings."{key}"]',
            *lines,
        ]
    )


@pytest.mark.parametrize("setting", SETTINGS)
def test_default_is_legal_and_matches_the_json_schema(setting):
    schema = setting.json_schema()
    Draft202012Validator.check_schema(schema)

    assert setting.parse(setting.default) == setting.default
    assert Draft202012Validator(schema).is_valid(setting.default)


@pytest.mark.parametrize("setting", SETTINGS)
def test_texts_are_written_for_people(setting):
    assert setting.label[0].isupper() or setting.label.startswith("L-")
    assert not setting.label.endswith(".")
    assert setting.help.endswith(".")
    assert 30 <= len(setting.help) <= 250
    for suffix, unit in UNIT_OF_SUFFIX.items():
        if setting.key.endswith(suffix) and not setting.key.endswith("_10s"):
            assert setting.unit == unit


@pytest.mark.parametrize("setting", SETTINGS)
def test_value_of_another_type_is_refused(setting):
    wrong = {SettingType.OBJECT: "text"}.get(setting.type, {"no": "object"})

    with pytest.raises(InvalidValue) as refused:
        setting.parse(wrong)

    assert refused.value.message.startswith(setting.label)
    assert refused.value.field == "value"
    with pytest.raises(InvalidValue):
        setting.parse(None)


def test_labels_are_unique_within_their_group():
    labels = [(setting.group, setting.label) for setting in CATALOGUE]

    assert len(set(labels)) == len(labels)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the shared catalogue is not on this machine")
def test_rows_are_those_of_the_shared_catalogue():
    shared = tomllib.loads(SHARED.read_text())
    names = {"o": "organization", "s": "stream", "c": "client"}
    expected = {
        key: row
        for table, rows in shared.items()
        if table not in {"meta", "sources"}
        for key, row in rows.items()
    }
    ours = tomllib.loads(PATH.read_text())["settings"]

    assert list(ours) == list(expected)
    for key, row in expected.items():
        assert ours[key]["levels"] == [names[letter] for letter in row["lv"]]
        assert ours[key]["visibility"] == row["vis"]
        assert ours[key]["lockable"] == row.get("lock", False)
        assert ours[key].get("choices") == row.get("enum")
        assert ours[key].get("max_length") == row.get("max_len")
        for field in ("type", "default", "min", "max", "items", "max_items", "unique", "pattern"):
            assert ours[key].get(field) == row.get(field), (key, field)
        assert ours[key].get("requires") == row.get("requires")


def test_a_complete_row_is_read():
    setting = load_catalogue(written()).setting("ui.steps")

    assert setting.levels == (Level.ORGANIZATION, Level.STREAM)
    assert setting.allows(Level.STREAM)
    assert not setting.allows(Level.CLIENT_ON_STREAM)
    assert setting.json_schema()["maximum"] == 5


def test_client_on_stream_may_what_a_client_may():
    setting = load_catalogue(written(levels=["client"])).setting("ui.steps")

    assert setting.allows(Level.CLIENT)
    assert setting.allows(Level.CLIENT_ON_STREAM)
    assert not setting.allows(Level.ORGANIZATION)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"lokable": True}, ".lokable: unknown field"),
        ({"help": None}, ".help: is missing"),
        ({"default": None}, ".default: is missing"),
        ({"label": ""}, ".label: is empty"),
        ({"lockable": "yes"}, ".lockable: 'yes' is of the wrong type"),
        ({"min": True}, ".min: True is of the wrong type"),
        ({"default": 9}, ".default: must be at most 5"),
        ({"default": True}, ".default: must be a whole number"),
        ({"default": "3"}, ".default: must be a whole number"),
        ({"min": 6}, ".min: is above max"),
        ({"max": None}, ".max: is missing"),
        ({"type": "integer"}, ".type: 'integer' is none of"),
        ({"visibility": "public"}, ".visibility: 'public' is none of"),
        ({"levels": ["stream", "organization"]}, ".levels: must be some of"),
        ({"levels": ["client_on_stream"]}, ".levels: must be some of"),
        ({"levels": ["default"]}, ".levels: must be some of"),
        ({"levels": [1]}, ".levels: 1 is none of"),
        ({"levels": []}, ".levels: must be some of"),
        ({"since": "soon"}, ".since: 'soon' is not a release"),
        ({"group": "uii"}, ".group: there is no group 'uii'"),
        ({"source": "nobody"}, ".source: there is no source 'nobody'"),
        ({"choices": [1, 2]}, ".choices: means nothing for a int"),
        ({"pattern": "x"}, ".pattern: means nothing for a int"),
        ({"requires": "ui.other = 1"}, ".requires: 'ui.other' is no other setting"),
        ({"requires": ">= ui.steps"}, ".requires: 'ui.steps' is no other setting"),
        ({"requires": "sometimes"}, ".requires: 'sometimes' is neither"),
        ({"requires": ">= ui.steps = 1"}, ".requires: '>= ui.steps = 1' is neither"),
        ({"requires": "!"}, ".requires: '!' is neither"),
    ],
)
def test_a_wrong_row_is_named(fields, complaint):
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(written(**fields))

    assert f'settings."ui.steps"{complaint}' in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"type": "enum", "default": "a"}, ".choices: is missing"),
        ({"type": "enum", "default": "a", "choices": []}, ".choices: is empty"),
        ({"type": "enum", "default": "a", "choices": ["a", "a"]}, ".choices: names one twice"),
        ({"type": "enum", "default": "a", "choices": [True]}, ".choices: True is neither"),
        ({"type": "enum", "default": "b", "choices": ["a"]}, ".default: must be one of a"),
        ({"type": "string", "default": "", "pattern": "("}, ".pattern: missing )"),
        ({"type": "list", "default": []}, ".items: is missing"),
        ({"type": "list", "default": [], "items": "int"}, ".items: must be string or enum"),
        ({"type": "list", "default": [], "items": "string"}, ".max_items: is missing"),
        (
            {
                "type": "list",
                "default": [],
                "items": "string",
                "max_items": 2,
                "choices": ["a"],
            },
            ".choices: means nothing here",
        ),
        ({"type": "secret", "default": "hunter2"}, ".default: must be a reference"),
    ],
)
def test_a_wrong_limit_of_another_type_is_named(fields, complaint):
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(written(min=None, max=None, **fields))

    assert f'settings."ui.steps"{complaint}' in str(refused.value)


@pytest.mark.parametrize("key", ["steps", "ui.Steps", "ui..steps", "ui.steps ", "ui." + "s" * 100])
def test_a_misspelt_key_is_refused(key):
    with pytest.raises(CatalogueError, match="lower-case words joined by dots"):
        load_catalogue(written(key))


def test_a_row_written_twice_is_refused():
    twice = written() + "\n" + written().split("\n", 6)[-1]

    with pytest.raises(CatalogueError, match=r"catalogue.toml: .*ui\.steps"):
        load_catalogue(twice)


def test_an_unknown_table_is_refused():
    with pytest.raises(CatalogueError, match="unknown table 'extras'"):
        load_catalogue("[extras]\n" + written())


def two_rows(requires: str, **other) -> str:
    other_row = written("ui.other", **other).split("[settings", 1)[1]
    return written(requires=requires) + "\n[settings" + other_row


def test_rule_on_equal_value_is_typed():
    catalogue = load_catalogue(
        two_rows("ui.other = true", type="bool", default=False, min=None, max=None)
    )

    rule = catalogue.setting("ui.steps").requires

    assert rule is not None
    assert rule.relation is Relation.EQUALS
    assert rule.value is True
    assert not rule.is_enforced
    assert rule.holds(3, True)
    assert not rule.holds(3, False)


@pytest.mark.parametrize(
    ("requires", "other", "complaint"),
    [
        ("ui.other = 9", {}, "ui.other must be at most 5"),
        (">= ui.other", {"type": "bool", "default": True}, "only numbers can be compared"),
        (">= ui.other", {"default": 4}, "the defaults already break it"),
        ("<= ui.other", {"default": 2}, "the defaults already break it"),
    ],
)
def test_a_broken_rule_is_refused(requires, other, complaint):
    if other.get("type"):
        other |= {"min": None, "max": None}

    with pytest.raises(CatalogueError, match=complaint):
        load_catalogue(two_rows(requires, **other))


def test_only_enforced_rules_are_listed():
    assert [(setting.key, rule.key) for setting, rule in CATALOGUE.enforced()] == [
        ("slo.interaction_p95_ms", "slo.interaction_p90_ms"),
        ("slo.interaction_p99_ms", "slo.interaction_p95_ms"),
    ]
    hint = CATALOGUE.setting("ui.layout.lbar_mode").requires
    assert hint is not None
    assert hint.value == "l-bar"


def test_unknown_key_is_not_found():
    with pytest.raises(UnknownSetting, match=r"no setting 'ui\.nothing'") as refused:
        CATALOGUE.setting("ui.nothing")

    assert refused.value.status == 404


def test_digest_ignores_texts_and_sees_rules():
    digest = load_catalogue(written()).digest()

    assert load_catalogue(written(help="Other words for the same thing.")).digest() == digest
    assert load_catalogue(written(max=6)).digest() != digest
    assert load_catalogue(written(lockable=True)).digest() != digest
    assert load_catalogue(written(default=4)).digest() != digest


def test_groups_hold_every_setting_once():
    grouped = [setting.key for group in CATALOGUE.groups for setting in CATALOGUE.in_group(group)]

    assert sorted(grouped) == sorted(CATALOGUE.settings)
    assert len(CATALOGUE) == 119
    assert "triggers.hmac_secret_ref" not in CATALOGUE.delivered()

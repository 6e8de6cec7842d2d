"""Values: every type refuses what is not one of its own, and says what would be."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.values import RuleBroken, SettingType, ValueRules, identical, shown

INT = ValueRules(type=SettingType.INT, minimum=0, maximum=10, unit="s")
FLOAT = ValueRules(type=SettingType.FLOAT, minimum=0.0, maximum=100.0)
BOOL = ValueRules(type=SettingType.BOOL)
TEXT = ValueRules(type=SettingType.STRING, max_length=5)
LANGUAGE = ValueRules(type=SettingType.STRING, pattern="^[a-z]{2}(-[A-Z]{2})?$")
NUMBERS = ValueRules(type=SettingType.ENUM, choices=(0, 2, 4))
COLOR = ValueRules(type=SettingType.COLOR)
URL = ValueRules(type=SettingType.URL)
NAMES = ValueRules(type=SettingType.LIST, items=SettingType.STRING, max_items=3, unique=True)
MODES = ValueRules(
    type=SettingType.LIST, items=SettingType.ENUM, choices=("a", "b"), max_items=2, unique=True
)
OBJECT = ValueRules(type=SettingType.OBJECT)
SECRET = ValueRules(type=SettingType.SECRET)

nested: object = "bottom"
for _ in range(7):
    nested = {"in": nested}


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        (INT, 0),
        (INT, 10),
        (FLOAT, 12.5),
        (BOOL, False),
        (TEXT, "héllo"),
        (TEXT, ""),
        (LANGUAGE, "pt-BR"),
        (NUMBERS, 2),
        (COLOR, "#1e6FFf"),
        (URL, ""),
        (URL, "https://cdn.example.com/a/icon.svg?v=2#top"),
        (URL, "http://[::1]:8000/"),
        (NAMES, ["games", "chat"]),
        (MODES, ["b", "a"]),
        (MODES, []),
        (OBJECT, {"a": [1, 2.5, {"b": True}], "c": "text"}),
        (SECRET, ""),
        (SECRET, "env:FEED_SECRET"),
        (SECRET, "vault:feeds/sport-radar.key"),
    ],
)
def test_a_legal_value_is_kept(rules, value):
    assert identical(rules.parse(value), value)
    assert Draft202012Validator(rules.json_schema()).is_valid(value)


@pytest.mark.parametrize(
    ("rules", "value", "complaint"),
    [
        (INT, True, "must be a whole number, not true"),
        (INT, 1.0, "must be a whole number, not 1.0"),
        (INT, "1", 'must be a whole number, not "1"'),
        (INT, -1, "must be at least 0 s, not -1"),
        (INT, 11, "must be at most 10 s, not 11"),
        (INT, 10**30, "is too large for a whole number"),
        (FLOAT, float("nan"), "must be a finite number"),
        (FLOAT, float("inf"), "must be a finite number"),
        (FLOAT, 1e300, "must be a finite number"),
        (FLOAT, 10**400, "must be a finite number"),
        (FLOAT, False, "must be a number, not false"),
        (FLOAT, "12", 'must be a number, not "12"'),
        (FLOAT, 100.1, "must be at most 100.0, not 100.1"),
        (BOOL, 1, "must be true or false, not 1"),
        (BOOL, "true", "must be true or false"),
        (TEXT, 5, "must be text, not 5"),
        (TEXT, "123456", "must have at most 5 characters, not 6"),
        (TEXT, "a\x00b", "control character U+0000"),
        (TEXT, "a\nb", "control character U+000A"),
        (TEXT, "\x9b", "control character U+009B"),
        (TEXT, "\ud800", "half of a surrogate pair"),
        (LANGUAGE, "EN", "must match"),
        (LANGUAGE, "en\u0660", "must match"),
        (NUMBERS, 3, "must be one of 0, 2, 4, not 3"),
        (NUMBERS, False, "must be one of 0, 2, 4, not false"),
        (NUMBERS, "2", "must be one of"),
        (COLOR, "red", "must be a colour"),
        (COLOR, "#12345", "must be a colour"),
        (COLOR, "#1E6FFF\n", "must be a colour"),
        (COLOR, 0, "must be a colour"),
        (URL, "ftp://example.com", "must be a web address"),
        (URL, "//example.com", "must be a web address"),
        (URL, "https://", "must be a web address"),
        (URL, "https://exa mple.com", "must be a web address"),
        (URL, "https://example.com:99999/", "must be a web address"),
        (URL, "https://[::1/", "must be a web address"),
        (URL, "javascript:alert(1)", "must be a web address"),
        (URL, "https://user:pass@example.com", "must not carry a user name"),
        (URL, "https://" + "a" * 2000, "must have at most 2000 characters"),
        (URL, 1, "must be text"),
        (NAMES, "games", "must be a list"),
        (NAMES, ["a", "b", "c", "d"], "must have at most 3 items, not 4"),
        (NAMES, ["a", "a"], 'names "a" twice'),
        (NAMES, ["a", 1], "item 2 must be text"),
        (NAMES, ["a", ""], "item 2 is empty"),
        (NAMES, ["a" * 201], "item 1 must have at most 200 characters"),
        (MODES, ["c"], "item 1 must be one of a, b"),
        (OBJECT, [], "must be an object"),
        (OBJECT, nested, "must not nest deeper than 5 levels"),
        (OBJECT, {"a": None}, "must be a number, not null"),
        (OBJECT, {"a\x00": 1}, "control character"),
        (OBJECT, {"a": ["\ud800"]}, "surrogate"),
        (OBJECT, {"a": "x" * 8192}, "must have at most 8192 bytes"),
        (SECRET, "hunter2", "must be a reference"),
        (SECRET, "env:lower", "must be a reference"),
        (SECRET, 1, "must be a reference"),
    ],
)
def test_an_illegal_value_is_refused_with_the_reason(rules, value, complaint):
    with pytest.raises(RuleBroken) as refused:
        rules.parse(value)

    assert complaint in str(refused.value)


def test_a_refused_secret_is_not_repeated():
    with pytest.raises(RuleBroken) as refused:
        SECRET.parse("hunter2")

    assert "hunter2" not in str(refused.value)


def test_a_whole_number_becomes_a_float_where_one_is_asked():
    assert identical(FLOAT.parse(5), 5.0)
    assert str(FLOAT.parse(-0.0)) == "0.0"


def test_colours_mean_the_same_in_either_case():
    assert COLOR.same("#1E6FFF", "#1e6fff")
    assert not COLOR.same("#1E6FFF", "#1e6ffe")
    assert not INT.same(1, True)


def test_identical_follows_json():
    assert identical({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not identical({"a": True}, {"a": 1})
    assert not identical(1, 1.0)
    assert not identical([1], [True])


def test_shown_value_is_short():
    assert len(shown("x" * 1000)) <= 41
    assert shown({1, 2}).startswith('"{')


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=json_values)
def test_any_value_is_parsed_or_refused_and_legal_ones_are_stable(value):
    for setting in CATALOGUE:
        try:
            legal = setting.rules.parse(value)
        except RuleBroken:
            continue
        assert identical(setting.rules.parse(legal), legal)
        assert identical(json.loads(json.dumps(legal)), legal)

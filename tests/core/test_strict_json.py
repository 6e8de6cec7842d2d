"""What is no decent JSON is refused with the reason, at every entry point."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import strict_json
from core.strict_json import InvalidJSON, TooLarge, loads

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_decent_values_come_back_as_they_were(value):
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "appears twice"),
        (b'{"a": {"b": 1, "b": 1}}', "appears twice"),
        (b"NaN", "not a JSON number"),
        (b"-Infinity", "not a JSON number"),
        (b"1e999", "too large"),
        (b"1234567890123456789", "more than 18 digits"),
        (b"-1234567890123456789", "more than 18 digits"),
        (b'"\\u0000"', "NUL"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'["\\u0000"]', "NUL"),
        (b"[" * 17 + b"]" * 17, "deeper than 16"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "deeper than 16"),
        (b"[" * 100_000, "deeper than 16"),
    ],
)
def test_anything_else_is_refused_with_the_reason(raw, reason):
    with pytest.raises(InvalidJSON, match=reason):
        loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 16 + b"]" * 16,
        b"999999999999999999",
        b'"' + b"[" * 50 + b'"',
        b'"\\"[[[[[[[[[[[[[[[[[[[[["',
        b'"\\ud83d\\ude00"',
    ],
)
def test_limits_are_inclusive_and_strings_do_not_nest(raw):
    loads(raw)


def test_size_is_limited():
    raw = b'"' + b"x" * strict_json.MAX_BYTES + b'"'

    with pytest.raises(TooLarge, match=str(strict_json.MAX_BYTES)):
        loads(raw)
    assert loads(b"1" * 5, max_bytes=5) == 11111


class TestOverTheApi:
    URL = "/api/v1/organizations/acme/tokens"

    @pytest.mark.parametrize(
        ("raw", "status", "problem"),
        [
            (b"", 400, "invalid-body"),
            (b"{", 400, "invalid-body"),
            (b'{"name": "a", "name": "b"}', 400, "invalid-body"),
            (b'{"name": "\\u0000"}', 400, "invalid-body"),
            (b'"' + b"x" * 300_000 + b'"', 413, "too-large"),
            (b"[]", 400, "invalid-body"),
            (b"7", 400, "invalid-body"),
            (b"null", 400, "invalid-body"),
        ],
    )
    def test_bad_bodies(self, acme, api, raw, status, problem):
        answer = api().post(self.URL, raw, content_type="application/json")

        assert answer.status_code == status
        assert answer.json()["type"] == f"/problems/{problem}"
        assert answer["Content-Type"] == "application/problem+json"

    def test_other_media_types(self, acme, api):
        answer = api().post(self.URL, "name=x", content_type="application/x-www-form-urlencoded")

        assert answer.status_code == 415

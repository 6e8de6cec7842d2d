"""What may change a client's configuration: any mix of lost, late, repeated and forged steps."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sdks.python.gantry_sdk.configuration import (
    Refused,
    advanced,
    key_id,
    public_keys,
    verified_payload,
)

IDENTITY = {"organization": "acme", "stream": "final", "client": "web", "published_at": "now"}
KEYS = st.sampled_from(["a", "b", "c", "__proto__"])
VALUES = st.none() | st.booleans() | st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=2)
SETTINGS = st.dictionaries(KEYS, VALUES, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def delta(history, base, version):
    old, new = (history[at - 1] if at else {} for at in (base, version))
    changes = {key: value for key, value in new.items() if key not in old or old[key] != value}
    removed = [key for key in old if key not in new]
    return {**IDENTITY, "base": base, "version": version, "changes": changes, "removed": removed}


@st.composite
def stories(draw):
    """A history of settings, and what a bad network makes of its steps."""
    history = draw(st.lists(SETTINGS, min_size=1, max_size=6))
    last = len(history)
    steps = []
    for _ in range(draw(st.integers(0, 12))):
        version = draw(st.integers(1, last))
        base = draw(st.integers(0, version - 1))
        if draw(st.booleans()):
            steps.append(delta(history, base, version))
        else:
            steps.append({**IDENTITY, "version": version, "settings": history[version - 1]})
    return history, steps


@given(stories())
def test_whatever_arrives_what_is_held_was_once_the_truth_and_never_goes_back(story):
    history, steps = story
    held = None

    for step in steps:
        before = held
        try:
            held = advanced(held, step, stream="final")
        except Refused:
            assert held is before
        if held:
            assert dict(held.settings) == history[held.version - 1]
            assert before is None or held.version >= before.version


@given(stories())
def test_every_delta_in_order_arrives_at_the_newest(story):
    history, _ = story
    held = None

    for version in range(1, len(history) + 1):
        held = advanced(held, delta(history, version - 1, version), stream="final")

    assert held is not None
    assert dict(held.settings) == history[-1]


@given(
    st.dictionaries(st.sampled_from([*IDENTITY, "base", "version", "changes", "settings"]), JSON)
)
def test_a_payload_of_any_shape_is_taken_or_refused(payload):
    try:
        held = advanced(None, payload, stream="final")
    except Refused as refused:
        held, reason = None, refused.reason

    assert held.version >= 1 if held else reason in {"malformed", "foreign", "gap"}


@given(
    st.text(max_size=60) | st.from_regex(r"[\w-]{0,30}\.[\w-]{0,30}\.[\w-]{0,30}", fullmatch=True)
)
def test_any_text_in_place_of_a_jws_is_refused(text):
    key = Ed25519PrivateKey.generate().public_key()

    for check in (key_id, lambda jws: verified_payload(jws, key)):
        with pytest.raises(Refused):
            check(text)


@given(JSON)
def test_a_key_set_of_any_shape_gives_no_key(entries):
    assert public_keys({"keys": entries}) == {}
    assert public_keys({"keys": [entries]}) == {}

"""A hostile or clumsy batch gets a precise answer, never a crash."""

import gzip
import json
import zlib
from datetime import timedelta

import pytest

from analytics.batches import MAX_BODY_BYTES, NDJSON, Batch, inflate, read_batch
from core.strict_json import InvalidJSON, TooLarge
from tests.analytics.conftest import as_body, make_event

IDENTITY = "0193f7a2-5b1e-7c3a-9d0e-2f6f1f9d7c11"


def read(body: bytes, at, *, content_type="application/json", encoding="", known=()) -> Batch:
    return read_batch(
        body,
        content_type=content_type,
        content_encoding=encoding,
        known=lambda ids: ids & set(known),
        at=at,
    )


def reasons(batch: Batch) -> list[str]:
    return [rejection.reason for rejection in batch.rejected]


def test_clean_array_is_accepted_whole(now):
    batch = read(as_body([make_event(now), make_event(now, properties={"count": 2})]), now)

    assert (len(batch.events), batch.duplicate, batch.rejected) == (2, 0, [])
    assert json.loads(batch.text)[1]["properties"] == {"count": 2}


def test_ndjson_is_read_line_by_line(now):
    body = b"\n".join(as_body([make_event(now)])[1:-1] for _ in range(3)) + b"\n"

    batch = read(body, now, content_type=f"{NDJSON}; charset=utf-8")

    assert len(batch.events) == 3


def test_ndjson_with_a_bad_event_keeps_the_others(now):
    lines = [as_body([make_event(now)])[1:-1], b'{"id":"x"}', b"", as_body([make_event(now)])[1:-1]]

    batch = read(b"\r\n".join(lines), now, content_type=NDJSON)

    assert len(batch.events) == 2
    assert [(each.index, each.reason) for each in batch.rejected] == [(1, "invalid-id")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": "not-a-uuid"}, "invalid-id"),
        ({"id": 5}, "invalid-id"),
        ({"id": "g" * 36}, "invalid-id"),
        ({"id": " " * 36}, "invalid-id"),
        ({"id": "-" * 36}, "invalid-id"),
        ({"id": IDENTITY.replace("0", " ")}, "invalid-id"),
        ({"id": IDENTITY.replace("0", "０")}, "invalid-id"),
        ({"id": IDENTITY[1:] + "-"}, "invalid-id"),
        ({"id": None}, "invalid-id"),
        ({"id": ["a"]}, "invalid-id"),
        ({"type": "bet_placed"}, "unknown-type"),
        ({"type": None}, "unknown-type"),
        ({"type": {}}, "unknown-type"),
        ({"type": ["reaction"]}, "unknown-type"),
        ({"at": "yesterday"}, "invalid-at"),
        ({"at": 1_700_000_000}, "invalid-at"),
        ({"at": "2026-11-20T18:00:00"}, "invalid-at"),
        ({"at": "2026-13-45T18:00:00Z"}, "invalid-at"),
        ({"at": "0001-01-01T00:00:00+23:59"}, "too-old"),
        ({"at": "1926-11-20T18:00:00Z"}, "too-old"),
        ({"at": "2126-11-20T18:00:00Z"}, "in-future"),
        ({"at": "9999-12-31T23:59:59-23:59"}, "in-future"),
        ({"properties": []}, "invalid-properties"),
        ({"properties": None}, "invalid-properties"),
        ({"properties": "text"}, "invalid-properties"),
        ({"properties": {"a": None}}, "invalid-properties"),
        ({"properties": {"a": [1]}}, "invalid-properties"),
        ({"properties": {"a": {"b": 1}}}, "invalid-properties"),
        ({"properties": {"a": "x" * 501}}, "invalid-properties"),
        ({"properties": {"": 1}}, "invalid-properties"),
        ({"properties": {"n" * 65: 1}}, "invalid-properties"),
        ({"properties": {f"n{number}": 1 for number in range(21)}}, "invalid-properties"),
        ({"properties": {f"n{number}": "x" * 400 for number in range(20)}}, "too-large"),
        ({"unknown": "x" * 5_000}, "too-large"),
    ],
)
def test_bad_event_is_rejected_with_its_reason_and_the_others_accepted(now, fields, reason):
    batch = read(as_body([make_event(now), make_event(now, **fields), make_event(now)]), now)

    assert len(batch.events) == 2
    assert [(each.index, each.reason) for each in batch.rejected] == [(1, reason)]


@pytest.mark.parametrize("value", [5, "text", None, True, [], [{}]])
def test_what_is_not_an_object_is_rejected(now, value):
    batch = read(as_body([value, make_event(now)]), now)

    assert (len(batch.events), reasons(batch)) == (1, ["not-an-object"])


def test_missing_fields_are_rejected(now):
    whole = make_event(now)
    parts = [{key: whole[key] for key in whole if key != name} for name in ("id", "type", "at")]

    batch = read(as_body(parts), now)

    assert reasons(batch) == ["invalid-id", "unknown-type", "invalid-at"]


@pytest.mark.parametrize(
    "value", [True, False, 0, -1, 1.5, 10**17, 1e308, 5e-324, "", "é", "日本", 'a "quoted"\ntext']
)
def test_every_legal_property_value_is_kept(now, value):
    batch = read(json.dumps([make_event(now, properties={"a": value})]).encode(), now)

    assert json.loads(batch.text)[0]["properties"] == {"a": value}


def test_unknown_fields_are_ignored(now):
    batch = read(as_body([make_event(now, organization="rival", tags=["a", {"b": []}])]), now)

    assert len(batch.events) == 1
    assert b"rival" not in batch.text


def test_empty_properties_stay_a_clean_event(now):
    assert len(read(as_body([make_event(now, properties={})]), now).events) == 1


def test_the_edges_of_the_time_limits_are_accepted(now):
    late, early = now - timedelta(days=7), now + timedelta(minutes=5)

    batch = read(as_body([make_event(late), make_event(early)]), now)

    assert len(batch.events) == 2


def test_event_twice_in_a_batch_counts_once(now):
    event = make_event(now)

    batch = read(as_body([event, event, event | {"id": event["id"].upper()}]), now)

    assert (len(batch.events), batch.duplicate) == (1, 2)


@pytest.mark.parametrize("spelling", [IDENTITY.upper(), IDENTITY.replace("-", "")])
def test_other_spelling_of_an_id_is_the_same_event(now, spelling):
    batch = read(as_body([make_event(now, id=spelling)]), now, known={IDENTITY})

    assert (len(batch.events), batch.duplicate) == (0, 1)


def test_known_event_is_a_duplicate(now):
    old, new = make_event(now), make_event(now)

    batch = read(as_body([old, new]), now, known={old["id"]})

    assert [event.id for event in batch.events] == [new["id"]]
    assert batch.duplicate == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'"text"',
        b"[",
        b"[}",
        b"[1,]",
        b"[NaN]",
        b"\xff\xfe",
        b"\xef\xbb\xbf[]",
        b'["\xff"]',
        b"[1] trailing",
        b"[" * 100_000,
        b"[" * 5_000 + b"]" * 5_000,
        b'[{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}]",
        b'[{"id":"a","id":"b"}]',
        b'[{"properties":{"a":1,"a":1}}]',
        b'[{"properties":{"a":"\\u0000"}}]',
        b'[{"properties":{"a":"\\ud800"}}]',
        b'[{"properties":{"a":1e400}}]',
        b'[{"properties":{"a":123456789012345678901}}]',
        b"[" + b"1," * 1_000 + b"1]",
        b"[" + b'{"a":1},' * 50_000 + b"1]",
    ],
)
def test_broken_body_is_refused_as_a_whole(now, body):
    with pytest.raises(InvalidJSON):
        read(body, now)


@pytest.mark.parametrize(
    "oddity",
    ['"id":"%s",', '"at":"2026-11-20T00:00:00Z",', '"type":"reaction",', '"properties":{},'],
)
def test_a_key_twice_in_an_otherwise_clean_event_is_refused(now, oddity):
    event = as_body([make_event(now, properties={"a": 1})]).decode()
    twice = event.replace("[{", "[{" + oddity.replace("%s", IDENTITY))

    with pytest.raises(InvalidJSON):
        read(twice.encode(), now)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "123456789012345678901", "NaN", "Infinity"])
def test_absurd_number_in_an_otherwise_clean_event_is_refused(now, number):
    event = as_body([make_event(now, properties={"a": 1})]).decode()

    with pytest.raises(InvalidJSON):
        read(event.replace('"a":1', f'"a":{number}').encode(), now)


def test_a_thousand_events_are_accepted_and_one_more_is_refused(now):
    events = [make_event(now) for _ in range(1_001)]

    assert len(read(as_body(events[:-1]), now).events) == 1_000
    with pytest.raises(InvalidJSON, match="1001"):
        read(as_body(events), now)


def test_large_body_is_refused(now):
    with pytest.raises(TooLarge):
        read(b"[" + b" " * MAX_BODY_BYTES + b"]", now)


def test_gzip_is_inflated(now):
    body = as_body([make_event(now)])

    assert len(read(gzip.compress(body), now, encoding="gzip").events) == 1


def test_gzip_bomb_is_stopped_at_the_limit():
    bomb = gzip.compress(b" " * 500 * MAX_BODY_BYTES, compresslevel=9)
    assert len(bomb) < MAX_BODY_BYTES

    with pytest.raises(TooLarge):
        inflate(bomb, "gzip")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"[]", "gzip"),
        (b"", "gzip"),
        (gzip.compress(b"[]")[:-1], "gzip"),
        (gzip.compress(b"[]") + b"more", "gzip"),
        (gzip.compress(b"[]") + gzip.compress(b"[]"), "gzip"),
        (zlib.compress(b"[]"), "gzip"),
        (b"[]", "br"),
        (gzip.compress(b"[]"), "gzip, gzip"),
    ],
)
def test_what_is_not_one_gzip_member_is_refused(body, encoding):
    with pytest.raises(InvalidJSON):
        inflate(body, encoding)


def test_empty_array_is_an_empty_batch(now):
    batch = read(b"[]", now)

    assert (batch.events, batch.duplicate, batch.rejected) == ([], 0, [])


def test_careful_way_and_quick_way_agree(now):
    clean = [make_event(now, properties={"a": 1, "b": "text", "c": True}) for _ in range(5)]
    escaped = json.dumps(clean).replace("text", "te\\u0078t").encode()

    quick, careful = read(as_body(clean), now), read(escaped, now)

    assert quick.events == careful.events

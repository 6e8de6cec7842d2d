"""Accepted means stored in the buffer; anything else is said plainly."""

import json
import socket

import pytest

from analytics import buffer
from analytics.intake import Intake, IntakeUnavailable, Receipt, pseudonym
from core.strict_json import InvalidJSON
from tests.analytics.conftest import as_body, make_event, make_source, waiting


def header_of(redis):
    """The header of the newest entry."""
    ((_, fields),) = redis.xrevrange(buffer.STREAM, count=1)
    return json.loads(fields[b"batch"].split(b"\n")[0])


async def test_accepted_batch_is_one_entry_of_the_stream(intake, redis, source, now):
    body = as_body([make_event(now) for _ in range(500)])

    receipt = await intake.accept(body, source=source, at=now)

    assert receipt == Receipt(accepted=500, duplicate=0)
    assert waiting(redis) == 1
    assert int(redis.get(buffer.BYTES)) == len(redis.xrange(buffer.STREAM)[0][1][b"batch"])


async def test_receipt_is_the_answer_of_the_protocol(intake, source, now):
    body = as_body([make_event(now), make_event(now, type="x")])

    receipt = await intake.accept(body, source=source, at=now)

    assert json.loads(receipt.body()) == {
        "accepted": 1,
        "duplicate": 0,
        "rejected": [{"index": 1, "reason": "unknown-type"}],
    }


async def test_source_comes_from_the_token_and_carries_no_viewer_in_clear(
    intake, redis, source, now
):
    body = as_body([make_event(now, organization="rival", viewer="someone")])

    await intake.accept(body, source=source, at=now)

    header = header_of(redis)
    assert header["schema_name"] == source.schema_name
    assert header["viewer"] == pseudonym(source.schema_name, source.viewer)
    assert b"viewer-1" not in redis.xrange(buffer.STREAM)[0][1][b"batch"]


def test_pseudonym_differs_between_organizations():
    assert pseudonym("org_acme", "viewer-1") != pseudonym("org_rival", "viewer-1")


async def test_same_batch_again_is_all_duplicates(intake, source, now):
    body = as_body([make_event(now) for _ in range(3)])

    await intake.accept(body, source=source, at=now)
    again = await intake.accept(body, source=source, at=now)

    assert again == Receipt(accepted=0, duplicate=3)


async def test_same_batch_at_another_process_is_all_duplicates(
    intake, buffer_url, redis, source, now
):
    body = as_body([make_event(now) for _ in range(3)])
    await intake.accept(body, source=source, at=now)

    other = Intake(buffer_url)
    again = await other.accept(body, source=source, at=now)
    await other.close()

    assert again == Receipt(accepted=0, duplicate=3)
    assert header_of(redis)["accepted"] == 0


async def test_overlapping_batch_accepts_only_what_is_new(intake, source, now):
    first, second = make_event(now), make_event(now)
    await intake.accept(as_body([first]), source=source, at=now)

    receipt = await intake.accept(as_body([first, second]), source=source, at=now)

    assert (receipt.accepted, receipt.duplicate) == (1, 1)


async def test_same_ids_in_another_organization_are_new(intake, source, now):
    body = as_body([make_event(now) for _ in range(3)])
    await intake.accept(body, source=source, at=now)

    receipt = await intake.accept(body, source=make_source("org_rival"), at=now)

    assert receipt.accepted == 3


async def test_rejections_are_counted_in_the_buffer(intake, redis, source, now):
    body = as_body([make_event(now, type="x"), make_event(now, type="y"), 5])

    receipt = await intake.accept(body, source=source, at=now)

    assert (receipt.accepted, len(receipt.rejected)) == (0, 3)
    assert header_of(redis)["rejected"] == {"unknown-type": 2, "not-an-object": 1}


async def test_empty_batch_stores_nothing(intake, redis, source, now):
    receipt = await intake.accept(b"[]", source=source, at=now)

    assert receipt == Receipt(accepted=0, duplicate=0)
    assert waiting(redis) == 0


async def test_broken_body_stores_nothing(intake, redis, source, now):
    with pytest.raises(InvalidJSON):
        await intake.accept(b"[", source=source, at=now)

    assert waiting(redis) == 0


async def test_full_buffer_refuses_and_loses_nothing(buffer_url, redis, source, now):
    small = Intake(buffer_url, max_buffer_bytes=2_000)
    await small.accept(as_body([make_event(now)]), source=source, at=now)
    refused = as_body([make_event(now) for _ in range(20)])

    with pytest.raises(IntakeUnavailable) as refusal:
        await small.accept(refused, source=source, at=now)

    assert (refusal.value.status, refusal.value.retry_after_s) == (503, 5)
    assert waiting(redis) == 1
    redis.delete(buffer.BYTES)
    again = await small.accept(as_body([make_event(now)]), source=source, at=now)
    assert again.accepted == 1
    await small.close()


async def test_missing_redis_refuses_with_a_time_to_retry(source, now):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = Intake(f"redis://127.0.0.1:{closed.getsockname()[1]}/0")

        with pytest.raises(IntakeUnavailable):
            await nowhere.accept(as_body([make_event(now)]), source=source, at=now)

    await nowhere.close()


async def test_what_was_refused_is_accepted_when_redis_is_back(buffer_url, redis, source, now):
    body = as_body([make_event(now)])
    small = Intake(buffer_url, max_buffer_bytes=1)
    with pytest.raises(IntakeUnavailable):
        await small.accept(body, source=source, at=now)

    small._max_buffer_bytes = buffer.MAX_BYTES
    receipt = await small.accept(body, source=source, at=now)
    await small.close()

    assert receipt.accepted == 1


async def test_remembered_ids_are_bounded(intake, source, now):
    intake._recent.limit = 10

    for _ in range(20):
        await intake.accept(as_body([make_event(now) for _ in range(4)]), source=source, at=now)

    kept = [*intake._recent.newer.values(), *intake._recent.older.values()]
    assert sum(map(len, kept)) <= 20

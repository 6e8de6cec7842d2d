"""What can be done to a stream? Every write goes with its audit row in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from core import audit, push
from core.audit import Actor, Target
from core.errors import DomainError, NotFound
from core.models import AuditEntry
from streams.lifecycle import ARCHIVABLE, step_between
from streams.models import OPEN_STATES, SLUG_LENGTH, Stream, Transition
from streams.queries import archived_from
from streams.validation import InvalidFields, StreamFields, checked_stream, slug_problem

MAX_COMMENT = 500
MAX_BULK = 200
MAX_SUGGESTIONS = 200
State = Stream.State


class StaleVersion(DomainError):
    """Somebody else saved meanwhile; `extra` says who and what."""

    slug = "stale-version"
    status = 412
    title = "Changed meanwhile"


class StreamArchived(DomainError):
    slug = "stream-archived"
    status = 409
    title = "Stream is archived"


def create_stream(*, fields: StreamFields, actor: Actor, at: datetime) -> Stream:
    """Make a draft; an empty slug is made from the title. Raises InvalidFields."""
    with transaction.atomic():
        stream = _insert(fields, at)
        record(action="stream.create", stream=stream, actor=actor, at=at, after=state_of(stream))
    return stream


def clone_stream(*, source: Stream, fields: StreamFields, actor: Actor, at: datetime) -> Stream:
    """Make a draft with these fields, recorded as a clone of `source`; copies no overrides."""
    with transaction.atomic():
        stream = _insert(fields, at)
        after = {**state_of(stream), "cloned_from": source.slug}
        record(action="stream.clone", stream=stream, actor=actor, at=at, after=after)
    return stream


def update_stream(
    *, stream: Stream, fields: StreamFields, based_on: int | None, actor: Actor, at: datetime
) -> Stream:
    """Replace the fields of the version the person saw (None: whatever it is now).

    Saving equal fields does nothing. Raises InvalidFields or StaleVersion.
    """
    fields = checked_stream(fields)
    with transaction.atomic():
        row = _locked(stream)
        check_version(row.version, based_on, target=target_of(row))
        if fields == StreamFields.of(row):
            return row
        _check_change(row, fields)
        before = state_of(row)
        _assign(row, fields)
        row.version += 1
        _save(row)
        record(
            action="stream.update",
            stream=row,
            actor=actor,
            at=at,
            before=before,
            after=state_of(row),
        )
    return row


def transition_stream(
    *, stream: Stream, to: str, actor: Actor, at: datetime, comment: str = ""
) -> Stream:
    """Take the stream one step further; lifecycle.py holds the table of steps.

    Raises IllegalTransition, or InvalidFields when the step needs a start or a reason. Connected
    SDKs are told when the stream opens or closes for them.
    """
    comment = comment.strip()
    with transaction.atomic():
        row = _locked(stream)
        step = step_between(row.state, to, archived_from(row))
        if step.needs_reason and not comment:
            raise InvalidFields([("comment", "Say why: viewers were told that it is over.")])
        if len(comment) > MAX_COMMENT:
            raise InvalidFields([("comment", f"Use at most {MAX_COMMENT} characters.")])
        if to == State.SCHEDULED and row.starts_at is None:
            raise InvalidFields([("starts_at", "Give it a start before scheduling it.")])
        _move(row, to, actor, at, comment)
    return row


def archive_streams(*, slugs: Sequence[str], actor: Actor, at: datetime) -> tuple[list[str], int]:
    """Archive those that can be; returns the slugs archived and how many were left as they are."""
    if len(slugs) > MAX_BULK:
        raise InvalidFields([("slugs", f"Choose at most {MAX_BULK} streams at once.")])
    with transaction.atomic():
        legal = [slug for slug in slugs if not slug_problem(slug)]
        chosen = Stream.objects.select_for_update().filter(slug__in=legal).order_by("pk")
        rows = [row for row in chosen if row.state in ARCHIVABLE]
        for row in rows:
            _move(row, State.ARCHIVED, actor, at, "")
    return [row.slug for row in rows], len(set(slugs)) - len(rows)


def restore_streams(*, slugs: Sequence[str], actor: Actor, at: datetime) -> int:
    """Bring archived streams back to the states they came from; returns how many."""
    with transaction.atomic():
        legal = [slug for slug in slugs if not slug_problem(slug)]
        chosen = Stream.objects.select_for_update().filter(slug__in=legal, state=State.ARCHIVED)
        rows = list(chosen.order_by("pk")[:MAX_BULK])
        for row in rows:
            _move(row, archived_from(row), actor, at, "")
    return len(rows)


def suggested_slug(title: str) -> str:
    """Return a free slug for this title: a number is added when it is taken."""
    base = slugify(title).replace("_", "-").strip("-") or "stream"
    base = base[: SLUG_LENGTH - 4].rstrip("-")
    taken = set(Stream.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    numbered = (f"{base}-{number}" for number in range(2, MAX_SUGGESTIONS))
    return next((slug for slug in (base, *numbered) if slug not in taken), base)


def check_version(current: int, based_on: int | None, *, target: Target) -> None:
    """Raise StaleVersion, naming who saved last, unless `based_on` is the current version."""
    if based_on is None or based_on == current:
        return
    last = AuditEntry.objects.filter(
        target_type=target.type, target_id=target.id, result=AuditEntry.Result.DONE
    ).first()
    if last is None:
        raise StaleVersion("This was changed meanwhile. Load it again.", current_version=current)
    changed = _changed_fields(last.before, last.after)
    what = " and ".join(field.replace("_", " ") for field in changed) or "it"
    raise StaleVersion(
        f"{last.actor_label} changed {what} meanwhile. Nothing of yours was saved.",
        current_version=current,
        changed_by=last.actor_label,
        changed_at=last.at.isoformat(),
        changed_fields=changed,
    )


def target_of(stream: Stream) -> Target:
    return Target(type="stream", id=stream.slug, label=stream.title)


def state_of(stream: Stream) -> dict[str, Any]:
    """Return what the audit trail keeps of a stream."""
    fields = asdict(StreamFields.of(stream))
    for name in ("starts_at", "ends_at"):
        fields[name] = fields[name].isoformat() if fields[name] else None
    return {**fields, "tags": list(fields["tags"]), "state": stream.state}


def record(*, action: str, stream: Stream, actor: Actor, at: datetime, **changes: Any) -> None:
    audit.record(action=action, actor=actor, target=target_of(stream), at=at, **changes)


def _insert(fields: StreamFields, at: datetime) -> Stream:
    if not fields.slug:
        fields = replace(fields, slug=suggested_slug(fields.title))
    fields = checked_stream(fields)
    stream = Stream(state=State.DRAFT, created_at=at)
    _assign(stream, fields)
    _save(stream)
    return stream


def _assign(stream: Stream, fields: StreamFields) -> None:
    for name, value in asdict(fields).items():
        setattr(stream, name, list(value) if name == "tags" else value)


def _save(stream: Stream) -> None:
    try:
        with transaction.atomic():
            stream.save()
    except IntegrityError as error:
        if "slug" not in str(error):
            raise
        raise InvalidFields([("slug", "Another stream has this slug.")]) from error


def _locked(stream: Stream) -> Stream:
    row = Stream.objects.select_for_update().filter(pk=stream.pk).first()
    if row is None:
        raise NotFound("This stream does not exist.")
    return row


def _check_change(row: Stream, fields: StreamFields) -> None:
    if row.state == State.ARCHIVED:
        raise StreamArchived("This stream is archived. Restore it before changing it.")
    if fields.slug != row.slug and row.state != State.DRAFT:
        raise InvalidFields([("slug", "SDKs know this slug; it changes only while a draft.")])
    if fields.starts_at is None and row.state != State.DRAFT:
        raise InvalidFields([("starts_at", f"A stream that is {row.state} needs a start.")])


def _move(row: Stream, to: str, actor: Actor, at: datetime, comment: str) -> None:
    before, was_open = row.state, row.state in OPEN_STATES
    row.state = to
    if to == State.LIVE:
        row.live_at, row.ended_at = row.live_at or at, None
    if to == State.ENDED and before == State.LIVE:
        row.ended_at = at
    row.version += 1
    row.save(update_fields=["state", "live_at", "ended_at", "version"])
    Transition.objects.create(
        stream=row, before=before, after=to, at=at, actor_label=actor.label, comment=comment
    )
    record(
        action="stream.transition",
        stream=row,
        actor=actor,
        at=at,
        before={"state": before},
        after={"state": to},
        comment=comment,
    )
    if was_open != (to in OPEN_STATES):
        push.enqueue("stream", {"stream": row.slug, "open": not was_open})


def _changed_fields(before: Any, after: Any) -> list[str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    return [name for name in after if before.get(name) != after[name]]

"""How does a committed change reach every live process? The only file touching the channel layer.

A push is a hint: it is written to the outbox with the change, relayed after the commit, and swept
later when the relay failed. What it tells of can always be read again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core.models import OutboxEntry
from core.tenancy import current_schema, organization_context

logger = logging.getLogger(__name__)

GROUP = "live"
SWEEP_LIMIT = 200


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Text encoded once for everybody who listens to one topic of one organization."""

    schema_name: str
    topic: str  # "<stream>/<client>" for configuration, "" for the whole organization
    kind: str  # config | revoke | suspend | …
    version: int
    text: str


Payload = Mapping[str, Any]
Handler = Callable[[str, Payload], Sequence[Frame]]
_handlers: dict[str, Handler] = {}


def register(kind: str, handler: Handler) -> None:
    """Name the function that turns an outbox row of this kind into frames."""
    _handlers[kind] = handler


def enqueue(kind: str, payload: Payload) -> None:
    """Write the outbox row beside the change and relay it once that is committed."""
    assert transaction.get_connection().in_atomic_block, "an outbox row goes with its change"
    entry = OutboxEntry.objects.create(kind=kind, payload=dict(payload))
    schema_name = current_schema()

    def relay_after_commit() -> (
        None
    ):  # a partial has no name, and Django's report of a failure asks
        relay(schema_name, entry.pk)

    transaction.on_commit(relay_after_commit, robust=True)


def relay(schema_name: str, entry_id: int) -> bool:
    """Send one waiting outbox row; False when another process has it or it is done."""
    with organization_context(schema_name), transaction.atomic():
        waiting = OutboxEntry.objects.select_for_update(skip_locked=True)
        entry = waiting.filter(pk=entry_id, relayed_at__isnull=True).first()
        if entry is None:
            return False
        publish(_handlers[entry.kind](schema_name, entry.payload))
        OutboxEntry.objects.filter(pk=entry.pk).update(
            relayed_at=timezone.now(), attempts=F("attempts") + 1
        )
    return True


def publish(frames: Sequence[Frame]) -> None:
    """Hand frames to every live process with one message."""
    if not frames:
        return
    layer = get_channel_layer()
    assert layer is not None, "CHANNEL_LAYERS is set"
    message = {"type": "fan.out", "frames": [asdict(frame) for frame in frames]}
    async_to_sync(layer.group_send)(GROUP, message)


def sweep(schema_name: str) -> int:
    """Relay what was left over, oldest first; returns how many rows were sent."""
    with organization_context(schema_name):
        waiting = OutboxEntry.objects.filter(relayed_at__isnull=True)
        ids = list(waiting.values_list("pk", flat=True)[:SWEEP_LIMIT])
    return sum(relay(schema_name, entry_id) for entry_id in ids)

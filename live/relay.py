"""Which frames does a committed change become? Resolved, signed and encoded once per pair."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from core.push import Frame, Payload
from live import admission, store
from live.snapshots import Resolved, delta_text, sign, whole_text
from sdk_keys.signing import KeyRing, key_ring
from tenants.models import Organization

ATTEMPTS = 5


def relay_config(schema_name: str, payload: Payload) -> list[Frame]:
    """Store the new snapshots of the pairs that have sockets and return their deltas.

    The head is raised before the sockets are counted, and a process counts a socket before it
    reads the head: so either the relay sees the socket or the socket sees the new head.
    """
    sent_at = time.time()
    redis = store.sync_redis()
    head = int(redis.eval(store.RAISE, 1, store.head_key(schema_name), payload["version"]))
    stream, client = payload.get("stream"), payload.get("client")
    pairs = [
        pair
        for pair in store.present(redis, schema_name)
        if stream in {None, pair[0]} and client in {None, pair[1]}
    ]
    frames = list(_config_frames(schema_name, pairs))
    news = {
        "version": payload["version"],
        "head": head,
        "stream": stream,
        "client": client,
        "sent_at": sent_at,
    }
    return [*frames, _frame(schema_name, "head", payload["version"], news)]


def relay_revocation(schema_name: str, payload: Payload) -> list[Frame]:
    """Remember the key for as long as its tokens live, and close its sockets."""
    redis, key = store.sync_redis(), store.revoked_key(schema_name)
    redis.zadd(key, {payload["key"]: time.time()})
    redis.expire(key, store.REVOKED_S)
    return [_frame(schema_name, "revoke", 0, {"key": payload["key"]})]


def relay_standing(schema_name: str, payload: Payload) -> list[Frame]:
    """Make every process ask again who may stay: an organization, stream or client changed."""
    return [_frame(schema_name, "standing", 0, {})]


def _config_frames(schema_name: str, pairs: list[store.Pair]) -> Iterable[Frame]:
    if not pairs:
        return
    at = timezone.now()
    ring = key_ring(at)
    slug = Organization.objects.values_list("slug", flat=True).get(schema_name=schema_name)
    for resolved in admission.resolve_here(slug, pairs):
        frame = _advance(schema_name, resolved, ring, at)
        if frame is not None:
            yield frame


def _advance(schema_name: str, resolved: Resolved, ring: KeyRing, at: datetime) -> Frame | None:
    """Store a snapshot unless a newer one is there, and return the delta that leads to it."""
    redis = store.sync_redis()
    key = store.snapshot_key(schema_name, resolved.stream, resolved.client)
    snapshot = sign(resolved, ring=ring, at=at)
    for _ in range(ATTEMPTS):
        held = store.read_snapshot(redis.hgetall(key))
        if held is not None and held[0].version >= resolved.version:
            return None
        if held is None:
            base, text = 0, whole_text(snapshot, ring=ring, at=at)
        else:
            base, text = held[0].version, delta_text(held[0], snapshot, ring=ring, at=at)
        answer = redis.eval(
            store.STORE, 1, key, *store.store_arguments(snapshot, resolved.head, base)
        )
        if answer == b"stored":
            return Frame(
                schema_name=schema_name,
                topic=store.topic(resolved.stream, resolved.client),
                kind="config",
                version=resolved.version,
                text=text,
            )
    return None


def _frame(schema_name: str, kind: str, version: int, content: dict[str, object]) -> Frame:
    return Frame(
        schema_name=schema_name, topic="", kind=kind, version=version, text=json.dumps(content)
    )

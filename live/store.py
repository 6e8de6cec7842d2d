"""Where do the processes of the SDK plane meet? Keys and scripts in Redis; nothing here is truth."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from core.tenancy import org_key
from live.snapshots import Snapshot

CONNECT_TIMEOUT_S = 0.5
TIMEOUT_S = 0.5  # an operator who saves waits for this when Redis hangs
PRESENCE_S = 20
SNAPSHOT_S = 7 * 86_400
REVOKED_S = 2 * 3600

# A snapshot never goes backwards. KEYS snapshot; ARGV expected base (-1: any), version, head,
# payload, jws, kid, seconds. Answers "stored", "same", "older" or "moved" (the base is not there).
STORE = """
local held = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
local head = tonumber(redis.call('HGET', KEYS[1], 'head') or '0')
local base, version = tonumber(ARGV[1]), tonumber(ARGV[2])
if held > version then return 'older' end
if held == version and redis.call('HGET', KEYS[1], 'kid') == ARGV[6] then
  if tonumber(ARGV[3]) > head then redis.call('HSET', KEYS[1], 'head', ARGV[3]) end
  return 'same'
end
if base ~= -1 and held ~= base then return 'moved' end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'head', ARGV[3], 'payload', ARGV[4],
  'jws', ARGV[5], 'kid', ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[7])
return 'stored'
"""
# KEYS head; ARGV version. The head only grows.
RAISE = """
local held = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > held then redis.call('SET', KEYS[1], ARGV[1]) return tonumber(ARGV[1]) end
return held
"""

Pair = tuple[str, str]  # stream, client
# A connection that died while it lay in the pool is worth a second try, a silent server is not.
DROPPED = (RedisConnectionError,)


def head_key(schema_name: str) -> str:
    return org_key(schema_name, "head")


def presence_key(schema_name: str) -> str:
    """Sorted set of "<stream>/<client>" that have sockets, by when a process last said so."""
    return org_key(schema_name, "presence")


def snapshot_key(schema_name: str, stream: str, client: str) -> str:
    return org_key(schema_name, "snapshot", stream, client)


def revoked_key(schema_name: str) -> str:
    """Sorted set of SDK keys revoked lately, by when; their tokens have not all expired yet."""
    return org_key(schema_name, "revoked")


def processes_key(schema_name: str) -> str:
    """Sorted set of live processes with sockets of this organization, by when last seen."""
    return org_key(schema_name, "processes")


def delivery_key(schema_name: str, process: str) -> str:
    return org_key(schema_name, "delivery", process)


def topic(stream: str, client: str) -> str:
    return f"{stream}/{client}"


def pair_of(topic_text: str) -> Pair:
    stream, _, client = topic_text.partition("/")
    return stream, client


@lru_cache(maxsize=1)
def sync_redis() -> redis.Redis:
    """Return the connection pool of code that waits: relay, pages."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 1, DROPPED),
        max_connections=32,
    )


def async_redis() -> aioredis.Redis:
    """Return a client for the event loop that asks; the caller keeps and closes it."""
    return aioredis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        retry=AsyncRetry(NoBackoff(), 1, DROPPED),
        max_connections=32,
    )


def read_snapshot(fields: Any) -> tuple[Snapshot, int] | None:
    """Return a stored snapshot and the head it is known good at."""
    if not fields:
        return None
    snapshot = Snapshot(
        version=int(fields[b"version"]),
        payload=fields[b"payload"],
        jws=fields[b"jws"].decode(),
        kid=fields[b"kid"].decode(),
    )
    return snapshot, int(fields[b"head"])


def store_arguments(snapshot: Snapshot, head: int, base: int = -1) -> list[Any]:
    """Return the arguments of STORE."""
    return [
        base,
        snapshot.version,
        head,
        snapshot.payload,
        snapshot.jws,
        snapshot.kid,
        SNAPSHOT_S,
    ]


def present(client: redis.Redis, schema_name: str) -> set[Pair]:
    """Return the pairs that have sockets in any process."""
    since = time.time() - PRESENCE_S
    members: Any = client.zrangebyscore(presence_key(schema_name), since, "+inf")
    return {pair_of(member.decode()) for member in members}

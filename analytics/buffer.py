"""Where do accepted events wait until ClickHouse has them? The names and scripts of the stream.

`gantry:_:events` holds one entry per accepted batch. The entry goes away in the same step in which
the consumer group is told that it is done, so its first entry is the oldest event not yet stored.
"""

from __future__ import annotations

STREAM = "gantry:_:events"
BYTES = "gantry:_:events:bytes"
DEAD = "gantry:_:events:dead"
GROUP = "ingest"
TOTALS = "gantry:_:ingest:totals"
MAX_BYTES = 512 * 1_048_576
MAX_DEAD = 10_000


def alive_key(consumer: str) -> str:
    """Return the key a running consumer keeps; without it others take its entries over."""
    return f"gantry:_:ingest:alive:{consumer}"


# A batch is stored, counted and remembered, or none of it.
# KEYS stream, bytes, marker of this batch. ARGV payload, limit of the buffer, seconds to remember
# the batch, payload that carries only counts (for a batch that is known already).
ADD = """
local seen = redis.call('EXISTS', KEYS[3]) == 1
local payload = seen and ARGV[4] or ARGV[1]
local size = tonumber(redis.call('GET', KEYS[2]) or '0') + #payload
if size > tonumber(ARGV[2]) then return 'full' end
redis.call('XADD', KEYS[1], '*', 'batch', payload)
redis.call('INCRBY', KEYS[2], #payload)
if seen then return 'seen' end
redis.call('SET', KEYS[3], '1', 'EX', ARGV[3])
return 'added'
"""

# Acknowledge and remove; an entry that another consumer finished before is not subtracted twice.
# KEYS stream, bytes, totals. ARGV group, rows, then id and size of each entry.
FINISH = """
local freed, finished = 0, 0
for i = 3, #ARGV, 2 do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    freed = freed + tonumber(ARGV[i + 1])
    finished = finished + 1
  end
end
if redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('SET', KEYS[2], '0')
else
  redis.call('DECRBY', KEYS[2], freed)
end
redis.call('HINCRBY', KEYS[3], 'rows', ARGV[2])
redis.call('HINCRBY', KEYS[3], 'batches', finished)
return finished
"""

# Move a batch that cannot be stored out of the way, with the reason.
# KEYS stream, bytes, dead, totals. ARGV group, id, size, reason, limit of the dead stream.
PARK = """
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
if not found then return 0 end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'reason', ARGV[4], 'entry', ARGV[2], unpack(found[2]))
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('DECRBY', KEYS[2], ARGV[3])
redis.call('HINCRBY', KEYS[4], 'parked', 1)
return 1
"""

# Forget a consumer that is gone, but never together with entries it still holds.
# KEYS stream, alive key of the consumer. ARGV group, consumer.
FORGET = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
"""

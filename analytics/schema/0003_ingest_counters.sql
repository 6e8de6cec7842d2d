-- Grain: one outcome of one received batch (`entry` is its id in the event buffer).
-- outcome: accepted, duplicate or rejected; reason: why, for rejected; events: how many.
-- Read with FINAL: a batch that was inserted twice replaces its own rows.
CREATE TABLE IF NOT EXISTS ingest_counters
(
    organization LowCardinality(String),
    stream LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
    outcome LowCardinality(String),
    reason LowCardinality(String),
    entry String,
    client LowCardinality(String),
    events UInt32
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (organization, stream, minute, outcome, reason, entry)
TTL minute + INTERVAL 90 DAY DELETE
SETTINGS non_replicated_deduplication_window = 1000;

-- Grain: one accepted event, once. A re-inserted event replaces itself, because everything the
-- sort key is made of comes from the event and never from the moment it was received.
-- at: when it happened by the app's clock; received_at: when the edge took it (both UTC, ms).
-- viewer, session: keyed pseudonyms, other numbers in every organization.
CREATE TABLE IF NOT EXISTS events
(
    organization LowCardinality(String),
    stream LowCardinality(String),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    type LowCardinality(String),
    id UUID,
    client LowCardinality(String),
    platform LowCardinality(String),
    sdk LowCardinality(String),
    country LowCardinality(String),
    key LowCardinality(String),
    viewer UInt64,
    session UInt64,
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    properties String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (organization, stream, toStartOfMinute(at), type, id)
TTL toDateTime(at) + INTERVAL 400 DAY DELETE
SETTINGS non_replicated_deduplication_window = 1000;

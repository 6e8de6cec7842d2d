-- Grain: organization, stream, minute, type, client, platform.
-- events: state of the exact number of event ids; viewers: state of the number of viewers (≈ 1 %).
-- Sets of ids rather than sums, so that inserting the same events again changes nothing.
CREATE TABLE IF NOT EXISTS stream_minutes
(
    organization LowCardinality(String),
    stream LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
    type LowCardinality(String),
    client LowCardinality(String),
    platform LowCardinality(String),
    events AggregateFunction(uniqExact, UUID),
    viewers AggregateFunction(uniqCombined64, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (organization, stream, minute, type, client, platform)
TTL minute + INTERVAL 400 DAY DELETE
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS stream_minutes_from_events TO stream_minutes AS
SELECT
    organization,
    stream,
    toDateTime(toStartOfMinute(at), 'UTC') AS minute,
    type,
    client,
    platform,
    uniqExactState(id) AS events,
    uniqCombined64State(viewer) AS viewers
FROM events
GROUP BY organization, stream, minute, type, client, platform;

-- Grain: bucket of `step` seconds and event type, of one stream; exact, read from single events.
-- Columns: bucket (Unix seconds at its start), type, events (count of distinct ids).
-- Parameters: organization, stream, since and until (Unix seconds, until excluded), step (seconds).
-- Table: events.
SELECT
    intDiv(toUnixTimestamp(at), {step:UInt32}) * {step:UInt32} AS bucket,
    type,
    uniqExact(id) AS events
FROM events
WHERE organization = {organization:String}
  AND stream = {stream:String}
  AND at >= fromUnixTimestamp({since:UInt32})
  AND at < fromUnixTimestamp({until:UInt32})
GROUP BY bucket, type
ORDER BY bucket, type

-- Grain: bucket of `step` seconds (whole minutes) and event type, of one stream.
-- Columns: bucket (Unix seconds at its start), type, events (count of distinct ids).
-- Parameters: organization, stream, since and until (Unix seconds, until excluded), step (seconds).
-- Table: stream_minutes.
SELECT
    intDiv(toUnixTimestamp(minute), {step:UInt32}) * {step:UInt32} AS bucket,
    type,
    uniqExactMerge(events) AS events
FROM stream_minutes
WHERE organization = {organization:String}
  AND stream = {stream:String}
  AND minute >= fromUnixTimestamp({since:UInt32})
  AND minute < fromUnixTimestamp({until:UInt32})
GROUP BY bucket, type
ORDER BY bucket, type

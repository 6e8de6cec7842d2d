-- Grain: minute of one stream.
-- Columns: bucket (Unix seconds at its start), viewers (distinct viewers seen in it, about 1 % off).
-- Parameters: organization, stream, since and until (Unix seconds, until excluded).
-- Table: stream_minutes.
SELECT
    toUnixTimestamp(minute) AS bucket,
    uniqCombined64Merge(viewers) AS viewers
FROM stream_minutes
WHERE organization = {organization:String}
  AND stream = {stream:String}
  AND minute >= fromUnixTimestamp({since:UInt32})
  AND minute < fromUnixTimestamp({until:UInt32})
GROUP BY minute
ORDER BY minute

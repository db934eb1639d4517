-- What readers read of all this: views, and functions over views. Functions run with the rights of who calls them, and so
-- open nothing that the views do not; each is one query, which the planner puts in line.

CREATE VIEW api.segments WITH (security_barrier) AS
SELECT device, session, lane, from_sample, from_ns, time, to_sample, to_ns, ecg.at_ns(to_ns) AS ended, start, settings,
       version
FROM ecg.segment AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until);

-- Both lanes together make a minute. All but the version is read from the key alone.
CREATE OR REPLACE VIEW api.trends WITH (security_barrier) AS
SELECT device, session, code, time, extract(epoch FROM time)::bigint * 1000000000 AS minute_ns, sum(n)::bigint AS n,
       (sum(n * mean::float8) / nullif(sum(n::float8) FILTER (WHERE mean IS NOT NULL), 0))::real AS mean,
       min(low) AS low, max(high) AS high, max(version) AS version
FROM ecg.trend AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until
              AND (w.kind <> 'share' OR t.time + interval '1 min' <= w.until))
GROUP BY device, time, code, session;

-- By UTC hours, over sessions and lanes: those that housekeeping has made and, where it has not yet made any, what the
-- minutes give. Whole hours only: of one in which a device moved or a share ends, nothing.
CREATE VIEW api.trends_hourly WITH (security_barrier) AS
SELECT device, code, time, n, mean, low, high
FROM (SELECT h.device, h.time, h.code, h.n, h.mean, h.low, h.high FROM ecg.trend_hour AS h
      UNION ALL
      SELECT d.device, d.time, m.code, sum(m.n)::bigint,
             (sum(m.n * m.mean::float8) / nullif(sum(m.n::float8) FILTER (WHERE m.mean IS NOT NULL), 0))::real,
             min(m.low), max(m.high)
      FROM ecg.hour_due AS d
      JOIN ecg.trend AS m ON m.device = d.device AND m.time >= d.time AND m.time < d.time + interval '1 h'
      WHERE NOT EXISTS (SELECT FROM ecg.trend_hour AS h WHERE h.device = d.device AND h.time = d.time)
      GROUP BY d.device, d.time, m.code) AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time + interval '1 h' <= w.until);

-- By UTC days: of the hours that one sees.
CREATE VIEW api.trends_daily WITH (security_barrier) AS
SELECT device, code, date_trunc('day', time, 'UTC') AS time, sum(n)::bigint AS n,
       (sum(n * mean::float8) / nullif(sum(n::float8) FILTER (WHERE mean IS NOT NULL), 0))::real AS mean,
       min(low) AS low, max(high) AS high
FROM api.trends_hourly
GROUP BY device, code, date_trunc('day', time, 'UTC');

CREATE OR REPLACE VIEW api.conditions WITH (security_barrier) AS
SELECT t.id, t.device, a.patient, t.patient AS told_patient, t.session, t.code, t.phase, t.onset, t.onset_sample,
       t.onset_ns, t.decided_sample, t.decided_ns, t.delay_s, t.end_ns, ecg.at_ns(t.end_ns) AS ended, t.evidence,
       t.version, t.lane
FROM ecg.condition AS t
LEFT JOIN ecg.association AS a ON a.device = t.device AND a.superseded_at IS NULL
    AND tstzrange(a.since, a.until) @> t.onset
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.onset >= w.since AND t.onset < w.until);

CREATE OR REPLACE VIEW api.alerts WITH (security_barrier) AS
SELECT t.id, t.device, a.patient, t.patient AS told_patient, t.session, t.condition, t.priority, t.state, t.onset,
       t.onset_sample, t.onset_ns, t.decided_sample, t.decided_ns, t.delay_s, t.end_ns, ecg.at_ns(t.end_ns) AS ended,
       t.evidence, t.published_ns, t.raised_ns, ecg.at_ns(t.raised_ns) AS raised, t.updated_ns, t.recorded_at,
       t.acknowledged_ns, ecg.at_ns(t.acknowledged_ns) AS acknowledged, t.acknowledged_by, t.reason
FROM ecg.alert AS t
LEFT JOIN ecg.association AS a ON a.device = t.device AND a.superseded_at IS NULL
    AND tstzrange(a.since, a.until) @> t.onset
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.onset >= w.since AND t.onset < w.until);

GRANT CREATE ON SCHEMA api TO ecg_views;
ALTER VIEW api.segments OWNER TO ecg_views;
ALTER VIEW api.trends_hourly OWNER TO ecg_views;
ALTER VIEW api.trends_daily OWNER TO ecg_views;
REVOKE CREATE ON SCHEMA api FROM ecg_views;

GRANT SELECT ON api.segments TO ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor;
GRANT SELECT ON api.trends_hourly, api.trends_daily
    TO ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor, ecg_service;


-- MDC code of a lead or wave by its name (schemas/mdc.py); NULL: there is no such name.
CREATE FUNCTION api.lead_code(name text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE name
    WHEN 'I' THEN 131329 WHEN 'II' THEN 131330 WHEN 'III' THEN 131389
    WHEN 'aVR' THEN 131390 WHEN 'aVL' THEN 131391 WHEN 'aVF' THEN 131392
    WHEN 'V1' THEN 131331 WHEN 'V2' THEN 131332 WHEN 'V3' THEN 131333
    WHEN 'V4' THEN 131334 WHEN 'V5' THEN 131335 WHEN 'V6' THEN 131336
    WHEN 'ECG' THEN 131328 WHEN 'PLETH' THEN 150452 WHEN 'ABP' THEN 150032 WHEN 'RESP' THEN 151552
END;

-- The blocks of a lead with samples in [since, until) by the device's clock; up to two seconds more at both ends. "time" is
-- nominal, and drifts from the device's clock in a long session: two minutes are 50 ppm of a month.
CREATE FUNCTION api.trace(device text, lead text, since timestamptz, until timestamptz)
RETURNS TABLE (session bigint, channel smallint, first_sample bigint, "time" timestamptz, rate float8, gain float8,
               "offset" float8, unit smallint, n integer, codec text, data bytea, packet_seq bigint[],
               packet_first bigint[], packet_ns bigint[], packet_lead_off boolean[], pace bigint[])
LANGUAGE sql STABLE PARALLEL SAFE BEGIN ATOMIC
    SELECT b.session, b.channel, b.first_sample, b.time, b.rate, b.gain, b."offset", b.unit, b.n, b.codec, b.data,
           b.packet_seq, b.packet_first, b.packet_ns, b.packet_lead_off, b.pace
    FROM api.trace_blocks AS b
    WHERE b.device = trace.device AND b.code = api.lead_code(trace.lead)
        AND b.time > trace.since - interval '130 s' AND b.time < trace.until + interval '120 s'
        AND coalesce(ecg.at_ns(b.packet_ns[cardinality(b.packet_ns)]), b.time + interval '10 s')
            > trace.since - interval '2 s'
        AND coalesce(ecg.at_ns(b.packet_ns[1]), b.time) < trace.until + interval '2 s'
    ORDER BY b.time, b.session, b.channel;
END;

-- A device's numbers in buckets that begin at since: of hours where a bucket is whole hours from a whole hour on, else of
-- minutes. The last bucket is a whole one too.
CREATE FUNCTION api.trend(device text, since timestamptz, until timestamptz, bucket interval)
RETURNS TABLE ("time" timestamptz, code bigint, n bigint, mean real, low real, high real)
LANGUAGE sql STABLE PARALLEL SAFE BEGIN ATOMIC
    SELECT date_bin(trend.bucket, t.time, trend.since), t.code, sum(t.n)::bigint,
           (sum(t.n * t.mean::float8) / nullif(sum(t.n::float8) FILTER (WHERE t.mean IS NOT NULL), 0))::real,
           min(t.low), max(t.high)
    FROM (SELECT m.time, m.code, m.n, m.mean, m.low, m.high FROM api.trends AS m
          WHERE m.device = trend.device AND m.time >= trend.since
            AND m.time < trend.since + trend.bucket
                * ceil(extract(epoch FROM trend.until - trend.since) / extract(epoch FROM trend.bucket))::float8
            AND (extract(epoch FROM trend.since) % 3600 <> 0 OR extract(epoch FROM trend.bucket) % 3600 <> 0)
          UNION ALL
          SELECT h.time, h.code, h.n, h.mean, h.low, h.high FROM api.trends_hourly AS h
          WHERE h.device = trend.device AND h.time >= trend.since
            AND h.time < trend.since + trend.bucket
                * ceil(extract(epoch FROM trend.until - trend.since) / extract(epoch FROM trend.bucket))::float8
            AND extract(epoch FROM trend.since) % 3600 = 0 AND extract(epoch FROM trend.bucket) % 3600 = 0) AS t
    GROUP BY 1, 2
    ORDER BY 1, 2;
END;

REVOKE ALL ON FUNCTION api.lead_code, api.trace, api.trend FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.lead_code, api.trace, api.trend TO ecg_reader;

-- What a replay needs besides signals: what changed results, and where it lay in the log against the packets.
--
-- A sink of the version before goes on writing: packets without places, and no control records. What it has written
-- cannot be replayed.

-- Control records as they travelled (schemas/avro/Control-*.avsc): who wears the device, alarm limits, kind of patient,
-- enrolment. They hold from their place in the log of the device's partition, which source_offset is.
CREATE TABLE ecg.control (
    device          text NOT NULL,
    issued_ns       bigint NOT NULL,        -- the issuer's clock
    time            timestamptz NOT NULL,   -- of issued_ns
    source_offset   bigint NOT NULL,
    kind            text NOT NULL,          -- Association, Settings, Limits, Enrolled …
    record          bytea NOT NULL,
    PRIMARY KEY (device, time, source_offset)
);

-- Beside packet_seq, in the blocks of channel 0: the record of the ingest topic, or of the backfill topic, that each
-- packet came with first; -1: not known. Empty where it was stored before this version.
ALTER TABLE ecg.trace ADD packet_offset bigint[] NOT NULL DEFAULT '{}';

-- Of a vital sign, its place within its record: what is scored with each number that comes depends on it.
ALTER TABLE ecg.vital ADD place integer NOT NULL DEFAULT 0;

CREATE VIEW api.controls WITH (security_barrier) AS
SELECT device, issued_ns, time, source_offset, kind, record
FROM ecg.control AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until);

-- As before, with the places.
CREATE OR REPLACE VIEW api.trace_blocks WITH (security_barrier) AS
SELECT device, session, channel, first_sample, time, code, kind, unit, rate, gain, "offset",
       high_pass, low_pass, notch, n, codec, data, packet_seq, packet_first, packet_ns, packet_lead_off, pace,
       packet_offset
FROM ecg.trace AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until
              AND (w.kind <> 'share' OR t.time + t.n / t.rate * interval '1 s' <= w.until));

CREATE OR REPLACE VIEW api.vitals WITH (security_barrier) AS
SELECT device, session, code, time, time_ns, value, source_offset, place
FROM ecg.vital AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until);

GRANT CREATE ON SCHEMA api TO ecg_views;
ALTER VIEW api.controls OWNER TO ecg_views;
REVOKE CREATE ON SCHEMA api FROM ecg_views;
GRANT SELECT, INSERT ON ecg.control TO ecg_sink;
GRANT SELECT ON ecg.control TO ecg_views;
GRANT SELECT (device, time), DELETE ON ecg.control TO ecg_housekeeping;
GRANT SELECT ON api.controls TO ecg_clinic, ecg_cardiologist, ecg_auditor;

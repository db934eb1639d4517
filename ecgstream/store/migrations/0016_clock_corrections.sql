-- Where gateways have corrected devices' times, and by how much: the device's own time is the stored one plus ahead_ns of
-- the row with the highest (from_sample, since_ns) that is at or before the sample, of its session; without one, the same.

CREATE TABLE ecg.clock_correction (
    device      text NOT NULL,
    session     bigint NOT NULL,
    from_sample bigint NOT NULL,            -- of channel 0, from which on it holds
    since_ns    bigint NOT NULL,            -- when that came, by the gateway's clock
    time        timestamptz NOT NULL,
    ahead_ns    bigint NOT NULL,            -- by which the device's clock is taken to be ahead; 0: it is right again
    gateway     text NOT NULL,
    PRIMARY KEY (device, session, from_sample, since_ns)
);
CREATE INDEX clock_correction_time ON ecg.clock_correction (device, time);

ALTER TABLE ecg.device
    ADD clock_ns        bigint,             -- when the newest correction began, by the gateway's clock
    ADD clock_ahead_ns  bigint,             -- which is this
    ADD own_skew_ms     double precision    -- the device's clock as it is minus the gateway's
        GENERATED ALWAYS AS (skew_ms + coalesce(clock_ahead_ns, 0) / 1e6::double precision) STORED;

CREATE OR REPLACE VIEW api.devices WITH (security_barrier) AS
SELECT w.device, w.facility, w.kind, w.leads, w.disabled, d.gateway, d.session,
       ecg.at_ns(d.first_seen_ns) AS first_seen, ecg.at_ns(d.last_seen_ns) AS last_seen, d.own_skew_ms AS skew_ms,
       d.battery_percent, ecg.at_ns(d.battery_ns) AS battery_at
FROM (SELECT e.device, e.facility, e.kind, e.leads, e.disabled FROM ecg.enrolment AS e
      WHERE e.facility IN (SELECT p.facility FROM ecg.my_place AS m JOIN ecg.placement AS p ON p.path <@ m.path
                           WHERE m.kind <> 'expert')
      UNION ALL
      SELECT d.device, NULL, NULL, NULL, NULL FROM ecg.device AS d
      WHERE EXISTS (SELECT FROM ecg.my_place AS m WHERE nlevel(m.path) = 1 AND m.kind <> 'expert')
          AND NOT EXISTS (SELECT FROM ecg.enrolment AS e WHERE e.device = d.device)) AS w
LEFT JOIN ecg.device AS d ON d.device = w.device;

-- What goes on at a device now, and who wears it.
CREATE OR REPLACE VIEW api.device_health WITH (security_barrier) AS
SELECT w.device, w.facility, w.disabled, a.patient, a.place_kind, a.place, d.gateway, d.session,
       ecg.at_ns(d.first_seen_ns) AS first_seen, ecg.at_ns(d.last_seen_ns) AS last_seen, d.own_skew_ms AS skew_ms,
       d.battery_percent, d.rhythm, coalesce(open.alerts, 0) AS open_alerts, coalesce(open.high, 0) AS open_high,
       d.clock_ahead_ns / 1e6::double precision AS corrected_ms
FROM (SELECT e.device, e.facility, e.disabled FROM ecg.enrolment AS e
      WHERE e.facility IN (SELECT p.facility FROM ecg.my_place AS m JOIN ecg.placement AS p ON p.path <@ m.path
                           WHERE m.kind IN ('clinic', 'cardiologist', 'auditor', 'service'))
      UNION ALL
      SELECT d.device, NULL, NULL FROM ecg.device AS d
      WHERE EXISTS (SELECT FROM ecg.my_place AS m
                    WHERE nlevel(m.path) = 1 AND m.kind IN ('clinic', 'cardiologist', 'auditor', 'service'))
          AND NOT EXISTS (SELECT FROM ecg.enrolment AS e WHERE e.device = d.device)) AS w
LEFT JOIN ecg.device AS d ON d.device = w.device
LEFT JOIN ecg.association AS a ON a.device = w.device AND a.superseded_at IS NULL AND a.since <= now() AND a.until > now()
LEFT JOIN (SELECT device, count(*) AS alerts, count(*) FILTER (WHERE priority = 'HIGH') AS high
           FROM ecg.alert WHERE state <> 'ENDED' GROUP BY device) AS open ON open.device = w.device;

CREATE VIEW api.clock_corrections WITH (security_barrier) AS
SELECT device, session, from_sample, since_ns, time, ahead_ns, gateway
FROM ecg.clock_correction AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until);

GRANT CREATE ON SCHEMA api TO ecg_views;
ALTER VIEW api.clock_corrections OWNER TO ecg_views;
REVOKE CREATE ON SCHEMA api FROM ecg_views;
GRANT SELECT ON ecg.clock_correction TO ecg_views;
GRANT SELECT ON api.clock_corrections TO ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor, ecg_service;
GRANT SELECT, INSERT ON ecg.clock_correction TO ecg_sink;
GRANT SELECT (device, time, since_ns), DELETE ON ecg.clock_correction TO ecg_housekeeping;

-- What readers read: stable names over the base tables.

CREATE VIEW api.trace_blocks AS
SELECT device, session, channel, first_sample, time, code, kind, unit, rate, gain, "offset",
       high_pass, low_pass, notch, n, codec, data, packet_seq, packet_first, packet_ns, packet_lead_off, pace
FROM ecg.trace;

CREATE VIEW api.beats AS
SELECT device, session, sample, time, time_ns, code, rr_s, hr_bpm, version
FROM ecg.beat;

CREATE VIEW api.rhythms AS
SELECT device, session, sample, time, time_ns, rhythm, version
FROM ecg.rhythm;

CREATE VIEW api.vitals AS
SELECT device, session, code, time, time_ns, value
FROM ecg.vital;

CREATE VIEW api.trends AS
SELECT device, session, code, time, minute_ns, n, mean, low, high, version
FROM ecg.trend;

CREATE VIEW api.conditions AS
SELECT id, device, patient, session, code, phase, onset, onset_sample, onset_ns, decided_sample, decided_ns,
       delay_s, end_ns, ecg.at_ns(end_ns) AS ended, evidence, version
FROM ecg.condition;

CREATE VIEW api.alerts AS
SELECT id, device, patient, session, condition, priority, state, onset, onset_sample, onset_ns, decided_sample,
       decided_ns, delay_s, end_ns, ecg.at_ns(end_ns) AS ended, evidence, published_ns, raised_ns,
       ecg.at_ns(raised_ns) AS raised, updated_ns, recorded_at
FROM ecg.alert;

CREATE VIEW api.device_health AS
SELECT d.device, d.gateway, d.session, ecg.at_ns(d.first_seen_ns) AS first_seen,
       ecg.at_ns(d.last_seen_ns) AS last_seen, sessions.n AS sessions, latest.rhythm,
       coalesce(open.alerts, 0) AS open_alerts, coalesce(open.high, 0) AS open_high
FROM ecg.device AS d
CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM ecg.session AS s WHERE s.device = d.device
) AS sessions
LEFT JOIN LATERAL (
    SELECT r.rhythm FROM ecg.rhythm AS r
    WHERE r.device = d.device AND r.session = d.session ORDER BY r.sample DESC LIMIT 1
) AS latest ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS alerts, count(*) FILTER (WHERE a.priority = 'HIGH') AS high
    FROM ecg.alert AS a WHERE a.device = d.device AND a.state <> 'ENDED'
) AS open ON true;

-- Who may read and write what. docs/access.md is the matrix; tests/system/test_access.py tries all of it.
--
-- People (roles person_ACCOUNT, members of the group roles of their positions) read the views of schema api and nothing
-- else. The views belong to ecg_views, which may read the base tables and is nobody's login. What a person sees follows
-- from current_user and its places in the facility tree, never from a setting that SQL can change. The small tables
-- facility, patient, identifier, person and position carry that rule themselves (row-level security, which binds
-- ecg_views too); hypertables cannot (timescaledb#7830, #6827), so there each view carries it.
--
-- Services: ecg_sink writes what was measured and found, ecg_registry the registry, ecg_web checks passwords and
-- becomes the person who logged in (SET ROLE).

DO $$
DECLARE
    kinds CONSTANT text[] := '{ecg_clinic,ecg_cardiologist,ecg_expert,ecg_auditor,ecg_operator,ecg_service}';
    role text;
BEGIN
    IF current_setting('server_version_num')::int < 160000 THEN
        RAISE EXCEPTION 'PostgreSQL 16 or later is needed (roles that may be set but not inherited)';
    END IF;
    -- Roles belong to the whole server: another database of it may have made them.
    FOREACH role IN ARRAY kinds || '{ecg_views,ecg_reader,ecg_sink,ecg_registry,ecg_web}'::text[] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
    FOREACH role IN ARRAY kinds LOOP
        IF NOT pg_has_role(role, 'ecg_reader', 'MEMBER') THEN
            EXECUTE format('GRANT ecg_reader TO %I', role);
        END IF;
        -- The registry makes the roles of people, and can be none of them.
        IF NOT EXISTS (SELECT FROM pg_auth_members WHERE roleid = role::regrole AND member = 'ecg_registry'::regrole) THEN
            EXECUTE format('GRANT %I TO ecg_registry WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', role);
        END IF;
    END LOOP;
    IF NOT (SELECT rolcreaterole FROM pg_roles WHERE rolname = 'ecg_registry') THEN
        ALTER ROLE ecg_registry CREATEROLE;
    END IF;
    IF (SELECT rolinherit FROM pg_roles WHERE rolname = 'ecg_web') THEN
        ALTER ROLE ecg_web NOINHERIT;  -- it may become a person, and is none before
    END IF;
    IF NOT pg_has_role(current_user, 'ecg_views', 'SET') THEN
        EXECUTE format('GRANT ecg_views TO %I', current_user);  -- who owns the tables hands the views over
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ecg_reader, ecg_sink, ecg_registry, ecg_web', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO ecg_sink, ecg_registry', current_database());
END $$;

-- What everybody may call and nobody should: with an advisory lock a reader stops the sink and the teller, which go
-- by them, and large objects are a place to write. Only a superuser can take it away; docs/access.md says how where
-- the owner is none.
DO $$
DECLARE
    keeper CONSTANT name := (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'ecg');
    routine regprocedure;
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR routine IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
            AND proname ~ '^(pg_(try_)?advisory_|lo_|lo(read|write)$)' LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', routine);
            IF routine::text ~ 'advisory' THEN
                EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO ecg_sink, ecg_registry, %I', routine, keeper);
            END IF;
        END LOOP;
    END IF;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ecg FROM PUBLIC;

GRANT USAGE ON SCHEMA ecg TO ecg_views, ecg_sink, ecg_registry;
GRANT EXECUTE ON FUNCTION ecg.log_read TO ecg_registry;
GRANT EXECUTE ON FUNCTION ecg.at_ns TO ecg_views, ecg_sink, ecg_reader;  -- views call functions as their reader
GRANT SELECT, INSERT, UPDATE ON ecg.device, ecg.trace, ecg.beat, ecg.rhythm, ecg.vital, ecg.trend, ecg.condition,
    ecg.alert TO ecg_sink;
GRANT SELECT, INSERT ON ecg.session TO ecg_sink;
GRANT SELECT, INSERT ON ecg.facility, ecg.enrolment, ecg.patient, ecg.identifier, ecg.association, ecg.limit_change,
    ecg.person, ecg.position, ecg.share, ecg.tell, ecg.told TO ecg_registry;
GRANT UPDATE ON ecg.facility, ecg.enrolment, ecg.patient, ecg.identifier, ecg.person, ecg.tell, ecg.told
    TO ecg_registry;
GRANT UPDATE (revoked_by, revoked_at) ON ecg.share TO ecg_registry;
GRANT DELETE ON ecg.facility, ecg.position, ecg.tell, ecg.told TO ecg_registry;
GRANT SELECT ON ecg.device, ecg.placement, ecg.change, ecg.place TO ecg_registry;
GRANT SELECT ON ecg.device, ecg.trace, ecg.beat, ecg.rhythm, ecg.vital, ecg.trend, ecg.condition, ecg.alert,
    ecg.facility, ecg.enrolment, ecg.placement, ecg.patient, ecg.identifier, ecg.association, ecg.limit_change,
    ecg.person, ecg.position, ecg.place, ecg.share, ecg.change TO ecg_views;
GRANT UPDATE (password_hash, changed_by, changed_at) ON ecg.person TO ecg_views;  -- api.credentials


-- What current_user reaches. A window opens a device's data of a time, by a position (its kind) or by a share.

CREATE VIEW ecg.my_place AS SELECT kind, facility, path FROM ecg.place WHERE role = current_user;

-- clock_timestamp(): a transaction that is kept open does not keep a share open.
CREATE VIEW ecg.my_share AS
SELECT s.id, s.patient, s.since, s.until
FROM ecg.share AS s
WHERE s.revoked_at IS NULL AND s.expires > clock_timestamp()
    AND EXISTS (SELECT FROM ecg.my_place AS m WHERE m.kind IN ('clinic', 'cardiologist', 'expert')
                AND ('person_' || s.account = current_user OR s.facility = m.facility));

CREATE VIEW ecg.my_window AS
SELECT m.kind, p.device, p.since, p.until
FROM ecg.my_place AS m JOIN ecg.placement AS p ON p.path <@ m.path
WHERE m.kind <> 'expert'
UNION ALL  -- what nobody has enrolled is the business of those at the root
SELECT m.kind, d.device, '-infinity'::timestamptz, 'infinity'::timestamptz
FROM ecg.my_place AS m JOIN ecg.device AS d ON nlevel(m.path) = 1 AND m.kind <> 'expert'
WHERE EXISTS (SELECT FROM ecg.my_place WHERE nlevel(path) = 1)  -- found out once, and before devices are looked at
    AND NOT EXISTS (SELECT FROM ecg.placement AS p WHERE p.device = d.device)
UNION ALL
SELECT 'share', a.device, greatest(a.since, s.since), least(a.until, s.until)
FROM ecg.my_share AS s JOIN ecg.association AS a ON a.patient = s.patient AND a.superseded_at IS NULL
WHERE a.since < s.until AND a.until > s.since;

-- Patients by the devices that they wear or wore there, and by shares.
CREATE VIEW ecg.my_patient AS
SELECT m.kind, a.patient, greatest(a.since, p.since) AS since, least(a.until, p.until) AS until
FROM ecg.my_place AS m JOIN ecg.placement AS p ON p.path <@ m.path
JOIN ecg.association AS a ON a.device = p.device AND a.superseded_at IS NULL AND a.since < p.until AND a.until > p.since
WHERE m.kind IN ('clinic', 'cardiologist', 'auditor') AND a.patient IS NOT NULL
UNION ALL
SELECT 'share', patient, since, until FROM ecg.my_share;

-- Patients by the facility that answers for them.
CREATE VIEW ecg.my_home AS
SELECT m.kind, p.patient
FROM ecg.my_place AS m JOIN ecg.facility AS f ON f.path <@ m.path JOIN ecg.patient AS p ON p.facility = f.code
WHERE m.kind IN ('clinic', 'cardiologist', 'auditor');


-- Row-level security of the small tables.

ALTER TABLE ecg.facility ENABLE ROW LEVEL SECURITY;
ALTER TABLE ecg.patient ENABLE ROW LEVEL SECURITY;
ALTER TABLE ecg.identifier ENABLE ROW LEVEL SECURITY;
ALTER TABLE ecg.person ENABLE ROW LEVEL SECURITY;
ALTER TABLE ecg.position ENABLE ROW LEVEL SECURITY;
CREATE POLICY registry ON ecg.facility TO ecg_registry USING (true);
CREATE POLICY registry ON ecg.patient TO ecg_registry USING (true);
CREATE POLICY registry ON ecg.identifier TO ecg_registry USING (true);
CREATE POLICY registry ON ecg.person TO ecg_registry USING (true);
CREATE POLICY registry ON ecg.position TO ecg_registry USING (true);

-- One's own, what lies below it, and the way up to the root.
CREATE POLICY reach ON ecg.facility FOR SELECT TO ecg_views
    USING (EXISTS (SELECT FROM ecg.my_place AS m WHERE facility.path <@ m.path OR facility.path @> m.path));
CREATE POLICY reach ON ecg.patient FOR SELECT TO ecg_views USING (
    facility IN (SELECT f.code FROM ecg.my_place AS m JOIN ecg.facility AS f ON f.path <@ m.path
                 WHERE m.kind IN ('clinic', 'cardiologist', 'auditor'))
    OR patient IN (SELECT p.patient FROM ecg.my_patient AS p));
-- Names are for those who care for the patient; a share opens none.
CREATE POLICY reach ON ecg.identifier FOR SELECT TO ecg_views USING (
    patient IN (SELECT p.patient FROM ecg.my_patient AS p WHERE p.kind IN ('clinic', 'cardiologist'))
    OR patient IN (SELECT h.patient FROM ecg.my_home AS h WHERE h.kind IN ('clinic', 'cardiologist')));
CREATE POLICY reach ON ecg.position FOR SELECT TO ecg_views USING (
    'person_' || account = current_user
    OR facility IN (SELECT f.code FROM ecg.my_place AS m JOIN ecg.facility AS f ON f.path <@ m.path
                    WHERE m.kind IN ('auditor', 'operator')));
CREATE POLICY reach ON ecg.person FOR SELECT TO ecg_views USING (
    'person_' || account = current_user
    OR current_user = 'ecg_web' OR pg_has_role(current_user, 'ecg_web', 'USAGE')
    OR account IN (SELECT p.account FROM ecg.position AS p));
CREATE POLICY rehash ON ecg.person FOR UPDATE TO ecg_views
    USING (current_user = 'ecg_web' OR pg_has_role(current_user, 'ecg_web', 'USAGE'));


-- The views. A barrier keeps a reader's own functions and operators from seeing rows before the filter has.

DROP VIEW api.trace_blocks, api.beats, api.rhythms, api.vitals, api.trends, api.conditions, api.alerts, api.device_health;

CREATE VIEW api.facilities WITH (security_barrier) AS
SELECT code, parent, path, level, kind, name_en, name_zh, time_zone, contact FROM ecg.facility;

CREATE VIEW api.people WITH (security_barrier) AS
SELECT account, name, disabled FROM ecg.person;

CREATE VIEW api.positions WITH (security_barrier) AS
SELECT account, kind, facility FROM ecg.position;

CREATE VIEW api.patients WITH (security_barrier) AS
SELECT patient, facility, category, paced FROM ecg.patient;

CREATE VIEW api.identifiers WITH (security_barrier) AS
SELECT patient, kind, search, sealed, key FROM ecg.identifier;

CREATE VIEW api.associations WITH (security_barrier) AS
SELECT a.id, a.device, a.patient, nullif(a.since, '-infinity') AS since, nullif(a.until, 'infinity') AS until,
       a.place_kind, a.place, a.replaces, a.reason, a.said_by, a.said_at, a.superseded_at
FROM ecg.association AS a
WHERE (a.device, a.id) IN (
    SELECT b.device, b.id FROM ecg.my_window AS w
    JOIN ecg.association AS b ON b.device = w.device AND b.since < w.until AND b.until > w.since
    WHERE w.kind IN ('clinic', 'cardiologist', 'auditor')
    UNION ALL
    SELECT b.device, b.id FROM ecg.my_share AS s
    JOIN ecg.association AS b ON b.patient = s.patient AND b.since < s.until AND b.until > s.since
    WHERE b.superseded_at IS NULL);

CREATE VIEW api.limits WITH (security_barrier) AS
SELECT l.id, l.patient, l.code, l.low, l.high, l.is_default, l.reason, l.said_by, l.said_at
FROM ecg.limit_change AS l
WHERE l.patient IN (SELECT p.patient FROM ecg.my_patient AS p WHERE p.kind <> 'share')
   OR l.patient IN (SELECT h.patient FROM ecg.my_home AS h)
   OR EXISTS (SELECT FROM ecg.my_share AS s WHERE s.patient = l.patient AND l.said_at < s.until);

CREATE VIEW api.shares WITH (security_barrier) AS
SELECT s.id, s.patient, s.since, s.until, s.account, s.facility, s.expires, s.reason, s.said_by, s.said_at,
       s.revoked_by, s.revoked_at
FROM ecg.share AS s
WHERE s.id IN (SELECT id FROM ecg.my_share)
   OR s.patient IN (SELECT p.patient FROM ecg.my_patient AS p WHERE p.kind <> 'share')
   OR s.patient IN (SELECT h.patient FROM ecg.my_home AS h);

CREATE VIEW api.changes WITH (security_barrier) AS
SELECT c.id, c.at, c.account, c.object, c.key, c.path, c.before, c.after
FROM ecg.change AS c
WHERE EXISTS (SELECT FROM ecg.my_place AS m WHERE m.kind = 'auditor'
              AND (c.path <@ m.path OR (c.path IS NULL AND nlevel(m.path) = 1)));

-- What a person may need to know of the equipment; nothing of who wears it. By facilities, not by ecg.my_window: few
-- rows, of which the planner knows how many devices they have. A device stands in the facility of its enrolment.
CREATE VIEW api.devices WITH (security_barrier) AS
SELECT w.device, w.facility, w.kind, w.leads, w.disabled, d.gateway, d.session,
       ecg.at_ns(d.first_seen_ns) AS first_seen, ecg.at_ns(d.last_seen_ns) AS last_seen, d.skew_ms,
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
CREATE VIEW api.device_health WITH (security_barrier) AS
SELECT w.device, w.facility, w.disabled, a.patient, a.place_kind, a.place, d.gateway, d.session,
       ecg.at_ns(d.first_seen_ns) AS first_seen, ecg.at_ns(d.last_seen_ns) AS last_seen, d.skew_ms, d.battery_percent,
       d.rhythm, coalesce(open.alerts, 0) AS open_alerts, coalesce(open.high, 0) AS open_high
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

-- Of a share, whole blocks and minutes only: nothing beyond its ends.
CREATE VIEW api.trace_blocks WITH (security_barrier) AS
SELECT device, session, channel, first_sample, time, code, kind, unit, rate, gain, "offset",
       high_pass, low_pass, notch, n, codec, data, packet_seq, packet_first, packet_ns, packet_lead_off, pace
FROM ecg.trace AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until
              AND (w.kind <> 'share' OR t.time + t.n / t.rate * interval '1 s' <= w.until));

CREATE VIEW api.beats WITH (security_barrier) AS
SELECT device, session, sample, time, time_ns, code, rr_s, hr_bpm, version
FROM ecg.beat AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until);

CREATE VIEW api.rhythms WITH (security_barrier) AS
SELECT device, session, sample, time, time_ns, rhythm, version
FROM ecg.rhythm AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until);

CREATE VIEW api.vitals WITH (security_barrier) AS
SELECT device, session, code, time, time_ns, value
FROM ecg.vital AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until);

CREATE VIEW api.trends WITH (security_barrier) AS
SELECT device, session, code, time, minute_ns, n, mean, low, high, version
FROM ecg.trend AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.time >= w.since AND t.time < w.until
              AND (w.kind <> 'share' OR t.time + interval '1 min' <= w.until));

-- patient: by today's knowledge, after corrections; told_patient: as it was known when it happened.
CREATE VIEW api.conditions WITH (security_barrier) AS
SELECT t.id, t.device, a.patient, t.patient AS told_patient, t.session, t.code, t.phase, t.onset, t.onset_sample,
       t.onset_ns, t.decided_sample, t.decided_ns, t.delay_s, t.end_ns, ecg.at_ns(t.end_ns) AS ended, t.evidence,
       t.version
FROM ecg.condition AS t
LEFT JOIN ecg.association AS a ON a.device = t.device AND a.superseded_at IS NULL
    AND tstzrange(a.since, a.until) @> t.onset
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.onset >= w.since AND t.onset < w.until);

CREATE VIEW api.alerts WITH (security_barrier) AS
SELECT t.id, t.device, a.patient, t.patient AS told_patient, t.session, t.condition, t.priority, t.state, t.onset,
       t.onset_sample, t.onset_ns, t.decided_sample, t.decided_ns, t.delay_s, t.end_ns, ecg.at_ns(t.end_ns) AS ended,
       t.evidence, t.published_ns, t.raised_ns, ecg.at_ns(t.raised_ns) AS raised, t.updated_ns, t.recorded_at
FROM ecg.alert AS t
LEFT JOIN ecg.association AS a ON a.device = t.device AND a.superseded_at IS NULL
    AND tstzrange(a.since, a.until) @> t.onset
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.onset >= w.since AND t.onset < w.until);

-- For the login page only, which also hashes a password anew whose hash has become too weak.
CREATE VIEW api.credentials WITH (security_barrier) AS
SELECT account, password_hash, oidc_issuer, oidc_subject, changed_by, changed_at FROM ecg.person WHERE NOT disabled;


GRANT CREATE ON SCHEMA ecg, api TO ecg_views;
ALTER VIEW ecg.my_place OWNER TO ecg_views;
ALTER VIEW ecg.my_share OWNER TO ecg_views;
ALTER VIEW ecg.my_window OWNER TO ecg_views;
ALTER VIEW ecg.my_patient OWNER TO ecg_views;
ALTER VIEW ecg.my_home OWNER TO ecg_views;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT viewname FROM pg_views WHERE schemaname = 'api' LOOP
        EXECUTE format('ALTER VIEW api.%I OWNER TO ecg_views', name);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA ecg, api FROM ecg_views;

GRANT USAGE ON SCHEMA api TO ecg_reader, ecg_web;
GRANT SELECT ON api.facilities, api.people, api.positions TO ecg_reader;
GRANT SELECT ON api.devices TO ecg_clinic, ecg_cardiologist, ecg_auditor, ecg_operator, ecg_service;
GRANT SELECT ON api.device_health TO ecg_clinic, ecg_cardiologist, ecg_auditor, ecg_service;
GRANT SELECT ON api.trends, api.conditions, api.alerts
    TO ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor, ecg_service;
GRANT SELECT ON api.trace_blocks, api.beats, api.rhythms, api.vitals, api.patients, api.associations, api.limits,
    api.shares TO ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor;
GRANT SELECT ON api.identifiers TO ecg_clinic, ecg_cardiologist;
GRANT SELECT ON api.changes TO ecg_auditor;
GRANT SELECT (account, password_hash, oidc_issuer, oidc_subject), UPDATE (password_hash, changed_by, changed_at)
    ON api.credentials TO ecg_web;

-- Reports as documents (docs/reports.md): made by the monitor, signed by a named human, amended by another report. Rows
-- are only ever added; what a report's status is follows from what stands beside it.

CREATE TABLE ecg.report (
    report      uuid PRIMARY KEY,
    patient     text NOT NULL REFERENCES ecg.patient,
    since       timestamptz NOT NULL,       -- the stretch that was asked for
    until       timestamptz NOT NULL,
    worn        jsonb NOT NULL,             -- what the patient wore in it as it was made, as ecg.worn tells
    document    bytea NOT NULL CHECK (octet_length(document) BETWEEN 2 AND 16777216),  -- as `ecgstream report` writes JSON
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),   -- of the document as it was made
    software    text NOT NULL,
    detectors   text[] NOT NULL,            -- versions of those who decided, with what they have learnt
    amends      uuid REFERENCES ecg.report, -- a signed one, which this one would replace
    made_by     text NOT NULL,              -- account
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (until - since BETWEEN interval '1 min' AND interval '14 days')
);
CREATE INDEX report_patient ON ecg.report (patient, since);
CREATE INDEX report_amends ON ecg.report (amends);

-- One signature a report, and one signed amendment a report.
CREATE TABLE ecg.report_signature (
    report      uuid PRIMARY KEY REFERENCES ecg.report,
    amends      uuid UNIQUE REFERENCES ecg.report,
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),   -- of what was signed
    conclusion  text NOT NULL CHECK (length(btrim(conclusion)) BETWEEN 1 AND 4000),
    signed_by   text NOT NULL,              -- account
    signer      text NOT NULL,              -- the person's name, as it was then
    signed_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- That a report should never have been: entered in error.
CREATE TABLE ecg.report_withdrawal (
    report      uuid PRIMARY KEY REFERENCES ecg.report,
    reason      text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 200),
    said_by     text NOT NULL,
    said_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION ecg.keep_report() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'reports are only added to' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER keep_report BEFORE UPDATE OR DELETE OR TRUNCATE ON ecg.report
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_report();
CREATE TRIGGER keep_report BEFORE UPDATE OR DELETE OR TRUNCATE ON ecg.report_signature
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_report();
CREATE TRIGGER keep_report BEFORE UPDATE OR DELETE OR TRUNCATE ON ecg.report_withdrawal
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_report();

-- What a patient wore in a stretch, by today's knowledge: [[device, from, to], …] in s since 1970, what meets as one.
-- A row that was replaced by one of the same times (another bed) so changes nothing.
CREATE FUNCTION ecg.worn(whom text, first timestamptz, last timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_array(w.device, extract(epoch FROM lower(r)), extract(epoch FROM upper(r)))
                              ORDER BY w.device, lower(r)), '[]')
    FROM (SELECT a.device, range_agg(tstzrange(a.since, a.until) * tstzrange(first, last)) AS times
          FROM ecg.association AS a
          WHERE a.patient = whom AND a.superseded_at IS NULL AND a.since < last AND a.until > first
          GROUP BY a.device) AS w, unnest(w.times) AS r;
$$;

-- Whether a role sees a patient and, by positions or shares of these kinds, all of what was worn: whoever sees a part of a
-- stretch would take a report of all of it for a report of that part. As ecg.my_window and ecg.my_patient, of any role.
CREATE FUNCTION ecg.sees_worn(who name, whom text, worn jsonb, kinds text[]) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH part AS (
        SELECT p->>0 AS device, tstzrange(to_timestamp((p->>1)::float8), to_timestamp((p->>2)::float8)) AS times
        FROM jsonb_array_elements(worn) AS p
    ), place AS (
        SELECT m.kind, m.facility, m.path FROM ecg.place AS m WHERE m.role = who AND m.kind = ANY(kinds)
    ), stands AS (
        SELECT path FROM place WHERE kind <> 'expert'
    ), share AS (
        SELECT s.since, s.until FROM ecg.share AS s
        WHERE s.patient = whom AND s.revoked_at IS NULL AND s.expires > clock_timestamp()
            AND EXISTS (SELECT FROM place AS m WHERE m.kind <> 'auditor'
                        AND ('person_' || s.account = who OR s.facility = m.facility))
    ), opened AS (
        SELECT p.device, p.since, p.until FROM stands AS m JOIN ecg.placement AS p ON p.path <@ m.path
        WHERE p.device IN (SELECT device FROM part)
        UNION ALL
        SELECT a.device, greatest(a.since, s.since), least(a.until, s.until)
        FROM share AS s JOIN ecg.association AS a ON a.patient = whom AND a.superseded_at IS NULL
            AND a.since < s.until AND a.until > s.since
    )
    SELECT EXISTS (SELECT FROM part)
        AND (EXISTS (SELECT FROM share)
             OR EXISTS (SELECT FROM ecg.patient AS p JOIN ecg.facility AS f ON f.code = p.facility
                        JOIN stands AS m ON f.path <@ m.path WHERE p.patient = whom)
             OR EXISTS (SELECT FROM ecg.association AS a
                        JOIN ecg.placement AS p ON p.device = a.device AND p.since < a.until AND p.until > a.since
                        JOIN stands AS m ON p.path <@ m.path WHERE a.patient = whom AND a.superseded_at IS NULL))
        AND NOT EXISTS (
            SELECT FROM part AS p
            WHERE NOT coalesce((SELECT range_agg(tstzrange(o.since, o.until)) @> p.times FROM opened AS o
                                WHERE o.device = p.device), false));
$$;

ALTER TABLE ecg.report ENABLE ROW LEVEL SECURITY;
CREATE POLICY reach ON ecg.report FOR SELECT TO ecg_views
    USING (ecg.sees_worn(current_user, patient, worn, '{clinic,cardiologist,expert,auditor}'));

-- moved: part of the stretch has been said to be somebody else's, or somebody else's to be the patient's.
CREATE VIEW api.reports WITH (security_barrier) AS
SELECT r.report, r.patient, r.since, r.until, r.worn, r.document, r.sha256, r.software, r.detectors, r.amends, r.made_by,
       r.made_at, s.sha256 AS signed_sha256, s.conclusion, s.signed_by, s.signer, s.signed_at, w.reason, w.said_by, w.said_at,
       CASE WHEN w.report IS NOT NULL THEN 'entered-in-error' WHEN s.report IS NULL THEN 'preliminary'
            WHEN r.amends IS NOT NULL THEN 'amended' ELSE 'final' END AS status,  -- as FHIR's DiagnosticReport has it
       a.report AS amended_by, a.signed_at AS amended_at,
       ecg.worn(r.patient, r.since, r.until) <> r.worn AS moved
FROM ecg.report AS r
LEFT JOIN ecg.report_signature AS s ON s.report = r.report
LEFT JOIN ecg.report_signature AS a ON a.amends = r.report
LEFT JOIN ecg.report_withdrawal AS w ON w.report = r.report;

-- For the monitor only, which has made the document and knows who asked. read: the associations that it was made of.
-- Why it is not kept, empty where it is: 'moved' where these do not hold any more, 'amended' where what it would amend
-- is unsigned, withdrawn, somebody else's or amended already. Nobody is told apart from a patient who is not there.
CREATE FUNCTION api.keep_report(who text, which uuid, whom text, first timestamptz, last timestamptz, read uuid[],
                                content bytea, version text, decided_by text[], instead_of uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    now_worn jsonb;
BEGIN
    PERFORM FROM ecg.association AS a WHERE a.patient = whom AND a.superseded_at IS NULL FOR SHARE;  -- until this is done
    now_worn := ecg.worn(whom, first, last);
    IF NOT ecg.sees_worn('person_' || who, whom, now_worn, '{clinic,cardiologist,expert,auditor}') THEN
        RAISE EXCEPTION 'reports are made by who sees all of the stretch' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (SELECT array_agg(a.id ORDER BY a.id) FROM ecg.association AS a WHERE a.patient = whom AND a.superseded_at IS NULL
        AND a.since < last AND a.until > first) IS DISTINCT FROM (SELECT array_agg(r ORDER BY r) FROM unnest(read) AS r) THEN
        RETURN 'moved';
    END IF;
    IF instead_of IS NOT NULL AND NOT EXISTS (
        SELECT FROM ecg.report AS r JOIN ecg.report_signature AS s ON s.report = r.report
        WHERE r.report = instead_of AND r.patient = whom AND r.since = first AND r.until = last
            AND NOT EXISTS (SELECT FROM ecg.report_withdrawal AS w WHERE w.report = r.report)
            AND NOT EXISTS (SELECT FROM ecg.report_signature AS a WHERE a.amends = r.report)) THEN
        RETURN 'amended';
    END IF;
    INSERT INTO ecg.report (report, patient, since, until, worn, document, sha256, software, detectors, amends, made_by)
    VALUES (which, whom, first, last, now_worn, content, sha256(content), version, decided_by, instead_of, who);
    RETURN '';
END $$;

-- For the monitor only, which has just asked who it is. seen: the digest of what the person has looked at. Why it is
-- not signed, empty where it is: 'signed', 'withdrawn', 'altered' (the document is not the one that was made), 'moved',
-- 'amended' (another amendment was first). What may not be signed is not told apart from what is not there.
CREATE FUNCTION api.sign_report(who text, which uuid, seen bytea, words text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    this ecg.report;
BEGIN
    SELECT * INTO this FROM ecg.report AS r WHERE r.report = which FOR NO KEY UPDATE;  -- one after the other
    PERFORM FROM ecg.association AS a WHERE a.patient = this.patient AND a.superseded_at IS NULL FOR SHARE;
    IF this IS NULL OR NOT ecg.sees_worn('person_' || who, this.patient, this.worn, '{cardiologist,expert}') THEN
        RAISE EXCEPTION 'reports are signed by cardiologists and experts who see all of the stretch'
            USING ERRCODE = 'insufficient_privilege';
    ELSIF EXISTS (SELECT FROM ecg.report_withdrawal AS w WHERE w.report = which) THEN
        RETURN 'withdrawn';
    ELSIF EXISTS (SELECT FROM ecg.report_signature AS s WHERE s.report = which) THEN
        RETURN 'signed';
    ELSIF sha256(this.document) <> this.sha256 OR seen IS DISTINCT FROM this.sha256 THEN
        RETURN 'altered';
    ELSIF ecg.worn(this.patient, this.since, this.until) <> this.worn THEN
        RETURN 'moved';
    END IF;
    INSERT INTO ecg.report_signature (report, amends, sha256, conclusion, signed_by, signer)
    SELECT which, this.amends, this.sha256, btrim(words), who, p.name FROM ecg.person AS p WHERE p.account = who
    ON CONFLICT DO NOTHING;
    RETURN CASE WHEN FOUND THEN '' ELSE 'amended' END;
END $$;

-- For the monitor only: that a report was entered in error, by who may sign it; whether it was written.
CREATE FUNCTION api.withdraw_report(who text, which uuid, why text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ecg.report AS r WHERE r.report = which
                   AND ecg.sees_worn('person_' || who, r.patient, r.worn, '{cardiologist,expert}')) THEN
        RAISE EXCEPTION 'reports are withdrawn by cardiologists and experts who see all of the stretch'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO ecg.report_withdrawal (report, reason, said_by) VALUES (which, btrim(why), who) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;


-- The audit log: what was made, signed and withdrawn, by whom, with the digest of the document, by which it can be held
-- against the chain; of words that somebody typed, the digest too.

CREATE OR REPLACE FUNCTION ecg.audit_path(kind text, object text) RETURNS ltree
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE kind
        WHEN 'patient' THEN (SELECT f.path FROM ecg.patient AS p JOIN ecg.facility AS f ON f.code = p.facility
                             WHERE p.patient = object)
        WHEN 'device' THEN (SELECT p.path FROM ecg.placement AS p WHERE p.device = object AND p.until = 'infinity')
        WHEN 'facility' THEN (SELECT f.path FROM ecg.facility AS f WHERE f.code = object)
        WHEN 'alert' THEN (
            SELECT p.path FROM ecg.alert AS a JOIN ecg.placement AS p ON p.device = a.device
                AND p.since <= a.onset AND a.onset < p.until
            WHERE a.id = CASE WHEN object ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN object::uuid END)
        WHEN 'report' THEN (
            SELECT f.path FROM ecg.report AS r JOIN ecg.patient AS p ON p.patient = r.patient
            JOIN ecg.facility AS f ON f.code = p.facility
            WHERE r.report = CASE WHEN object ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN object::uuid END) END;
$$;

CREATE FUNCTION ecg.audit_report() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    which CONSTANT uuid := NEW.report;
    this jsonb;
BEGIN
    SELECT jsonb_strip_nulls(jsonb_build_object('patient', r.patient, 'since', r.since, 'until', r.until,
                                                'amends', r.amends, 'sha256', encode(r.sha256, 'hex')))
    INTO this FROM ecg.report AS r WHERE r.report = which;
    CASE TG_TABLE_NAME
        WHEN 'report' THEN
            PERFORM ecg.note(NEW.made_by, 'made', 'report', which::text, this || jsonb_build_object(
                'software', NEW.software, 'detectors', NEW.detectors));
        WHEN 'report_signature' THEN
            PERFORM ecg.note(NEW.signed_by, CASE WHEN NEW.amends IS NULL THEN 'signed' ELSE 'amended' END, 'report',
                which::text, this || jsonb_build_object('sha256', encode(NEW.sha256, 'hex'), 'signed_at', NEW.signed_at,
                'conclusion', 'sha256:' || encode(sha256(convert_to(NEW.conclusion, 'UTF8')), 'hex')));
        WHEN 'report_withdrawal' THEN
            PERFORM ecg.note(NEW.said_by, 'withdrawn', 'report', which::text, this || jsonb_build_object(
                'reason', 'sha256:' || encode(sha256(convert_to(NEW.reason, 'UTF8')), 'hex')));
    END CASE;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_report AFTER INSERT ON ecg.report FOR EACH ROW EXECUTE FUNCTION ecg.audit_report();
CREATE TRIGGER audit_report AFTER INSERT ON ecg.report_signature FOR EACH ROW EXECUTE FUNCTION ecg.audit_report();
CREATE TRIGGER audit_report AFTER INSERT ON ecg.report_withdrawal FOR EACH ROW EXECUTE FUNCTION ecg.audit_report();


REVOKE ALL ON FUNCTION ecg.keep_report, ecg.worn, ecg.sees_worn, ecg.audit_report, api.keep_report, api.sign_report,
    api.withdraw_report FROM PUBLIC;
GRANT CREATE ON SCHEMA api TO ecg_views;
ALTER VIEW api.reports OWNER TO ecg_views;
REVOKE CREATE ON SCHEMA api FROM ecg_views;
GRANT SELECT ON ecg.report, ecg.report_signature, ecg.report_withdrawal TO ecg_views;
GRANT SELECT ON api.reports TO ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor;
-- The view and its rule call them as their reader, who has no way to name them.
GRANT EXECUTE ON FUNCTION ecg.worn, ecg.sees_worn TO ecg_views, ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor;
GRANT EXECUTE ON FUNCTION api.keep_report, api.sign_report, api.withdraw_report TO ecg_web;

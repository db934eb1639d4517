-- Which kind of report one is, as who has it made says it: of a stretch, or of ten seconds of a resting ECG. And those that
-- nobody has signed need not be kept for ever (docs/reports.md).

ALTER TABLE ecg.report ADD COLUMN kind text NOT NULL DEFAULT 'stretch' CHECK (kind IN ('stretch', 'resting'));
ALTER TABLE ecg.report ALTER COLUMN kind DROP DEFAULT;
-- Until now it was told by the 11 s in which the ten seconds of a resting ECG begin and end. Nothing else of a row changes.
ALTER TABLE ecg.report DISABLE TRIGGER keep_report;
UPDATE ecg.report SET kind = 'resting' WHERE until - since = interval '11 s';
ALTER TABLE ecg.report ENABLE TRIGGER keep_report;

-- As before, with the kind.
CREATE OR REPLACE VIEW api.reports WITH (security_barrier) AS
SELECT r.report, r.patient, r.since, r.until, r.worn, r.document, r.sha256, r.software, r.detectors, r.amends, r.made_by,
       r.made_at, s.sha256 AS signed_sha256, s.conclusion, s.signed_by, s.signer, s.signed_at, w.reason, w.said_by, w.said_at,
       CASE WHEN w.report IS NOT NULL THEN 'entered-in-error' WHEN s.report IS NULL THEN 'preliminary'
            WHEN r.amends IS NOT NULL THEN 'amended' ELSE 'final' END AS status,  -- as FHIR's DiagnosticReport has it
       a.report AS amended_by, a.signed_at AS amended_at,
       ecg.worn(r.patient, r.since, r.until) <> r.worn AS moved, r.kind
FROM ecg.report AS r
LEFT JOIN ecg.report_signature AS s ON s.report = r.report
LEFT JOIN ecg.report_signature AS a ON a.amends = r.report
LEFT JOIN ecg.report_withdrawal AS w ON w.report = r.report;

-- For the monitor only, which has made the document and knows who asked. read: the associations that it was made of.
-- Why it is not kept, empty where it is: 'moved' where these do not hold any more, 'amended' where what it would amend
-- is unsigned, withdrawn, of another kind, somebody else's or amended already. Nobody is told apart from a patient who is
-- not there.
DROP FUNCTION api.keep_report;
CREATE FUNCTION api.keep_report(who text, which uuid, what text, whom text, first timestamptz, last timestamptz, read uuid[],
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
        WHERE r.report = instead_of AND r.kind = what AND r.patient = whom AND r.since = first AND r.until = last
            AND NOT EXISTS (SELECT FROM ecg.report_withdrawal AS w WHERE w.report = r.report)
            AND NOT EXISTS (SELECT FROM ecg.report_signature AS a WHERE a.amends = r.report)) THEN
        RETURN 'amended';
    END IF;
    INSERT INTO ecg.report (report, kind, patient, since, until, worn, document, sha256, software, detectors, amends, made_by)
    VALUES (which, what, whom, first, last, now_worn, content, sha256(content), version, decided_by, instead_of, who);
    RETURN '';
END $$;
REVOKE ALL ON FUNCTION api.keep_report FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.keep_report TO ecg_web;


-- What was made before a time and nobody has signed or withdrawn, nor would answer an open case. What is signed, amended or
-- an answer is not among them, and foreign keys hold it.
CREATE FUNCTION ecg.unsigned_reports(before timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT r.report FROM ecg.report AS r
    WHERE r.made_at < before
        AND NOT EXISTS (SELECT FROM ecg.report_signature AS s WHERE s.report = r.report)
        AND NOT EXISTS (SELECT FROM ecg.report_withdrawal AS w WHERE w.report = r.report)
        AND NOT EXISTS (SELECT FROM ecg.consultation AS c WHERE c.patient = r.patient AND c.since = r.since
                        AND c.until = r.until AND c.state NOT IN ('closed', 'withdrawn'));
$$;

-- For housekeeping: delete so many of them; how many these were. What somebody is about to sign is passed over, and looked
-- at once more when nobody else can.
CREATE FUNCTION ecg.forget_reports(before timestamptz, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    held uuid[];
    gone integer;
BEGIN
    SELECT array_agg(l.report) INTO held
    FROM (SELECT r.report FROM ecg.report AS r WHERE r.report IN (SELECT ecg.unsigned_reports(before))
          LIMIT most FOR UPDATE SKIP LOCKED) AS l;
    DELETE FROM ecg.report AS r WHERE r.report = ANY(held) AND r.report IN (SELECT ecg.unsigned_reports(before));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

-- Rows are only added, but that housekeeping deletes reports: by the function alone, since it may not by itself.
CREATE OR REPLACE FUNCTION ecg.keep_report() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'report' AND ecg.caller() = 'ecg_housekeeping' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'reports are only added to' USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- The audit log: what is gone, by its digest. Before it is, so that its place in the tree is known.
CREATE FUNCTION ecg.audit_report_gone() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM ecg.note(CASE ecg.caller() WHEN 'ecg_housekeeping' THEN 'housekeeping' ELSE ecg.caller() END, 'delete', 'report',
        OLD.report::text, jsonb_strip_nulls(jsonb_build_object(
            'patient', OLD.patient, 'kind', OLD.kind, 'since', OLD.since, 'until', OLD.until, 'amends', OLD.amends,
            'made_by', OLD.made_by, 'made_at', OLD.made_at, 'sha256', encode(OLD.sha256, 'hex'))));
    RETURN OLD;
END $$;
CREATE TRIGGER audit_report_gone BEFORE DELETE ON ecg.report FOR EACH ROW EXECUTE FUNCTION ecg.audit_report_gone();

REVOKE ALL ON FUNCTION ecg.unsigned_reports, ecg.forget_reports, ecg.audit_report_gone FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ecg.unsigned_reports, ecg.forget_reports TO ecg_housekeeping;

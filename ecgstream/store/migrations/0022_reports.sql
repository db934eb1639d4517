-- Which kind of report one is, as who has it made says it: of a stretch, or of ten seconds of a resting ECG.

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

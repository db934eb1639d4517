-- Whether an alert was true, as those say who care for the patient. Nothing is changed: of an alert, the newest holds.

CREATE TABLE ecg.judgement (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert       uuid NOT NULL,          -- no reference: an alert goes with the events that are no longer kept
    device      text NOT NULL,          -- of the alert, as its onset: who sees the one sees the other
    onset       timestamptz NOT NULL,
    verdict     text NOT NULL CHECK (verdict IN ('true', 'false', 'unclear')),
    said_by     text NOT NULL,          -- account
    said_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX judgement_newest ON ecg.judgement (alert, id DESC);
CREATE INDEX judgement_device ON ecg.judgement (device, onset);

CREATE VIEW api.judgements WITH (security_barrier) AS
SELECT t.id, t.alert, t.device, t.onset, t.verdict, t.said_by, t.said_at
FROM ecg.judgement AS t
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.onset >= w.since AND t.onset < w.until);

-- Which of these alerts one may judge: those of the last 30 days, where one cares for patients at the facility in which
-- the device stood, or above it; of a device that nobody has enrolled, at the root.
CREATE FUNCTION api.judgeable(alerts uuid[]) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT a.id FROM ecg.alert AS a
    WHERE a.id = ANY(alerts) AND a.onset > now() - interval '30 days'
        AND EXISTS (SELECT FROM ecg.place AS m
                    WHERE m.role = ecg.caller() AND m.kind IN ('clinic', 'cardiologist')
                    AND CASE WHEN EXISTS (SELECT FROM ecg.placement AS p WHERE p.device = a.device)
                        THEN EXISTS (SELECT FROM ecg.placement AS p WHERE p.device = a.device AND p.path <@ m.path
                                     AND p.since <= a.onset AND a.onset < p.until)
                        ELSE nlevel(m.path) = 1 END);
$$;

-- What may not be judged is not told apart from what is not there.
CREATE FUNCTION api.judge(which uuid, said text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ecg.judgement (alert, device, onset, verdict, said_by)
    SELECT a.id, a.device, a.onset, said, substr(ecg.caller(), length('person_') + 1)
    FROM ecg.alert AS a WHERE a.id IN (SELECT api.judgeable(ARRAY[which]));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'alerts of 30 days are judged by clinic or cardiologist at their facility or above it'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

GRANT CREATE ON SCHEMA api TO ecg_views;
ALTER VIEW api.judgements OWNER TO ecg_views;
REVOKE CREATE ON SCHEMA api FROM ecg_views;
GRANT SELECT ON ecg.judgement TO ecg_views;
GRANT SELECT ON api.judgements TO ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor, ecg_service;
REVOKE ALL ON FUNCTION api.judgeable, api.judge FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.judgeable, api.judge TO ecg_clinic, ecg_cardiologist;
GRANT SELECT (device, onset), DELETE ON ecg.judgement TO ecg_housekeeping;

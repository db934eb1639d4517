-- Consultation (docs/consultation.md): a facility asks one above it for an opinion on a stretch of a patient's ECG. A case
-- has one row, which says how it stands, and steps, which are only added to. What it opens are shares, made and revoked
-- in the transaction of the step; who is to be called is a row until the teller has told the pager.

CREATE TABLE ecg.consultation (
    consultation uuid PRIMARY KEY,
    patient     text NOT NULL REFERENCES ecg.patient,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    worn        jsonb NOT NULL,             -- what the patient wore in it as it was asked, as ecg.worn tells
    facility    text NOT NULL REFERENCES ecg.facility,  -- that asks
    asked_by    text NOT NULL,              -- account
    question    text NOT NULL CHECK (length(btrim(question)) BETWEEN 1 AND 4000),
    urgency     text NOT NULL CHECK (urgency IN ('emergency', 'urgent', 'routine')),
    asked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at      timestamptz NOT NULL,       -- by when an answer is wanted; never changes
    ends_at     timestamptz NOT NULL,       -- when the case closes by itself, and all that it has opened
    state       text NOT NULL DEFAULT 'asked'
                CHECK (state IN ('asked', 'taken', 'returned', 'answered', 'closed', 'withdrawn')),
    at          text NOT NULL REFERENCES ecg.facility,  -- that is asked now
    taken_by    text,
    turn        bigint NOT NULL DEFAULT 0,  -- the step by which it came there
    report      uuid REFERENCES ecg.report, -- the answer
    CHECK (until - since BETWEEN interval '1 min' AND interval '14 days'),
    CHECK (asked_at < due_at AND due_at < ends_at),
    CHECK ((state = 'taken') = (taken_by IS NOT NULL)),
    CHECK (state <> 'answered' OR report IS NOT NULL)
);
CREATE INDEX consultation_patient ON ecg.consultation (patient);
CREATE INDEX consultation_facility ON ecg.consultation (facility);
CREATE INDEX consultation_open ON ecg.consultation (ends_at) WHERE state NOT IN ('closed', 'withdrawn');

CREATE TABLE ecg.consultation_step (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consultation uuid NOT NULL REFERENCES ecg.consultation,
    act         text NOT NULL
                CHECK (act IN ('asked', 'taken', 'answered', 'passed_up', 'sent_back', 'withdrawn', 'closed')),
    said_by     text NOT NULL,              -- account; empty: its time was over
    said_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    words       text NOT NULL DEFAULT '' CHECK (length(words) <= 4000),
    facility    text REFERENCES ecg.facility,   -- that is asked from here on
    share       uuid REFERENCES ecg.share,  -- that this step has opened
    report      uuid REFERENCES ecg.report,
    CHECK (act NOT IN ('sent_back', 'asked') OR btrim(words) <> '')
);
CREATE INDEX consultation_step_of ON ecg.consultation_step (consultation, id);
CREATE INDEX consultation_step_share ON ecg.consultation_step (share);

-- Who is to be told, and when: the queue of the teller.
CREATE TABLE ecg.consultation_call (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),     -- of the page: told twice, it is one
    consultation uuid NOT NULL REFERENCES ecg.consultation,
    turn        bigint NOT NULL,            -- the step that it belongs to
    what        text NOT NULL CHECK (what IN ('asked', 'half', 'due', 'sent_back', 'answered')),
    due         timestamptz NOT NULL,
    done_at     timestamptz,
    told        boolean NOT NULL DEFAULT false, -- done and not told: there was no need any more
    CHECK (NOT told OR done_at IS NOT NULL)
);
CREATE INDEX consultation_call_due ON ecg.consultation_call (due) WHERE done_at IS NULL;
CREATE INDEX consultation_call_of ON ecg.consultation_call (consultation);

CREATE FUNCTION ecg.keep_consultation() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moves CONSTANT text[] := '{state,at,taken_by,turn,report}';
BEGIN
    IF TG_TABLE_NAME = 'consultation' AND TG_OP = 'UPDATE' THEN
        IF to_jsonb(OLD) - moves = to_jsonb(NEW) - moves AND OLD.state NOT IN ('closed', 'withdrawn') THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'what was asked does not change, nor its time, nor what was done with it'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER keep_consultation BEFORE UPDATE ON ecg.consultation
    FOR EACH ROW EXECUTE FUNCTION ecg.keep_consultation();
CREATE TRIGGER keep_consultation_whole BEFORE DELETE OR TRUNCATE ON ecg.consultation
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_consultation();
CREATE TRIGGER keep_consultation BEFORE UPDATE OR DELETE OR TRUNCATE ON ecg.consultation_step
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_consultation();

-- What may follow what, as ecgstream/consulting/case.py has it: tests/system/test_consultation.py compares.
CREATE FUNCTION ecg.consultation_rule() RETURNS TABLE (state text, act text, becomes text)
    LANGUAGE sql IMMUTABLE BEGIN ATOMIC
    SELECT r.state, r.act, r.becomes
    FROM (VALUES ('asked', 'taken', 'taken'), ('asked', 'withdrawn', 'withdrawn'), ('taken', 'taken', 'taken'),
          ('taken', 'passed_up', 'asked'), ('taken', 'sent_back', 'returned'), ('taken', 'answered', 'answered'),
          ('taken', 'withdrawn', 'withdrawn'), ('returned', 'asked', 'asked'),
          ('returned', 'withdrawn', 'withdrawn'), ('answered', 'closed', 'closed')) AS r (state, act, becomes);
END;

-- A step with what follows from it: the share that it opens, or those that it ends, and the calls.
CREATE FUNCTION ecg.consultation_go(which uuid, what text, who text, said text, becomes text, up_to text, answer uuid)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    now CONSTANT timestamptz := clock_timestamp();
    this ecg.consultation;
    opened uuid;
    step bigint;
BEGIN
    UPDATE ecg.consultation AS c
    SET state = becomes, at = coalesce(up_to, c.at), taken_by = CASE WHEN becomes = 'taken' THEN who END,
        report = coalesce(answer, c.report)
    WHERE c.consultation = which RETURNING * INTO this;
    IF up_to IS NOT NULL THEN
        INSERT INTO ecg.share (patient, since, until, facility, expires, reason, said_by)
        VALUES (this.patient, this.since, this.until, up_to, this.ends_at, 'consultation ' || which, who)
        RETURNING id INTO opened;
    END IF;
    INSERT INTO ecg.consultation_step (consultation, act, said_by, said_at, words, facility, share, report)
    VALUES (which, what, who, now, said, CASE WHEN becomes = 'asked' THEN this.at END, opened, answer)
    RETURNING id INTO step;
    IF becomes IN ('closed', 'withdrawn') THEN
        UPDATE ecg.share AS s SET revoked_by = coalesce(nullif(who, ''), 'time'), revoked_at = now
        WHERE s.revoked_at IS NULL
            AND s.id IN (SELECT t.share FROM ecg.consultation_step AS t WHERE t.consultation = which);
    ELSIF becomes = 'asked' THEN
        UPDATE ecg.consultation AS c SET turn = step WHERE c.consultation = which;
        INSERT INTO ecg.consultation_call (consultation, turn, what, due)
        SELECT which, step, k.what, k.due
        FROM (VALUES ('asked', now), ('half', now + (this.due_at - now) / 2), ('due', greatest(this.due_at, now)))
            AS k (what, due)
        WHERE k.what = 'due' OR now < this.due_at;
    ELSIF what IN ('sent_back', 'answered') THEN
        INSERT INTO ecg.consultation_call (consultation, turn, what, due) VALUES (which, step, what, now);
    END IF;
END $$;

-- For the monitor and the registry, which know who asks. What may not be asked is not told apart from a patient who is not
-- there. Why it is not done, empty where it is: 'unworn' (nothing was worn in the stretch). Asked twice under one id,
-- it is asked once.
CREATE FUNCTION api.ask_consultation(who text, which uuid, whom text, first timestamptz, last timestamptz, place text,
                                     asked text, how text, due_in interval, ends_in interval, words text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    now CONSTANT timestamptz := clock_timestamp();
    now_worn jsonb;
BEGIN
    IF NOT EXISTS (SELECT FROM ecg.place AS m WHERE m.role = 'person_' || who AND m.facility = place
                   AND m.kind IN ('clinic', 'cardiologist'))
        OR NOT EXISTS (SELECT FROM ecg.patient AS p JOIN ecg.facility AS f ON f.code = p.facility
                       JOIN ecg.place AS m ON f.path <@ m.path
                       WHERE p.patient = whom AND m.role = 'person_' || who AND m.kind IN ('clinic', 'cardiologist')) THEN
        RAISE EXCEPTION 'an opinion is asked by clinic or cardiologist for a facility where they stand, of a patient for '
            'whom it, or one below it, answers' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM FROM ecg.association AS a WHERE a.patient = whom AND a.superseded_at IS NULL FOR SHARE;  -- until this is done
    now_worn := ecg.worn(whom, first, last);
    IF now_worn = '[]' THEN
        RETURN 'unworn';
    ELSIF NOT ecg.sees_worn('person_' || who, whom, now_worn, '{clinic,cardiologist}') THEN
        RAISE EXCEPTION 'an opinion is asked by who sees all of the stretch' USING ERRCODE = 'insufficient_privilege';
    ELSIF NOT EXISTS (SELECT FROM ecg.facility AS up JOIN ecg.facility AS f ON f.path <@ up.path AND f.path <> up.path
                      WHERE up.code = asked AND f.code = place) THEN
        RAISE EXCEPTION 'an opinion is asked of a facility above' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO ecg.consultation (consultation, patient, since, until, worn, facility, asked_by, question, urgency,
                                  asked_at, due_at, ends_at, at)
    VALUES (which, whom, first, last, now_worn, place, who, btrim(words), how, now, now + due_in, now + due_in + ends_in,
            asked)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM ecg.consultation_go(which, 'asked', who, btrim(words), 'asked', asked, NULL);
    ELSIF NOT EXISTS (SELECT FROM ecg.consultation AS c WHERE c.consultation = which AND c.asked_by = who) THEN
        RAISE EXCEPTION 'another case has this id' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN '';
END $$;

-- Likewise: what somebody does with a case. seen: the newest step that they know of. Why it is not done, empty where it is:
-- 'changed' (somebody has done something since), 'over' (its time is), 'state' (not as it stands), 'held' (somebody else has
-- taken it), 'words' (they say nothing), 'level' (not a facility above), 'unsigned' (no report of the patient and the
-- stretch that they have signed, and that holds), 'moved' (what was worn in the stretch was corrected).
CREATE FUNCTION api.consult(who text, which uuid, seen bigint, what text, words text, up_to text, answer uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    this ecg.consultation;
    is_asking boolean;
    is_asked boolean;
    next text;
BEGIN
    SELECT * INTO this FROM ecg.consultation AS c WHERE c.consultation = which FOR UPDATE;  -- one after the other
    is_asking := EXISTS (SELECT FROM ecg.place AS m WHERE m.role = 'person_' || who AND m.facility = this.facility
                         AND m.kind IN ('clinic', 'cardiologist'));
    is_asked := who <> this.asked_by AND EXISTS (
        SELECT FROM ecg.place AS m JOIN ecg.facility AS f ON f.code = this.at
        WHERE m.role = 'person_' || who AND (m.kind IN ('clinic', 'cardiologist') AND f.path <@ m.path
                                             OR m.kind = 'expert' AND m.facility = this.at));
    IF this IS NULL
        OR NOT (CASE WHEN what IN ('asked', 'withdrawn', 'closed') THEN is_asking ELSE is_asked END) THEN
        RAISE EXCEPTION 'this is for those who ask, or who are asked' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF seen IS DISTINCT FROM (SELECT max(t.id) FROM ecg.consultation_step AS t WHERE t.consultation = which) THEN
        RETURN 'changed';
    END IF;
    SELECT r.becomes INTO next FROM ecg.consultation_rule() AS r WHERE r.state = this.state AND r.act = what;
    IF this.state IN ('closed', 'withdrawn') OR clock_timestamp() >= this.ends_at THEN
        RETURN 'over';
    ELSIF next IS NULL OR (what = 'taken' AND this.taken_by = who) THEN
        RETURN 'state';
    ELSIF what IN ('passed_up', 'sent_back', 'answered') AND this.taken_by <> who THEN
        RETURN 'held';
    ELSIF what IN ('asked', 'sent_back') AND coalesce(btrim(words), '') = '' THEN
        RETURN 'words';
    ELSIF (what = 'passed_up') <> (up_to IS NOT NULL) OR (what = 'passed_up' AND NOT EXISTS (
        SELECT FROM ecg.facility AS up JOIN ecg.facility AS f ON f.path <@ up.path AND f.path <> up.path
        WHERE up.code = up_to AND f.code = this.at)) THEN
        RETURN 'level';
    ELSIF what = 'answered' THEN
        PERFORM FROM ecg.association AS a WHERE a.patient = this.patient AND a.superseded_at IS NULL FOR SHARE;
        IF ecg.worn(this.patient, this.since, this.until) <> this.worn THEN
            RETURN 'moved';
        ELSIF NOT EXISTS (
            SELECT FROM ecg.report AS r JOIN ecg.report_signature AS s ON s.report = r.report
            WHERE r.report = answer AND r.patient = this.patient AND r.since = this.since AND r.until = this.until
                AND r.worn = this.worn AND s.signed_by = who
                AND NOT EXISTS (SELECT FROM ecg.report_withdrawal AS w WHERE w.report = r.report)
                AND NOT EXISTS (SELECT FROM ecg.report_signature AS a WHERE a.amends = r.report)) THEN
            RETURN 'unsigned';
        END IF;
    END IF;
    PERFORM ecg.consultation_go(which, what, who, btrim(coalesce(words, '')), next, up_to,
                                CASE WHEN what = 'answered' THEN answer END);
    RETURN '';
END $$;

-- For the teller: close what is over at a moment, answered or not; how many cases these were.
CREATE FUNCTION ecg.close_consultations(moment timestamptz) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    which uuid;
    closed integer := 0;
BEGIN
    FOR which IN SELECT c.consultation FROM ecg.consultation AS c
        WHERE c.state NOT IN ('closed', 'withdrawn') AND c.ends_at <= moment ORDER BY c.ends_at LIMIT 500
        FOR UPDATE SKIP LOCKED LOOP
        PERFORM ecg.consultation_go(which, 'closed', '', '', 'closed', NULL, NULL);
        closed := closed + 1;
    END LOOP;
    RETURN closed;
END $$;

-- Those who care for patients at the asking facility or above it see its cases; those who are asked, as long as a share of
-- the case is open to them.
CREATE VIEW api.consultations WITH (security_barrier) AS
SELECT c.consultation, c.patient, c.since, c.until, c.facility, c.asked_by, c.question, c.urgency, c.asked_at, c.due_at,
       c.ends_at, c.state, c.at, a.path AS at_path, c.taken_by, c.report,
       (SELECT max(t.id) FROM ecg.consultation_step AS t WHERE t.consultation = c.consultation) AS newest,
       ecg.worn(c.patient, c.since, c.until) <> c.worn AS moved
FROM ecg.consultation AS c LEFT JOIN ecg.facility AS a ON a.code = c.at
WHERE c.facility IN (SELECT f.code FROM ecg.my_place AS m JOIN ecg.facility AS f ON f.path <@ m.path
                     WHERE m.kind IN ('clinic', 'cardiologist'))
   OR EXISTS (SELECT FROM ecg.consultation_step AS t JOIN ecg.my_share AS s ON s.id = t.share
              WHERE t.consultation = c.consultation);

CREATE VIEW api.consultation_steps WITH (security_barrier) AS
SELECT t.id, t.consultation, t.act, t.said_by, t.said_at, t.words, t.facility, t.report
FROM ecg.consultation_step AS t
WHERE t.consultation IN (SELECT c.consultation FROM api.consultations AS c);


-- The audit log: every step, with what it opened; of words, the digest. What a share opens and when it ends, ecg.change has.
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
            WHERE r.report = CASE WHEN object ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN object::uuid END)
        WHEN 'consultation' THEN (
            SELECT f.path FROM ecg.consultation AS c JOIN ecg.facility AS f ON f.code = c.facility
            WHERE c.consultation = CASE WHEN object ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN object::uuid END)
        END;
$$;

CREATE FUNCTION ecg.audit_consultation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM ecg.note(coalesce(nullif(NEW.said_by, ''), 'time'), NEW.act, 'consultation', NEW.consultation::text,
        (SELECT jsonb_strip_nulls(jsonb_build_object(
            'step', NEW.id, 'patient', c.patient, 'since', c.since, 'until', c.until, 'urgency', c.urgency,
            'due_at', c.due_at, 'facility', NEW.facility, 'share', NEW.share, 'report', NEW.report,
            'words', CASE WHEN NEW.words <> '' THEN 'sha256:' || encode(sha256(convert_to(NEW.words, 'UTF8')), 'hex') END))
         FROM ecg.consultation AS c WHERE c.consultation = NEW.consultation));
    RETURN NULL;
END $$;
CREATE TRIGGER audit_consultation AFTER INSERT ON ecg.consultation_step
    FOR EACH ROW EXECUTE FUNCTION ecg.audit_consultation();


-- The teaching collection: copies that nobody can be told from, and that outlive what they are copies of. Which case one was
-- made of, only the audit log says. None is changed; one that should not be there is taken out by the registry.
CREATE TABLE ecg.teaching_case (
    teaching    uuid PRIMARY KEY,           -- random
    category    text NOT NULL CHECK (category IN ('ADULT', 'PAEDIATRIC', 'NEONATE')),   -- all that is said of the age
    question    text NOT NULL CHECK (length(btrim(question)) BETWEEN 1 AND 4000),
    answer      text NOT NULL CHECK (length(btrim(answer)) BETWEEN 1 AND 4000),
    leads       text[] NOT NULL,
    seconds     integer NOT NULL CHECK (seconds BETWEEN 1 AND 3660),
    record      bytea NOT NULL CHECK (octet_length(record) BETWEEN 2 AND 67108864),  -- a zip of WFDB: samples, beats, rhythms
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32)
);

CREATE FUNCTION ecg.keep_teaching() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        RAISE EXCEPTION 'teaching cases are not changed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM ecg.note(coalesce(nullif(current_setting('ecg.acting', true), ''), session_user), 'taken_out', 'teaching',
                     OLD.teaching::text, jsonb_build_object('sha256', encode(OLD.sha256, 'hex')));
    RETURN OLD;
END $$;
CREATE TRIGGER keep_teaching BEFORE UPDATE OR DELETE ON ecg.teaching_case
    FOR EACH ROW EXECUTE FUNCTION ecg.keep_teaching();
CREATE TRIGGER keep_teaching_whole BEFORE TRUNCATE ON ecg.teaching_case
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_teaching();

-- For the monitor, which knows who asks: by who has answered the case, as long as it is open. What may not be put in is not
-- told apart from what is not there.
CREATE FUNCTION api.teach(who text, which uuid, copy uuid, asked text, answered text, of_leads text[], lasting integer,
                          content bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ecg.teaching_case (teaching, category, question, answer, leads, seconds, record, sha256)
    SELECT copy, p.category, btrim(asked), btrim(answered), of_leads, lasting, content, sha256(content)
    FROM ecg.consultation AS c JOIN ecg.patient AS p ON p.patient = c.patient
    WHERE c.consultation = which AND c.state = 'answered' AND EXISTS (
        SELECT FROM ecg.consultation_step AS t WHERE t.consultation = which AND t.act = 'answered' AND t.said_by = who);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'who has answered an open case puts it into the collection' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM ecg.note(who, 'taught', 'consultation', which::text, jsonb_build_object(
        'teaching', copy, 'sha256', encode(sha256(content), 'hex'),
        'question', 'sha256:' || encode(sha256(convert_to(btrim(asked), 'UTF8')), 'hex'),
        'answer', 'sha256:' || encode(sha256(convert_to(btrim(answered), 'UTF8')), 'hex')));
END $$;

CREATE VIEW api.teaching_cases WITH (security_barrier) AS
SELECT teaching, category, question, answer, leads, seconds, record, sha256 FROM ecg.teaching_case;


REVOKE ALL ON FUNCTION ecg.keep_teaching, api.teach FROM PUBLIC;
REVOKE ALL ON FUNCTION ecg.keep_consultation, ecg.consultation_rule, ecg.consultation_go, api.ask_consultation, api.consult,
    ecg.close_consultations, ecg.audit_consultation FROM PUBLIC;
GRANT CREATE ON SCHEMA api TO ecg_views;
ALTER VIEW api.consultations OWNER TO ecg_views;
ALTER VIEW api.consultation_steps OWNER TO ecg_views;
ALTER VIEW api.teaching_cases OWNER TO ecg_views;
REVOKE CREATE ON SCHEMA api FROM ecg_views;
GRANT SELECT ON ecg.consultation, ecg.consultation_step, ecg.teaching_case TO ecg_views;
GRANT SELECT ON api.consultations, api.consultation_steps TO ecg_clinic, ecg_cardiologist, ecg_expert;
GRANT USAGE ON SCHEMA api TO ecg_registry;
GRANT EXECUTE ON FUNCTION api.ask_consultation, api.consult TO ecg_web, ecg_registry;
GRANT EXECUTE ON FUNCTION ecg.close_consultations, ecg.worn TO ecg_registry;
GRANT SELECT ON ecg.consultation, ecg.consultation_step, ecg.consultation_call TO ecg_registry;
GRANT UPDATE (done_at, told) ON ecg.consultation_call TO ecg_registry;
GRANT SELECT ON api.teaching_cases TO ecg_clinic, ecg_cardiologist, ecg_expert, ecg_auditor;
GRANT EXECUTE ON FUNCTION api.teach TO ecg_web;
GRANT SELECT (teaching), DELETE ON ecg.teaching_case TO ecg_registry;

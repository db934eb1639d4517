-- The registry: who and where. Facilities, devices, patients, people, and who may see what of whom.
--
-- Only the role ecg_registry writes here (0004_access.sql). Every row says who wrote it; every change is kept in
-- ecg.change; every change that a worker or a gateway must know puts its devices into ecg.tell.

CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public;

CREATE TABLE ecg.facility (
    code        text PRIMARY KEY CHECK (code ~ '^[A-Za-z0-9_-]{1,32}$'),
    parent      text REFERENCES ecg.facility DEFERRABLE INITIALLY DEFERRED,
    path        ltree NOT NULL,         -- the codes from the root down to this one
    level       smallint NOT NULL CHECK (level BETWEEN 1 AND 7),  -- 1 international … 7 village
    kind        text NOT NULL,
    name_en     text NOT NULL,
    name_zh     text NOT NULL,
    time_zone   text NOT NULL,          -- IANA
    contact     text NOT NULL DEFAULT '',
    changed_by  text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (name_en <> '' OR name_zh <> ''),
    CHECK (subpath(path, -1)::text = code),                     -- an empty path would be above everything
    CHECK ((parent IS NULL) = (nlevel(path) = 1)),
    CONSTRAINT facility_path UNIQUE (path) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX facility_one_root ON ecg.facility ((parent IS NULL)) WHERE parent IS NULL;
CREATE INDEX facility_parent ON ecg.facility (parent);
CREATE INDEX facility_reach ON ecg.facility USING gist (path);

CREATE TABLE ecg.enrolment (
    device              text PRIMARY KEY CHECK (device ~ '^[!-~]{1,64}$'),
    facility            text NOT NULL REFERENCES ecg.facility,
    placed_since        timestamptz NOT NULL DEFAULT '-infinity',  -- in this facility
    kind                text NOT NULL,
    shard               integer NOT NULL CHECK (shard BETWEEN 0 AND 4095),  -- never changes, wherever it moves
    leads               bigint[] NOT NULL DEFAULT '{}',         -- MDC codes that it is expected to send
    key_digest          bytea UNIQUE CHECK (octet_length(key_digest) = 32),  -- SHA-256 of its key
    certificate_subject text UNIQUE,                            -- RFC 4514
    disabled            boolean NOT NULL DEFAULT false,
    changed_by          text NOT NULL,
    changed_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX enrolment_facility ON ecg.enrolment (facility);

-- Where a device stood when. Follows from ecg.enrolment (trigger); access to its data goes by it.
CREATE TABLE ecg.placement (
    device      text NOT NULL REFERENCES ecg.enrolment,
    facility    text NOT NULL REFERENCES ecg.facility,
    path        ltree NOT NULL,         -- of the facility
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (device, since),
    CHECK (since < until),
    CONSTRAINT placement_one_facility EXCLUDE USING gist (device WITH =, tstzrange(since, until) WITH &&)
);
CREATE INDEX placement_reach ON ecg.placement USING gist (path);
CREATE INDEX placement_facility ON ecg.placement (facility);

CREATE TABLE ecg.patient (
    patient     text PRIMARY KEY CHECK (patient ~ '^[!-~]{1,32}$'),  -- pseudonym
    facility    text NOT NULL REFERENCES ecg.facility,          -- that answers for the identity
    category    text NOT NULL DEFAULT 'ADULT' CHECK (category IN ('ADULT', 'PAEDIATRIC', 'NEONATE')),
    paced       boolean NOT NULL DEFAULT false,
    changed_by  text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX patient_facility ON ecg.patient (facility);

CREATE TABLE ecg.identifier (
    patient     text NOT NULL REFERENCES ecg.patient,
    kind        text NOT NULL CHECK (kind IN ('name', 'national_id', 'record_number', 'telephone')),
    search      bytea NOT NULL CHECK (octet_length(search) = 32),  -- keyed hash of the normalised text
    sealed      bytea NOT NULL,         -- the text, encrypted
    key         text NOT NULL,          -- which key sealed it
    changed_by  text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (patient, kind)
);
CREATE INDEX identifier_search ON ecg.identifier (kind, search);

-- Who wore what when. Rows are never changed: a correction is a row that replaces another.
CREATE TABLE ecg.association (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    device          text NOT NULL REFERENCES ecg.enrolment,
    patient         text REFERENCES ecg.patient,        -- NULL: nobody, in place of a row that was wrong
    since           timestamptz NOT NULL DEFAULT now(),
    until           timestamptz NOT NULL DEFAULT 'infinity',
    place_kind      text NOT NULL CHECK (place_kind IN ('bed', 'ambulance', 'home')),
    place           text NOT NULL DEFAULT '',
    replaces        uuid REFERENCES ecg.association,
    reason          text NOT NULL DEFAULT '',
    said_by         text NOT NULL,
    said_at         timestamptz NOT NULL DEFAULT now(),
    superseded_at   timestamptz,                        -- set by the row that replaces it
    CHECK (since < until),
    CHECK (patient IS NOT NULL OR replaces IS NOT NULL),
    CONSTRAINT association_one_patient EXCLUDE USING gist (device WITH =, tstzrange(since, until) WITH &&)
        WHERE (superseded_at IS NULL)
);
CREATE INDEX association_device ON ecg.association (device, since);
CREATE INDEX association_patient ON ecg.association (patient);
CREATE INDEX association_replaces ON ecg.association (replaces);

-- Alarm limits that differ from the defaults of the patient's category; the newest row of a number holds.
CREATE TABLE ecg.limit_change (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient     text NOT NULL REFERENCES ecg.patient,
    code        bigint NOT NULL,        -- MDC
    low         double precision CHECK (low BETWEEN -1e6 AND 1e6),      -- NULL: no limit
    high        double precision CHECK (high BETWEEN -1e6 AND 1e6),
    is_default  boolean NOT NULL DEFAULT false,  -- back to the category's
    reason      text NOT NULL DEFAULT '',
    said_by     text NOT NULL,
    said_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (low < high),
    CHECK (NOT is_default OR num_nonnulls(low, high) = 0)
);
CREATE INDEX limit_change_newest ON ecg.limit_change (patient, code, id DESC);

CREATE TABLE ecg.person (
    account         text PRIMARY KEY CHECK (account ~ '^[a-z][a-z0-9_]{1,40}$'),
    name            text NOT NULL,
    password_hash   text,               -- argon2id; NULL: no local login
    oidc_issuer     text,
    oidc_subject    text,
    sql_login       boolean NOT NULL DEFAULT false,     -- whether its role in the database may log in by itself
    disabled        boolean NOT NULL DEFAULT false,
    changed_by      text NOT NULL,
    changed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (oidc_issuer, oidc_subject),
    CHECK (num_nonnulls(oidc_issuer, oidc_subject) <> 1)
);

CREATE TABLE ecg.position (
    account     text NOT NULL REFERENCES ecg.person,
    kind        text NOT NULL CHECK (kind IN ('clinic', 'cardiologist', 'expert', 'auditor', 'operator', 'service')),
    facility    text NOT NULL REFERENCES ecg.facility,
    changed_by  text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account, kind, facility)
);
CREATE INDEX position_facility ON ecg.position (facility);

-- The positions of enabled people as the views need them. Follows from ecg.position (triggers).
CREATE TABLE ecg.place (
    role        name NOT NULL,          -- the person's role in the database
    kind        text NOT NULL,
    facility    text NOT NULL,
    path        ltree NOT NULL,
    PRIMARY KEY (role, kind, facility)
);

-- A grant opens a patient's data of [since, until) to one account, or to all who stand at one facility, until it
-- expires or is revoked.
CREATE TABLE ecg.share (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    patient     text NOT NULL REFERENCES ecg.patient,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    account     text REFERENCES ecg.person,
    facility    text REFERENCES ecg.facility,
    expires     timestamptz NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    said_by     text NOT NULL,
    said_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_by  text,
    revoked_at  timestamptz,
    CHECK (since < until),
    CHECK (num_nonnulls(account, facility) = 1),
    CHECK (num_nonnulls(revoked_by, revoked_at) <> 1)
);
CREATE INDEX share_account ON ecg.share (account) WHERE revoked_at IS NULL;
CREATE INDEX share_facility ON ecg.share (facility) WHERE revoked_at IS NULL;
CREATE INDEX share_patient ON ecg.share (patient);

-- What was changed in the registry, by whom. Secrets and identifiers are left out.
CREATE TABLE ecg.change (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    account     text NOT NULL,
    object      text NOT NULL,          -- table
    key         text NOT NULL,
    path        ltree,                  -- of the facility it belongs to, as it was then
    before      jsonb,
    after       jsonb
);
CREATE INDEX change_key ON ecg.change (object, key);

-- Devices whose truth has changed and must be told to Kafka; and what was told last.
CREATE TABLE ecg.tell (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device      text NOT NULL,
    due         timestamptz NOT NULL DEFAULT clock_timestamp(),
    account     text NOT NULL
);
CREATE INDEX tell_due ON ecg.tell (due);

CREATE TABLE ecg.told (
    device      text NOT NULL,
    what        text NOT NULL,
    digest      bytea NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (device, what)
);

-- What the sink knows of a device besides: kept with it, so that a list of devices reads one row each.
ALTER TABLE ecg.device
    ADD skew_ns         bigint,             -- when the newest packet came, by the gateway's clock
    ADD skew_ms         double precision,   -- at its end: the device's clock minus the gateway's
    ADD battery_ns      bigint,             -- when the newest charge came, by the gateway's clock
    ADD battery_percent real,
    ADD rhythm          text,               -- the newest of ecg.rhythm
    ADD rhythm_ns       bigint;

-- What a list of devices asks besides: open alerts and who wears what now, from the index alone.
DROP INDEX ecg.alert_open;
CREATE INDEX alert_open ON ecg.alert (device, priority) WHERE state <> 'ENDED';
CREATE INDEX association_now ON ecg.association (until) INCLUDE (device, since, patient, place_kind, place)
    WHERE superseded_at IS NULL;

-- STABLE, as the operators in it are declared: only so it is put in line, and costs a tenth.
CREATE OR REPLACE FUNCTION ecg.at_ns(ns bigint) RETURNS timestamptz
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN '1970-01-01 00:00:00+00'::timestamptz + (ns / 1000) * interval '1 microsecond';


-- Triggers. They run as the owner of the tables, whoever writes.

CREATE FUNCTION ecg.log_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    secrets CONSTANT text[] := '{password_hash,sealed,search,key_digest,path}';
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    is_now jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    this jsonb := coalesce(is_now, was);
    home text := CASE TG_TABLE_NAME WHEN 'facility' THEN this->>'code'
        WHEN 'share' THEN NULL  -- its facility is the one it opens to
        ELSE this->>'facility' END;
BEGIN
    IF home IS NULL AND this ? 'patient' THEN
        SELECT facility INTO home FROM ecg.patient WHERE patient = this->>'patient';
    ELSIF home IS NULL AND this ? 'account' THEN
        SELECT min(facility) INTO home FROM ecg.position WHERE account = this->>'account';
    END IF;
    INSERT INTO ecg.change (account, object, key, path, before, after) VALUES (
        -- A row that is deleted names who wrote it, not who deletes it.
        CASE WHEN TG_OP = 'DELETE' THEN coalesce(nullif(current_setting('ecg.acting', true), ''), session_user)
             ELSE coalesce(this->>'revoked_by', this->>'said_by', this->>'changed_by') END,
        TG_TABLE_NAME,
        (SELECT string_agg(this->>k, ' ' ORDER BY n) FROM unnest(TG_ARGV) WITH ORDINALITY AS a (k, n)),
        (SELECT path FROM ecg.facility WHERE code = home),
        was - secrets, is_now - secrets);
    RETURN NULL;
END $$;

CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.facility
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('code');
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.enrolment
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('device');
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.patient
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('patient');
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.identifier
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('patient', 'kind');
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.association
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('device');
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.limit_change
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('patient', 'code');
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.person
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('account');
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.position
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('account', 'kind', 'facility');
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON ecg.share
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('patient', 'id');

-- That somebody has read who a patient is.
CREATE FUNCTION ecg.log_read(who text, whom text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO ecg.change (account, object, key, path, after)
    SELECT who, 'identifier', whom, f.path, '{"read": true}'
    FROM ecg.patient AS p JOIN ecg.facility AS f ON f.code = p.facility WHERE p.patient = whom;
$$;

CREATE FUNCTION ecg.follow_enrolment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.facility <> NEW.facility THEN
        UPDATE ecg.placement SET until = NEW.placed_since WHERE device = NEW.device AND until = 'infinity';
    END IF;
    IF TG_OP = 'INSERT' OR OLD.facility <> NEW.facility THEN
        INSERT INTO ecg.placement (device, facility, path, since)
        SELECT NEW.device, code, path, NEW.placed_since FROM ecg.facility WHERE code = NEW.facility;
    END IF;
    INSERT INTO ecg.tell (device, account) VALUES (NEW.device, NEW.changed_by);
    RETURN NULL;
END $$;
CREATE TRIGGER follow_enrolment AFTER INSERT OR UPDATE ON ecg.enrolment
    FOR EACH ROW EXECUTE FUNCTION ecg.follow_enrolment();

CREATE FUNCTION ecg.keep_shard() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the shard of device % never changes', NEW.device USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER keep_shard BEFORE UPDATE OF shard ON ecg.enrolment
    FOR EACH ROW WHEN (OLD.shard <> NEW.shard) EXECUTE FUNCTION ecg.keep_shard();

CREATE FUNCTION ecg.follow_path() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE ecg.placement SET path = NEW.path WHERE facility = NEW.code;
    UPDATE ecg.place SET path = NEW.path WHERE facility = NEW.code;
    INSERT INTO ecg.tell (device, account)
    SELECT device, NEW.changed_by FROM ecg.enrolment WHERE facility = NEW.code;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_path AFTER UPDATE OF path ON ecg.facility
    FOR EACH ROW WHEN (OLD.path <> NEW.path) EXECUTE FUNCTION ecg.follow_path();

-- Before it goes in, so that the row it replaces does not exclude it.
CREATE FUNCTION ecg.supersede() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Several rows of one transaction may replace one: they have its time.
    UPDATE ecg.association SET superseded_at = NEW.said_at
    WHERE id = NEW.replaces AND device = NEW.device AND (superseded_at IS NULL OR superseded_at = NEW.said_at);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'association % of device % does not hold any more', NEW.replaces, NEW.device
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER supersede BEFORE INSERT ON ecg.association
    FOR EACH ROW WHEN (NEW.replaces IS NOT NULL) EXECUTE FUNCTION ecg.supersede();

CREATE FUNCTION ecg.tell_association() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ecg.tell (device, due, account)
    SELECT NEW.device, due, NEW.said_by
    FROM unnest(ARRAY[clock_timestamp(), NEW.since, NEW.until]) WITH ORDINALITY AS t (due, n)
    WHERE n = 1 OR (due > clock_timestamp() AND due < 'infinity');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_association AFTER INSERT ON ecg.association
    FOR EACH ROW EXECUTE FUNCTION ecg.tell_association();

CREATE FUNCTION ecg.tell_patient() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ecg.tell (device, account)
    SELECT device, coalesce(to_jsonb(NEW)->>'said_by', to_jsonb(NEW)->>'changed_by') FROM ecg.association
    WHERE patient = NEW.patient AND superseded_at IS NULL AND tstzrange(since, until) @> clock_timestamp();
    RETURN NULL;
END $$;
CREATE TRIGGER tell_patient AFTER INSERT ON ecg.limit_change FOR EACH ROW EXECUTE FUNCTION ecg.tell_patient();
CREATE TRIGGER tell_patient AFTER UPDATE ON ecg.patient FOR EACH ROW EXECUTE FUNCTION ecg.tell_patient();

CREATE FUNCTION ecg.wake_teller() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NOTIFY ecg_tell;
    RETURN NULL;
END $$;
CREATE TRIGGER wake_teller AFTER INSERT ON ecg.tell FOR EACH STATEMENT EXECUTE FUNCTION ecg.wake_teller();

CREATE FUNCTION ecg.follow_position() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    who text := CASE TG_OP WHEN 'DELETE' THEN OLD.account ELSE NEW.account END;
BEGIN
    PERFORM FROM ecg.person WHERE account = who FOR NO KEY UPDATE;  -- one change of an account after the other
    DELETE FROM ecg.place WHERE role = 'person_' || who;
    INSERT INTO ecg.place (role, kind, facility, path)
    SELECT 'person_' || who, p.kind, p.facility, f.path
    FROM ecg.position AS p JOIN ecg.facility AS f ON f.code = p.facility JOIN ecg.person AS h ON h.account = p.account
    WHERE p.account = who AND NOT h.disabled
    FOR SHARE OF f;  -- a facility that is being moved has no path to copy yet
    RETURN NULL;
END $$;
CREATE TRIGGER follow_position AFTER INSERT OR DELETE ON ecg.position  -- rows are never changed
    FOR EACH ROW EXECUTE FUNCTION ecg.follow_position();
CREATE TRIGGER follow_position AFTER UPDATE OF disabled ON ecg.person
    FOR EACH ROW EXECUTE FUNCTION ecg.follow_position();

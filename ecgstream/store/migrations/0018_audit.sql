-- The audit log: who did, read and changed what, in one chain in which nothing can be altered unseen (docs/audit.md).
--
-- An entry is first put into the inbox, without a lock, by whoever has something to say. ecg.seal moves what waits there
-- into the chain, one entry after the other, each with the hash of the one before. Nobody may write the chain in another
-- way, and nobody may change or delete any of it; the triggers hold the owner too, unless the owner takes them away.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY '{ecg_sealer,ecg_evidence}'::text[] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
    END LOOP;
END $$;

CREATE TABLE ecg.audit_inbox (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    login   text NOT NULL DEFAULT session_user, -- that of the service or person who was connected
    who     text NOT NULL,                      -- account or service, as the login says
    action  text NOT NULL CHECK (action ~ '^[a-z_]{1,32}$'),
    kind    text NOT NULL,                      -- of the object: patient, device, alert, a table of the registry …
    object  text NOT NULL,                      -- its key: a pseudonym, never a name
    path    ltree,                              -- of the facility it belongs to, as it was then
    detail  jsonb NOT NULL
);

-- The chain. What holds is content, a JSON object, and hash; the columns between are read from it to search by.
-- hash = SHA-256 of: 'ecgstream audit 1', the hash before (of the first: 32 zero bytes), seq (8 bytes, big endian), content.
CREATE TABLE ecg.audit (
    seq     bigint PRIMARY KEY,                 -- without a hole
    at      timestamptz NOT NULL,
    who     text NOT NULL,
    action  text NOT NULL,
    kind    text NOT NULL,
    object  text NOT NULL,
    path    ltree,
    content text NOT NULL,
    hash    bytea NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX audit_object ON ecg.audit (kind, object, seq);
CREATE INDEX audit_who ON ecg.audit (who, seq);
CREATE INDEX audit_at ON ecg.audit USING brin (at);

-- What the sealer signs each minute: that at this time the chain ended so. Copied to the topic ecg.audit-heads.
CREATE TABLE ecg.audit_head (
    at_ns       bigint PRIMARY KEY,
    seq         bigint NOT NULL,
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    key         bytea NOT NULL CHECK (octet_length(key) = 32),       -- Ed25519, public
    signature   bytea NOT NULL CHECK (octet_length(signature) = 64)
);
CREATE INDEX audit_head_seq ON ecg.audit_head (seq);

-- Before which offset of Kafka all is in the log.
CREATE TABLE ecg.audit_position (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next        bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

CREATE FUNCTION ecg.keep_audit() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE OR TRUNCATE ON ecg.audit
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_audit();
CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE OR TRUNCATE ON ecg.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_audit();
CREATE TRIGGER keep_audit BEFORE UPDATE OR TRUNCATE ON ecg.audit_inbox
    FOR EACH STATEMENT EXECUTE FUNCTION ecg.keep_audit();

-- Where an object belongs; NULL: nowhere, or it is not known.
CREATE FUNCTION ecg.audit_path(kind text, object text) RETURNS ltree
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE kind
        WHEN 'patient' THEN (SELECT f.path FROM ecg.patient AS p JOIN ecg.facility AS f ON f.code = p.facility
                             WHERE p.patient = object)
        WHEN 'device' THEN (SELECT p.path FROM ecg.placement AS p WHERE p.device = object AND p.until = 'infinity')
        WHEN 'facility' THEN (SELECT f.path FROM ecg.facility AS f WHERE f.code = object)
        WHEN 'alert' THEN (
            SELECT p.path FROM ecg.alert AS a JOIN ecg.placement AS p ON p.device = a.device
                AND p.since <= a.onset AND a.onset < p.until
            WHERE a.id = CASE WHEN object ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN object::uuid END) END;
$$;

-- Put an entry into the log. Which key signs, only the sealer says.
CREATE FUNCTION ecg.note(who text, action text, kind text, object text, detail jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF action = 'key' AND NOT pg_has_role(session_user, 'ecg_sealer', 'MEMBER') THEN
        RAISE EXCEPTION 'only the sealer says which key signs' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO ecg.audit_inbox (who, action, kind, object, path, detail)
    VALUES (who, action, kind, object, ecg.audit_path(kind, object), coalesce(detail, '{}'));
END $$;

-- For the monitor, which knows who asks: what somebody has read, or was refused, and who has logged in.
CREATE FUNCTION api.note(who text, action text, kind text, object text, detail jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF action NOT IN ('read', 'refused', 'login') THEN
        RAISE EXCEPTION 'nobody does this in the monitor' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM ecg.note(who, action, kind, object, detail);
END $$;

-- What was read of Kafka from one offset to before another, once: false where some of it is here already.
CREATE FUNCTION ecg.note_log(source text, number integer, since bigint, until bigint, entries jsonb) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ecg.audit_position AS p (topic, partition, next) VALUES (source, number, until)
    ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next WHERE p.next <= since;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO ecg.audit_inbox (who, action, kind, object, path, detail)
    SELECT e.who, e.action, e.kind, e.object, coalesce(e.path::ltree, ecg.audit_path(e.kind, e.object)), e.detail
    FROM jsonb_to_recordset(entries) AS e (who text, action text, kind text, object text, path text, detail jsonb);
    RETURN true;
END $$;

-- Chain what waits, at most so many entries; how many they were.
CREATE FUNCTION ecg.seal(most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    entry ecg.audit_inbox;
    number bigint;
    before bytea;
    said text;
    sealed bigint[] := '{}';
BEGIN
    LOCK TABLE ecg.audit IN SHARE ROW EXCLUSIVE MODE;  -- one at a time; who reads is not kept waiting
    SELECT a.seq, a.hash INTO number, before FROM ecg.audit AS a ORDER BY a.seq DESC LIMIT 1;
    number := coalesce(number, -1);
    before := coalesce(before, decode(repeat('00', 32), 'hex'));
    FOR entry IN SELECT * FROM ecg.audit_inbox ORDER BY id LIMIT most LOOP
        number := number + 1;
        said := jsonb_build_object(
            'seq', number, 'entry', entry.id,
            'at', to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'login', entry.login, 'who', entry.who, 'action', entry.action, 'kind', entry.kind,
            'object', entry.object, 'facility', entry.path::text, 'detail', entry.detail)::text;
        before := sha256('ecgstream audit 1'::bytea || before || int8send(number) || convert_to(said, 'UTF8'));
        INSERT INTO ecg.audit (seq, at, who, action, kind, object, path, content, hash)
        VALUES (number, entry.at, entry.who, entry.action, entry.kind, entry.object, entry.path, said, before);
        sealed := sealed || entry.id;
    END LOOP;
    DELETE FROM ecg.audit_inbox WHERE id = ANY(sealed);
    RETURN cardinality(sealed);
END $$;

-- Words that somebody typed may name a patient, and could never be taken out again: of them the log keeps the digest.
CREATE FUNCTION ecg.without_words(row_ jsonb) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(key, CASE WHEN key IN ('reason', 'place') AND value <> '""'
        THEN to_jsonb('sha256:' || encode(sha256(convert_to(value #>> '{}', 'UTF8')), 'hex')) ELSE value END)
    FROM jsonb_each(row_);
$$;

CREATE FUNCTION ecg.audit_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ecg.audit_inbox (who, action, kind, object, path, detail) VALUES (
        NEW.account, CASE WHEN NEW.after = '{"read": true}' THEN 'read' ELSE 'change' END, NEW.object, NEW.key, NEW.path,
        jsonb_build_object('before', ecg.without_words(NEW.before), 'after', ecg.without_words(NEW.after)));
    RETURN NULL;
END $$;
CREATE TRIGGER audit_change AFTER INSERT ON ecg.change FOR EACH ROW EXECUTE FUNCTION ecg.audit_change();

CREATE FUNCTION ecg.audit_judgement() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM ecg.note(NEW.said_by, 'judge', 'alert', NEW.alert::text,
                     jsonb_build_object('device', NEW.device, 'verdict', NEW.verdict));
    RETURN NULL;
END $$;
CREATE TRIGGER audit_judgement AFTER INSERT ON ecg.judgement FOR EACH ROW EXECUTE FUNCTION ecg.audit_judgement();

CREATE FUNCTION ecg.audit_migration() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM ecg.note(session_user, 'migrate', 'migration', NEW.name, jsonb_build_object('sha256', NEW.checksum));
    RETURN NULL;
END $$;
CREATE TRIGGER audit_migration AFTER INSERT ON ecg.migration FOR EACH ROW EXECUTE FUNCTION ecg.audit_migration();

-- The chain's first entry, unlike that of any other: its hash is the chain's name. Behind it, what was changed before
-- there was a chain, as it is found now.
INSERT INTO ecg.audit_inbox (who, action, kind, object, detail)
VALUES (session_user, 'begin', 'chain', gen_random_uuid()::text, '{}');
INSERT INTO ecg.audit_inbox (at, who, action, kind, object, path, detail)
SELECT at, account, CASE WHEN after = '{"read": true}' THEN 'read' ELSE 'change' END, object, key, path,
       jsonb_build_object('found', true, 'before', ecg.without_words(before), 'after', ecg.without_words(after))
FROM ecg.change ORDER BY id;
SELECT ecg.seal(2147483647);

REVOKE ALL ON FUNCTION ecg.keep_audit, ecg.audit_path, ecg.note, api.note, ecg.note_log, ecg.seal, ecg.without_words,
    ecg.audit_change, ecg.audit_judgement, ecg.audit_migration FROM PUBLIC;
GRANT USAGE ON SCHEMA ecg TO ecg_sealer, ecg_evidence;
GRANT EXECUTE ON FUNCTION ecg.note TO ecg_registry, ecg_housekeeping, ecg_sealer, ecg_evidence;
GRANT EXECUTE ON FUNCTION api.note TO ecg_web;
GRANT EXECUTE ON FUNCTION ecg.seal, ecg.note_log TO ecg_sealer;
GRANT SELECT ON ecg.audit, ecg.audit_head, ecg.audit_position, ecg.audit_inbox TO ecg_sealer;
GRANT INSERT ON ecg.audit_head TO ecg_sealer;
GRANT SELECT ON ecg.audit, ecg.audit_head, ecg.alert, ecg.condition, ecg.beat, ecg.rhythm, ecg.vital, ecg.trace, ecg.segment,
    ecg.association, ecg.limit_change, ecg.judgement TO ecg_evidence;

-- Screens that stand unattended: somebody leaves one as a wall, which shows the signals of a facility with their rights,
-- and nothing else. The cookie of the screen is kept as a digest only (of 256 random bits).

CREATE TABLE ecg.wall (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account     text NOT NULL REFERENCES ecg.person,
    name        text NOT NULL CHECK (name <> '' AND length(name) <= 60),
    facility    text NOT NULL REFERENCES ecg.facility,  -- it shows this one and those below it
    sectors     integer NOT NULL CHECK (sectors > 0),
    key_digest  bytea NOT NULL UNIQUE CHECK (octet_length(key_digest) = 32),
    until       timestamptz NOT NULL,
    said_by     text NOT NULL,
    said_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at     timestamptz,                            -- when the screen last asked, to the minute; NULL: never
    revoked_by  text,
    revoked_at  timestamptz,
    CHECK (until > said_at AND until <= said_at + interval '90 days'),
    CHECK (num_nonnulls(revoked_by, revoked_at) <> 1)
);
CREATE INDEX wall_account ON ecg.wall (account) WHERE revoked_at IS NULL;

CREATE TRIGGER log_change AFTER INSERT OR UPDATE OF revoked_at ON ecg.wall
    FOR EACH ROW EXECUTE FUNCTION ecg.log_change('account', 'id');

-- A wall ends for good with the position that it stands on, and with its account.
CREATE FUNCTION ecg.end_walls() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    who text := CASE TG_OP WHEN 'DELETE' THEN OLD.account ELSE NEW.account END;
    whose text := CASE TG_OP WHEN 'DELETE' THEN coalesce(nullif(current_setting('ecg.acting', true), ''), session_user)
                  ELSE NEW.changed_by END;
BEGIN
    PERFORM FROM ecg.person WHERE account = who FOR NO KEY UPDATE;  -- none begins meanwhile
    UPDATE ecg.wall AS w SET revoked_by = whose, revoked_at = clock_timestamp()
    WHERE w.account = who AND w.revoked_at IS NULL AND NOT EXISTS (
        SELECT FROM ecg.position AS p JOIN ecg.facility AS f ON f.code = p.facility
        JOIN ecg.facility AS x ON x.path <@ f.path JOIN ecg.person AS h ON h.account = p.account
        WHERE p.account = who AND p.kind IN ('clinic', 'cardiologist', 'auditor') AND x.code = w.facility
            AND NOT h.disabled);
    RETURN NULL;
END $$;
CREATE TRIGGER end_walls AFTER DELETE ON ecg.position FOR EACH ROW EXECUTE FUNCTION ecg.end_walls();
CREATE TRIGGER end_walls AFTER UPDATE OF disabled ON ecg.person
    FOR EACH ROW WHEN (NEW.disabled) EXECUTE FUNCTION ecg.end_walls();

-- For the monitor only, which knows who asks. Whoever sees signals of a facility may leave a wall of it.
CREATE FUNCTION api.begin_wall(
    who text, called text, place text, shown integer, digest bytea, days integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM ecg.person WHERE account = who FOR NO KEY UPDATE;  -- as ecg.end_walls
    INSERT INTO ecg.wall (account, name, facility, sectors, key_digest, until, said_by, said_at)
    SELECT who, called, f.code, shown, digest, now() + days * interval '1 day', who, now() FROM ecg.facility AS f
    WHERE f.code = place AND EXISTS (
        SELECT FROM ecg.place AS m WHERE m.role = 'person_' || who AND f.path <@ m.path
            AND m.kind IN ('clinic', 'cardiologist', 'auditor'));
    RETURN FOUND;
END $$;

-- The wall of a screen that stands, and that it has asked.
CREATE FUNCTION api.wall(digest bytea)
    RETURNS TABLE (id uuid, account text, name text, facility text, sectors integer)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    UPDATE ecg.wall AS w SET seen_at = clock_timestamp()
    WHERE w.key_digest = digest AND w.revoked_at IS NULL AND w.until > clock_timestamp()
        AND coalesce(w.seen_at, '-infinity') < clock_timestamp() - interval '1 min';
    SELECT w.id, w.account, w.name, w.facility, w.sectors FROM ecg.wall AS w
    WHERE w.key_digest = digest AND w.revoked_at IS NULL AND w.until > clock_timestamp();
$$;

-- Ended by whose it is, or by who is operator there or above.
CREATE FUNCTION api.end_wall(which uuid, who text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE ecg.wall AS w SET revoked_by = who, revoked_at = clock_timestamp()
    FROM ecg.facility AS f
    WHERE w.id = which AND w.revoked_at IS NULL AND w.until > clock_timestamp() AND f.code = w.facility
        AND (w.account = who OR EXISTS (
            SELECT FROM ecg.place AS m WHERE m.role = 'person_' || who AND m.kind = 'operator' AND f.path <@ m.path));
    RETURN FOUND;
END $$;

-- One's own walls; and those at or below where one is auditor or operator.
CREATE VIEW api.walls WITH (security_barrier) AS
SELECT w.id, w.account, w.name, w.facility, w.sectors, w.until, w.said_by, w.said_at, w.seen_at, w.revoked_by,
       w.revoked_at
FROM ecg.wall AS w
WHERE 'person_' || w.account = current_user
   OR w.facility IN (SELECT f.code FROM ecg.my_place AS m JOIN ecg.facility AS f ON f.path <@ m.path
                     WHERE m.kind IN ('auditor', 'operator'));

REVOKE ALL ON FUNCTION ecg.end_walls, api.begin_wall, api.wall, api.end_wall FROM PUBLIC;
GRANT CREATE ON SCHEMA api TO ecg_views;
ALTER VIEW api.walls OWNER TO ecg_views;
REVOKE CREATE ON SCHEMA api FROM ecg_views;
GRANT SELECT ON ecg.wall TO ecg_views;
GRANT SELECT ON api.walls TO ecg_reader;
GRANT EXECUTE ON FUNCTION api.begin_wall, api.wall, api.end_wall TO ecg_web;

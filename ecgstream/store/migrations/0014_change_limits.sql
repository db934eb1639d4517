-- Those who care for a patient change the alarm limits, by the one function that decides whether they may.

-- Whose rights a statement runs with. In a function that runs as its owner, current_user is that owner; the setting still
-- names the role that was set, and where none was, the login is the person.
CREATE FUNCTION ecg.caller() RETURNS name LANGUAGE sql STABLE
RETURN CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END;

-- What can be meant, as ecgstream/registry/limits.py has it: tests/system/test_limits.py compares.
CREATE FUNCTION ecg.limit_range()
    RETURNS TABLE (code bigint, lowest double precision, highest double precision, both_sides boolean)
    LANGUAGE sql IMMUTABLE BEGIN ATOMIC
    SELECT r.code, r.lowest, r.highest, r.both_sides
    FROM (VALUES (147842, 15, 300, true), (149530, 15, 300, true), (150456, 50, 100, true), (151562, 3, 150, true),
          (150021, 20, 300, true), (150364, 25, 45, true), (148066, 1, 200, false), (147240, 1, 10, false),
          (131840, -2, 2, true)) AS r (code, lowest, highest, both_sides);
END;

-- Whether it was written: not where somebody else has changed the same since it was seen. seen: the id of the row that
-- was, 0 of none. Nobody is told apart from a patient who is not there.
CREATE FUNCTION api.change_limit(whom text, number bigint, seen bigint, new_low double precision,
                                 new_high double precision, to_default boolean, why text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    who CONSTANT name := ecg.caller();
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'another change would not be seen' USING ERRCODE = 'active_sql_transaction';
    END IF;
    PERFORM FROM ecg.patient AS p JOIN ecg.facility AS f ON f.code = p.facility
    WHERE p.patient = whom AND EXISTS (SELECT FROM ecg.place AS m WHERE m.role = who
                                       AND m.kind IN ('clinic', 'cardiologist') AND f.path <@ m.path)
    FOR NO KEY UPDATE OF p;  -- one change after the other, as the registry's own
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limits are changed by clinic or cardiologist at the patient''s facility or above it'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF coalesce(length(btrim(why)), 0) NOT BETWEEN 1 AND 500 OR to_default IS NULL
        OR (to_default AND num_nonnulls(new_low, new_high) > 0)
        OR NOT EXISTS (SELECT FROM ecg.limit_range() AS r WHERE r.code = number
                       AND (new_low IS NULL OR (r.both_sides AND new_low BETWEEN r.lowest AND r.highest))
                       AND (new_high IS NULL OR new_high BETWEEN r.lowest AND r.highest)
                       AND coalesce(new_low < new_high, true)) THEN
        RAISE EXCEPTION 'this cannot be meant, or has no reason' USING ERRCODE = 'check_violation';
    END IF;
    IF seen IS DISTINCT FROM coalesce((SELECT max(l.id) FROM ecg.limit_change AS l
                                       WHERE l.patient = whom AND l.code = number), 0) THEN
        RETURN false;
    END IF;
    INSERT INTO ecg.limit_change (patient, code, low, high, is_default, reason, said_by)
    VALUES (whom, number, new_low, new_high, to_default, btrim(why), substr(who, length('person_') + 1));
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION ecg.caller, ecg.limit_range, api.change_limit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.change_limit TO ecg_clinic, ecg_cardiologist;

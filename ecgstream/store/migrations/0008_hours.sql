-- Hourly trends, kept after their minutes are gone; and the role that makes them and clears away what is no longer kept
-- (ecgstream housekeeping). One mechanism in all editions, so that all show the same, and CI runs it.

CREATE TABLE ecg.trend_hour (
    device          text NOT NULL,
    time            timestamptz NOT NULL,   -- where the UTC hour begins
    code            bigint NOT NULL,        -- MDC
    parts           integer NOT NULL,       -- rows of ecg.trend in it; what has fewer never replaces it
    n               bigint NOT NULL,
    mean            real,
    low             real,
    high            real,
    PRIMARY KEY (device, time, code)
);

-- Hours of which minutes were written since they were made. Whoever writes minutes locks the row or makes it, in the same
-- transaction; whoever makes the hour deletes it before looking at the minutes.
CREATE TABLE ecg.hour_due (
    device          text NOT NULL,
    time            timestamptz NOT NULL,
    PRIMARY KEY (device, time)
);
CREATE INDEX hour_due_time ON ecg.hour_due (time);
INSERT INTO ecg.hour_due SELECT DISTINCT device, date_trunc('hour', time, 'UTC') FROM ecg.trend;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ecg_housekeeping') THEN
        CREATE ROLE ecg_housekeeping NOLOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ecg_housekeeping', current_database());
END $$;

-- Again, with the new role among those that may lock (0004_access.sql).
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
                EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO ecg_sink, ecg_registry, ecg_housekeeping, %I', routine,
                               keeper);
            END IF;
        END LOOP;
    END IF;
END $$;

-- What an open alert points at stays, however old: a minute around its onset and its decision.
CREATE VIEW ecg.evidence AS
SELECT device, onset - interval '1 min' AS since, ecg.at_ns(greatest(onset_ns, decided_ns)) + interval '1 min' AS until
FROM ecg.alert WHERE state <> 'ENDED';

-- A hypertable's chunks are its owner's to drop. Housekeeping may so list those that are over before a time, and drop one.
CREATE FUNCTION ecg.old_chunks(name text, before timestamptz)
    RETURNS TABLE (since timestamptz, until timestamptz, bytes bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old boolean;
BEGIN
    FOR since, until, bytes IN EXECUTE
        'SELECT range_start, range_end, pg_total_relation_size(format(''%I.%I'', chunk_schema, chunk_name)::regclass)'
        ' FROM timescaledb_information.chunks WHERE hypertable_schema = ''ecg'' AND hypertable_name = $1'
        ' AND range_end <= $2 ORDER BY range_start' USING name, before LOOP
        -- One that holds nothing but evidence is done with.
        EXECUTE format('SELECT EXISTS (SELECT FROM ecg.%I AS t WHERE time >= $1 AND time < $2 AND NOT %s)', name,
                       ecg.is_evidence(name)) INTO old USING since, until;
        IF old THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION ecg.drop_chunk(name text, since timestamptz, until timestamptz) RETURNS bigint  -- rows that stay
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    home CONSTANT text := (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'timescaledb');
    kept bigint;
BEGIN
    IF name NOT IN ('trace', 'beat', 'vital', 'trend', 'trend_hour') THEN
        RAISE EXCEPTION 'ecg.% is no table of measurements', name;
    END IF;
    EXECUTE format('CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT t.* FROM ecg.%I AS t'
                   ' WHERE time >= $1 AND time < $2 AND %s', name, ecg.is_evidence(name)) USING since, until;
    EXECUTE format('SELECT FROM %s.drop_chunks(%L, older_than => $1, newer_than => $2)', home, 'ecg.' || name)
        USING until, since;
    EXECUTE format('INSERT INTO ecg.%I SELECT * FROM pg_temp.kept', name);
    GET DIAGNOSTICS kept = ROW_COUNT;
    DROP TABLE pg_temp.kept;
    RETURN kept;
END $$;

-- As a condition on rows t of a table. A block has ten seconds from its time on.
CREATE FUNCTION ecg.is_evidence(name text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE WHEN name IN ('trace', 'beat', 'vital')
    THEN 'EXISTS (SELECT FROM ecg.evidence AS e WHERE e.device = t.device'
         ' AND t.time > e.since - interval ''10 s'' AND t.time < e.until)'
    ELSE 'false' END;
REVOKE ALL ON FUNCTION ecg.old_chunks, ecg.drop_chunk, ecg.is_evidence FROM PUBLIC;

GRANT USAGE ON SCHEMA ecg TO ecg_housekeeping;
GRANT EXECUTE ON FUNCTION ecg.at_ns, ecg.old_chunks, ecg.drop_chunk, ecg.is_evidence TO ecg_housekeeping;
GRANT SELECT ON ecg.evidence TO ecg_housekeeping;
GRANT SELECT, INSERT, UPDATE ON ecg.hour_due TO ecg_sink;
GRANT SELECT ON ecg.trend_hour, ecg.hour_due TO ecg_views;
GRANT SELECT, UPDATE, DELETE ON ecg.hour_due TO ecg_housekeeping;
GRANT SELECT, INSERT, UPDATE, DELETE ON ecg.trend_hour TO ecg_housekeeping;
GRANT SELECT, DELETE ON ecg.trend TO ecg_housekeeping;
GRANT DELETE ON ecg.trace, ecg.beat, ecg.vital, ecg.rhythm, ecg.segment, ecg.condition, ecg.alert TO ecg_housekeeping;
-- To find what is old, and nothing of what was measured.
GRANT SELECT (device, time) ON ecg.trace, ecg.beat, ecg.vital TO ecg_housekeeping;
GRANT SELECT (device, session, sample, time) ON ecg.rhythm TO ecg_housekeeping;
GRANT SELECT (device, time, to_ns) ON ecg.segment TO ecg_housekeeping;
GRANT SELECT (id, device, onset) ON ecg.condition TO ecg_housekeeping;
GRANT SELECT (id, device, onset, state) ON ecg.alert TO ecg_housekeeping;

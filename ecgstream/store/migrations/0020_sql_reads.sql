-- What people read by logins with SQL of their own: the service `witness` carries it from the server's log, where pgaudit
-- writes it, into the audit log (docs/audit.md).

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ecg_witness') THEN
        CREATE ROLE ecg_witness NOLOGIN;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ecg_witness', current_database());
END $$;

-- What was read of a file of the server's log from one byte to before another, once: false where some of it is here already.
CREATE FUNCTION ecg.note_sql(file text, since bigint, until bigint, entries jsonb) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM jsonb_to_recordset(entries) AS e (action text, kind text)
        WHERE ((e.action, e.kind) IN (('read', 'sql'), ('change', 'sql'), ('unread', 'sql'), ('start', 'service')))
            IS NOT TRUE
    ) THEN
        RAISE EXCEPTION 'the server''s log does not tell of this' USING ERRCODE = 'check_violation';
    END IF;
    RETURN ecg.note_log('server log ' || file, 0, since, until, entries);
END $$;

REVOKE ALL ON FUNCTION ecg.note_sql FROM PUBLIC;
GRANT USAGE ON SCHEMA ecg TO ecg_witness;
GRANT EXECUTE ON FUNCTION ecg.note_sql TO ecg_witness;
GRANT SELECT ON ecg.audit_position TO ecg_witness;

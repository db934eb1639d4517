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

-- For auditors: the chain's entries of where they stand and below; those of nowhere for who stands at the root.
GRANT SELECT ON ecg.audit, ecg.audit_head TO ecg_views;
CREATE VIEW api.audit WITH (security_barrier) AS
SELECT a.seq, a.at, a.who, a.action, a.kind, a.object, a.path, a.content, encode(a.hash, 'hex') AS hash
FROM ecg.audit AS a
WHERE EXISTS (SELECT FROM ecg.my_place AS m WHERE m.kind = 'auditor'
              AND (a.path <@ m.path OR (a.path IS NULL AND nlevel(m.path) = 1)));

-- How the chain stands: how long it is, when its head was signed, when and by whom it was verified last.
CREATE VIEW api.audit_state WITH (security_barrier) AS
SELECT (SELECT max(a.seq) + 1 FROM ecg.audit AS a) AS entries, h.seq AS signed_seq, ecg.at_ns(h.at_ns) AS signed_at,
    v.at AS verified_at, v.who AS verified_by, v.content AS verified
FROM (VALUES (1)) AS one
LEFT JOIN (SELECT at_ns, seq FROM ecg.audit_head ORDER BY at_ns DESC LIMIT 1) AS h ON true
LEFT JOIN (SELECT at, who, content FROM ecg.audit WHERE kind = 'chain' AND object = 'verify' ORDER BY seq DESC LIMIT 1)
    AS v ON true
WHERE EXISTS (SELECT FROM ecg.my_place AS m WHERE m.kind = 'auditor');

GRANT CREATE ON SCHEMA api TO ecg_views;
ALTER VIEW api.audit OWNER TO ecg_views;
ALTER VIEW api.audit_state OWNER TO ecg_views;
REVOKE CREATE ON SCHEMA api FROM ecg_views;
GRANT SELECT ON api.audit, api.audit_state TO ecg_auditor;

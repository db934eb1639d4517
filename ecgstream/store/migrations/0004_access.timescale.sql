-- TimescaleDB lets everybody call its internal functions, some of which ask for no right: any reader could drop a
-- chunk with _timescaledb_functions.drop_chunk. To read and write hypertables nobody needs them; the owner of our
-- tables keeps them. Only a superuser can take them away; docs/access.md says how where the owner is none, and that it
-- has to be done again when the extension has been updated, which brings new functions.
DO $$
DECLARE
    keeper CONSTANT name := (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'ecg');
    routine regprocedure;
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR routine IN SELECT p.oid FROM pg_extension AS e
            JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
            JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
            WHERE e.extname = 'timescaledb' AND NOT (p.pronamespace = e.extnamespace AND p.proname IN
                ('time_bucket', 'time_bucket_gapfill', 'locf', 'interpolate', 'first', 'last', 'histogram')) LOOP
            EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', routine);
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', routine, keeper);
        END LOOP;
    END IF;
END $$;

-- What is read and written with SQL comes into the server's log (docs/audit.md). As a superuser, in the database, after
-- `ecgstream migrate` and the services' logins; once more after each new login of a service, or it is logged as well.
-- The server must load pgaudit (shared_preload_libraries) and write jsonlog.
--
-- For all who log in, so that none is forgotten; but not for services: what they do is in the audit log by themselves, or is
-- nothing that a person reads. Nobody but a superuser can change any of it for a session.
DO $$
DECLARE
    login name;
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY[
        'log = ''read, write''',
        'log_relation = on',    -- which tables and views
        'log_statement = off',  -- and not what was looked for
        'log_parameter = off',
        'log_rows = off',       -- it would wait for the end of the statement, which a reader can keep from coming
        'log_catalog = off'     -- what every client asks of the catalogue before anything else
    ] LOOP
        EXECUTE format('ALTER DATABASE %I SET pgaudit.%s', current_database(), setting);
    END LOOP;
    FOR login IN
        SELECT DISTINCT m.rolname FROM pg_auth_members AS a
        JOIN pg_roles AS m ON m.oid = a.member AND m.rolcanlogin AND NOT m.rolsuper
        JOIN pg_roles AS g ON g.oid = a.roleid
        WHERE g.rolname IN ('ecg_sink', 'ecg_registry', 'ecg_housekeeping', 'ecg_web', 'ecg_sealer')
    LOOP
        EXECUTE format('ALTER ROLE %I SET pgaudit.log = ''none''', login);
    END LOOP;
END $$;

-- The services' logins (docs/access.md, "Logins of the services"), made after `ecgstream migrate`, as a superuser, with
-- psql, whose environment holds the passwords. Run again it sets what has changed.

-- No statement of this session is written to the server's log: some hold a password.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';

\getenv sink SINK
\getenv registry REGISTRY
\getenv watch WATCH
\getenv housekeeping HOUSEKEEPING
\getenv monitor MONITOR
\getenv sealer SEALER
\getenv witness WITNESS

SELECT format('CREATE ROLE %I', name)
FROM unnest('{sink_1,registry_1,watch_1,housekeeping_1,monitor_1,sealer_1,witness_1}'::text[]) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE sink_1 LOGIN CONNECTION LIMIT 4 PASSWORD :'sink';
GRANT ecg_sink TO sink_1;
ALTER ROLE sink_1 SET statement_timeout = '60s';
ALTER ROLE sink_1 SET lock_timeout = '10s';
ALTER ROLE sink_1 SET idle_in_transaction_session_timeout = '60s';

ALTER ROLE registry_1 LOGIN CONNECTION LIMIT 8 PASSWORD :'registry';
GRANT ecg_registry TO registry_1;
ALTER ROLE registry_1 SET statement_timeout = '300s';
ALTER ROLE registry_1 SET lock_timeout = '30s';
ALTER ROLE registry_1 SET idle_in_transaction_session_timeout = '300s';

ALTER ROLE housekeeping_1 LOGIN CONNECTION LIMIT 4 PASSWORD :'housekeeping';
GRANT ecg_housekeeping TO housekeeping_1;
ALTER ROLE housekeeping_1 SET lock_timeout = '30s';
ALTER ROLE housekeeping_1 SET idle_in_transaction_session_timeout = '300s';

ALTER ROLE monitor_1 LOGIN CONNECTION LIMIT 40 PASSWORD :'monitor';
GRANT ecg_web TO monitor_1;
ALTER ROLE monitor_1 SET statement_timeout = '15s';
ALTER ROLE monitor_1 SET lock_timeout = '5s';
ALTER ROLE monitor_1 SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE monitor_1 SET idle_session_timeout = '600s';

ALTER ROLE sealer_1 LOGIN CONNECTION LIMIT 8 PASSWORD :'sealer';
GRANT ecg_sealer TO sealer_1;
ALTER ROLE sealer_1 SET lock_timeout = '30s';
ALTER ROLE sealer_1 SET idle_in_transaction_session_timeout = '600s';

ALTER ROLE witness_1 LOGIN CONNECTION LIMIT 2 PASSWORD :'witness';
GRANT ecg_witness TO witness_1;
ALTER ROLE witness_1 SET statement_timeout = '60s';
ALTER ROLE witness_1 SET lock_timeout = '30s';

-- It asks whether the database answers, and has no other right.
ALTER ROLE watch_1 LOGIN CONNECTION LIMIT 4 PASSWORD :'watch';
SELECT format('GRANT CONNECT ON DATABASE %I TO watch_1', current_database()) \gexec
ALTER ROLE watch_1 SET statement_timeout = '10s';

-- A day a chunk for what comes with the signal; a week for the minute's numbers. No further index on time: every
-- question names a device first.

SELECT create_hypertable('ecg.trace', 'time', chunk_time_interval => interval '1 day',
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('ecg.beat', 'time', chunk_time_interval => interval '1 day',
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('ecg.vital', 'time', chunk_time_interval => interval '1 day',
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('ecg.trend', 'time', chunk_time_interval => interval '7 days',
                         create_default_indexes => false, migrate_data => true);

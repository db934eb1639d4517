-- A quarter a chunk: an hour is a thousandth of what its minutes and beats are.

SELECT create_hypertable('ecg.trend_hour', 'time', chunk_time_interval => interval '90 days',
                         create_default_indexes => false, migrate_data => true);

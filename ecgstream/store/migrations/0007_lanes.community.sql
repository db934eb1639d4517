-- Compression again, where the licence has it, in the order of the new keys.

ALTER TABLE ecg.beat SET (timescaledb.compress, timescaledb.compress_segmentby = 'device',
                          timescaledb.compress_orderby = 'time, session, sample');
ALTER TABLE ecg.vital SET (timescaledb.compress, timescaledb.compress_segmentby = 'device, code',
                           timescaledb.compress_orderby = 'time, time_ns');
ALTER TABLE ecg.trend SET (timescaledb.compress, timescaledb.compress_segmentby = 'device, code',
                           timescaledb.compress_orderby = 'time, session, lane');
SELECT add_compression_policy('ecg.beat', interval '30 days');
SELECT add_compression_policy('ecg.vital', interval '30 days');
SELECT add_compression_policy('ecg.trend', interval '60 days');

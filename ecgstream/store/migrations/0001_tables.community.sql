-- Compression, where the licence has it. Traces are compressed already. The delay is longer than the longest
-- outage of a gateway: rows that come into a compressed chunk are slow (timescaledb#6063, #5801).

ALTER TABLE ecg.beat SET (timescaledb.compress, timescaledb.compress_segmentby = 'device',
                          timescaledb.compress_orderby = 'session, sample');
ALTER TABLE ecg.vital SET (timescaledb.compress, timescaledb.compress_segmentby = 'device, code',
                           timescaledb.compress_orderby = 'time_ns');
ALTER TABLE ecg.trend SET (timescaledb.compress, timescaledb.compress_segmentby = 'device, code',
                           timescaledb.compress_orderby = 'minute_ns');
SELECT add_compression_policy('ecg.beat', interval '30 days');
SELECT add_compression_policy('ecg.vital', interval '30 days');
SELECT add_compression_policy('ecg.trend', interval '60 days');

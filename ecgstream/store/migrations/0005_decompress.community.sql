-- ecgstream: no transaction
--
-- Before the keys change (0007_lanes.sql): TimescaleDB before 2.18 refuses constraints on a table with compression, and
-- later ones check them by decompressing everything. Chunk by chunk, so that one that is stopped goes on where it was;
-- the disk needs room for the largest table in the clear. 0007_lanes.community.sql compresses again.

SELECT remove_compression_policy('ecg.beat', if_exists => true);
SELECT remove_compression_policy('ecg.vital', if_exists => true);
SELECT remove_compression_policy('ecg.trend', if_exists => true);
DO $$ DECLARE c regclass; BEGIN FOR c IN SELECT show_chunks('ecg.beat') LOOP PERFORM decompress_chunk(c, true); COMMIT; END LOOP; END $$;
DO $$ DECLARE c regclass; BEGIN FOR c IN SELECT show_chunks('ecg.vital') LOOP PERFORM decompress_chunk(c, true); COMMIT; END LOOP; END $$;
DO $$ DECLARE c regclass; BEGIN FOR c IN SELECT show_chunks('ecg.trend') LOOP PERFORM decompress_chunk(c, true); COMMIT; END LOOP; END $$;
ALTER TABLE ecg.beat SET (timescaledb.compress = false);
ALTER TABLE ecg.vital SET (timescaledb.compress = false);
ALTER TABLE ecg.trend SET (timescaledb.compress = false);

-- How far what is stored here has come in Kafka's topics. So a database that is brought back from a backup says by itself
-- what it lacks, and the sink reads that again, whatever its group has committed since.

CREATE TABLE ecg.read_position (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next        bigint NOT NULL,        -- the first offset that may be missing
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON ecg.read_position TO ecg_sink;

-- What comes late: lanes, segments, alerts that somebody acknowledged. And keys by which a time is found.
--
-- A sink of the version before cannot write to these tables: it waits, as for a database that is away, until it is
-- replaced; Kafka holds what comes meanwhile.

-- A stretch of a device's signal that the detectors went through without a break.
CREATE TABLE ecg.segment (
    device          text NOT NULL,
    session         bigint NOT NULL,
    lane            text NOT NULL,          -- LIVE: as it was measured; BACKFILL: afterwards, behind a gap
    from_sample     bigint NOT NULL,
    from_ns         bigint NOT NULL,
    time            timestamptz NOT NULL,   -- of from_ns
    to_sample       bigint,                 -- the first that is no longer in it; NULL: it goes on
    to_ns           bigint,
    start           text NOT NULL,          -- COLD, or RESTORED: with the state from before the gap
    settings        jsonb NOT NULL,         -- as it began; changes within it are in the log
    generation      integer NOT NULL,
    source_offset   bigint NOT NULL,
    version         text NOT NULL,
    PRIMARY KEY (device, session, lane, from_sample)
);
GRANT SELECT, INSERT, UPDATE ON ecg.segment TO ecg_sink;
GRANT SELECT ON ecg.segment TO ecg_views;

-- A minute of which both lanes know a part has a row of each.
ALTER TABLE ecg.trend ADD lane text NOT NULL DEFAULT 'LIVE';
ALTER TABLE ecg.condition ADD lane text NOT NULL DEFAULT 'LIVE';

ALTER TABLE ecg.alert
    ADD acknowledged_ns bigint,             -- the pager's clock; NULL: nobody has
    ADD acknowledged_by text NOT NULL DEFAULT '',
    ADD reason          text NOT NULL DEFAULT '';

-- Every question names a device and a time: so do the keys, in this order. (minute_ns follows from time.)
ALTER TABLE ecg.beat DROP CONSTRAINT beat_pkey;
ALTER TABLE ecg.beat ADD PRIMARY KEY (device, time, session, sample);
ALTER TABLE ecg.vital DROP CONSTRAINT vital_pkey;
ALTER TABLE ecg.vital ADD PRIMARY KEY (device, time, code, time_ns);
ALTER TABLE ecg.trend DROP CONSTRAINT trend_pkey;
-- With the numbers in it: a day of a device lies together there, and in a thousand places of the table.
ALTER TABLE ecg.trend ADD PRIMARY KEY (device, time, code, session, lane) INCLUDE (n, mean, low, high);
ALTER TABLE ecg.trend SET (autovacuum_vacuum_insert_scale_factor = 0.02);  -- only what was vacuumed is read from there alone
CREATE INDEX trace_time ON ecg.trace (device, time, code);  -- the key finds blocks by sample

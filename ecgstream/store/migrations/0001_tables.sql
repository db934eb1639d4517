-- The base tables. Readers have no right on them: they read the views of schema api.
--
-- Exact times are UTC nanoseconds in *_ns columns; a timestamptz column "time" (microseconds) beside them is what
-- partitions and dashboards use. It follows from the *_ns column, so it may stand in a primary key.
--
-- generation, source_offset: who decided a row, and from which record of the ingest topic. A row with a lower
-- pair never overwrites one with a higher.

CREATE SCHEMA api;

CREATE FUNCTION ecg.at_ns(ns bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN '1970-01-01 00:00:00+00'::timestamptz + (ns / 1000) * interval '1 microsecond';

CREATE TABLE ecg.device (
    device          text PRIMARY KEY,
    gateway         text NOT NULL,
    session         bigint NOT NULL,        -- the one seen last
    first_seen_ns   bigint NOT NULL,        -- the gateway's clock
    last_seen_ns    bigint NOT NULL
);

-- Where a session's sample 0 lies in device time, fixed by the packet that came first: every sink that ever
-- writes a block of the session gives it the same nominal time.
CREATE TABLE ecg.session (
    device          text NOT NULL,
    session         bigint NOT NULL,
    origin_ns       bigint NOT NULL,
    PRIMARY KEY (device, session)
);

-- About 10 s of one channel.
CREATE TABLE ecg.trace (
    device          text NOT NULL,
    session         bigint NOT NULL,
    channel         smallint NOT NULL,
    first_sample    bigint NOT NULL,        -- at this channel's rate; a multiple of round(10 * rate)
    time            timestamptz NOT NULL,   -- nominal time of first_sample: the session's origin + first_sample / rate
    code            bigint NOT NULL,        -- MDC
    kind            smallint NOT NULL,      -- schemas/records.py
    unit            smallint NOT NULL,      -- schemas/units.py
    rate            double precision NOT NULL,
    gain            double precision NOT NULL,
    "offset"        double precision NOT NULL,
    high_pass       real,                   -- Hz, as the device states it; NULL: unknown
    low_pass        real,
    notch           real,
    n               integer NOT NULL,       -- samples, missing ones among them
    codec           text NOT NULL,
    data            bytea NOT NULL,
    -- The packets whose first sample lies in this block, a column a property. Indices of samples are the packet's
    -- own: at the rate of channel 0.
    packet_seq      bigint[] NOT NULL,
    packet_first    bigint[] NOT NULL,
    packet_ns       bigint[] NOT NULL,      -- device time of the packet's first sample: exact, where "time" is nominal
    packet_lead_off boolean[] NOT NULL,     -- of this channel
    pace            bigint[] NOT NULL,      -- pacing pulses in these packets; in the blocks of channel 0
    PRIMARY KEY (device, session, channel, first_sample, time)
);
ALTER TABLE ecg.trace ALTER data SET STORAGE EXTERNAL;  -- compressed already

CREATE TABLE ecg.beat (
    device          text NOT NULL,
    session         bigint NOT NULL,
    sample          bigint NOT NULL,
    time_ns         bigint NOT NULL,
    time            timestamptz NOT NULL,
    code            text NOT NULL,          -- WFDB: N S V F Q /
    rr_s            real,
    hr_bpm          real,
    generation      integer NOT NULL,
    source_offset   bigint NOT NULL,
    version         text NOT NULL,          -- of the detectors
    PRIMARY KEY (device, session, sample, time)
);

CREATE TABLE ecg.rhythm (
    device          text NOT NULL,
    session         bigint NOT NULL,
    sample          bigint NOT NULL,        -- holds from here until the device's next row
    time_ns         bigint NOT NULL,
    time            timestamptz NOT NULL,
    rhythm          text NOT NULL,          -- WFDB, without the parenthesis
    generation      integer NOT NULL,
    source_offset   bigint NOT NULL,
    version         text NOT NULL,
    PRIMARY KEY (device, session, sample)
);

CREATE TABLE ecg.vital (
    device          text NOT NULL,
    session         bigint NOT NULL,
    code            bigint NOT NULL,        -- MDC
    time_ns         bigint NOT NULL,
    time            timestamptz NOT NULL,
    value           double precision,       -- in the unit of the code; NULL: measured, but not to be had
    generation      integer NOT NULL,
    source_offset   bigint NOT NULL,
    PRIMARY KEY (device, code, time_ns, time)
);

CREATE TABLE ecg.trend (
    device          text NOT NULL,
    session         bigint NOT NULL,
    minute_ns       bigint NOT NULL,
    time            timestamptz NOT NULL,
    code            bigint NOT NULL,        -- MDC
    n               bigint NOT NULL,
    mean            real,
    low             real,
    high            real,
    generation      integer NOT NULL,
    source_offset   bigint NOT NULL,
    version         text NOT NULL,
    PRIMARY KEY (device, session, minute_ns, code, time)
);

-- One row a condition: what decided it, and its newest phase.
CREATE TABLE ecg.condition (
    id              uuid PRIMARY KEY,
    device          text NOT NULL,
    patient         text NOT NULL,          -- pseudonym; empty: nobody
    session         bigint NOT NULL,
    code            text NOT NULL,          -- schemas/conditions.py
    onset_sample    bigint NOT NULL,
    onset_ns        bigint NOT NULL,
    onset           timestamptz NOT NULL,
    decided_sample  bigint NOT NULL,        -- of the first phase that came
    decided_ns      bigint NOT NULL,
    delay_s         double precision NOT NULL,
    published_ns    bigint NOT NULL,
    phase           text NOT NULL,
    sample          bigint NOT NULL,        -- of the newest phase
    time_ns         bigint NOT NULL,
    end_ns          bigint,                 -- NULL: it lasts
    evidence        jsonb NOT NULL,         -- of the newest phase
    generation      integer NOT NULL,
    source_offset   bigint NOT NULL,
    version         text NOT NULL
);
CREATE INDEX condition_device ON ecg.condition (device, onset);

CREATE TABLE ecg.alert (
    id              uuid PRIMARY KEY,
    device          text NOT NULL,
    patient         text NOT NULL,
    session         bigint NOT NULL,
    condition       text NOT NULL,
    priority        text NOT NULL,
    state           text NOT NULL,
    onset_sample    bigint NOT NULL,
    onset_ns        bigint NOT NULL,
    onset           timestamptz NOT NULL,
    decided_sample  bigint NOT NULL,
    decided_ns      bigint NOT NULL,
    delay_s         double precision NOT NULL,
    end_ns          bigint,
    evidence        jsonb NOT NULL,
    published_ns    bigint NOT NULL,
    raised_ns       bigint NOT NULL,        -- the pager's clock
    updated_ns      bigint NOT NULL,
    source_offset   bigint NOT NULL,        -- of the newest condition record
    recorded_at     timestamptz NOT NULL DEFAULT clock_timestamp()  -- when the row came first
);
CREATE INDEX alert_device ON ecg.alert (device, onset);
CREATE INDEX alert_open ON ecg.alert (device) WHERE state <> 'ENDED';

-- What became of an alert: whether it is held back, silenced, joined or inhibited, who was called, and its history.

ALTER TABLE ecg.alert
    ADD silenced_until_ns bigint,                   -- the pager's clock; NULL: not silenced
    ADD joined       text NOT NULL DEFAULT '',      -- the alert that this one repeats; empty: none
    ADD inhibited_by text NOT NULL DEFAULT '',      -- an open alert that says more; empty: none
    ADD grouped      text NOT NULL DEFAULT '',      -- the alert that calls for this one, too, in a storm; empty: none
    ADD others       integer NOT NULL DEFAULT 0,    -- for how many others it calls in a storm
    ADD calls        integer NOT NULL DEFAULT 0,    -- how often people were called
    ADD call_ns      bigint,                        -- when they are called next if nobody answers; NULL: not
    ADD called       text[] NOT NULL DEFAULT '{}',  -- accounts, in the last two calls
    ADD history      jsonb NOT NULL DEFAULT '[]';   -- at_ns, by, what, why; oldest first

CREATE OR REPLACE VIEW api.alerts WITH (security_barrier) AS
SELECT t.id, t.device, a.patient, t.patient AS told_patient, t.session, t.condition, t.priority, t.state, t.onset,
       t.onset_sample, t.onset_ns, t.decided_sample, t.decided_ns, t.delay_s, t.end_ns, ecg.at_ns(t.end_ns) AS ended,
       t.evidence, t.published_ns, t.raised_ns, ecg.at_ns(t.raised_ns) AS raised, t.updated_ns, t.recorded_at,
       t.acknowledged_ns, ecg.at_ns(t.acknowledged_ns) AS acknowledged, t.acknowledged_by, t.reason,
       ecg.at_ns(t.silenced_until_ns) AS silenced_until, t.joined, t.inhibited_by, t.grouped, t.others, t.calls,
       ecg.at_ns(t.call_ns) AS next_call, t.called, t.history
FROM ecg.alert AS t
LEFT JOIN ecg.association AS a ON a.device = t.device AND a.superseded_at IS NULL
    AND tstzrange(a.since, a.until) @> t.onset
WHERE EXISTS (SELECT FROM ecg.my_window AS w WHERE w.kind IN ('clinic', 'cardiologist', 'auditor', 'service', 'share')
              AND w.device = t.device AND t.onset >= w.since AND t.onset < w.until);

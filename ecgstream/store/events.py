"""How what was found comes into the tables: conditions, alerts and segments.

These are told more than once, each time with more: an upsert keeps what is newest, in whatever order they
come.
"""

from ecgstream.store.tables import DECIDED, Table

# The phase with the lowest sample decided, the one with the highest is the newest; phases of one sample come
# in this order.
_RANK = "array_position(ARRAY['ONSET', 'UPDATE', 'END'], {}.phase)"
CONDITION = Table(
    "condition",
    {
        "id": "uuid",
        "device": "text",
        "patient": "text",
        "session": "bigint",
        "code": "text",
        "phase": "text",
        "onset_sample": "bigint",
        "onset_ns": "bigint",
        "sample": "bigint",
        "time_ns": "bigint",
        "delay_s": "double precision",
        "published_ns": "bigint",
        "evidence": "jsonb",
        "lane": "text",
        **DECIDED,
        "version": "text",
    },
    f"""
    INSERT INTO ecg.condition AS t (
        id, device, patient, session, code, onset_sample, onset_ns, onset,
        decided_sample, decided_ns, delay_s, published_ns,
        phase, sample, time_ns, end_ns, evidence, lane, generation, source_offset, version)
    SELECT id, n.device, n.patient, n.session, n.code, n.onset_sample, n.onset_ns, ecg.at_ns(n.onset_ns),
        f.sample, f.time_ns, f.delay_s, f.published_ns,
        n.phase, n.sample, n.time_ns, CASE WHEN n.phase = 'END' THEN n.time_ns END,
        n.evidence, n.lane, n.generation, n.source_offset, n.version
    FROM (SELECT DISTINCT ON (id) * FROM stage_condition AS s
          ORDER BY id, sample, {_RANK.format("s")}, generation DESC, source_offset DESC) AS f
    JOIN (SELECT DISTINCT ON (id) * FROM stage_condition AS s
          ORDER BY id, sample DESC, {_RANK.format("s")} DESC, generation DESC, source_offset DESC) AS n
    USING (id)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
        (decided_sample, decided_ns, delay_s, published_ns) = (
            SELECT w.sample, w.time_ns, w.delay_s, w.published_ns FROM (VALUES
                (t.decided_sample, t.decided_ns, t.delay_s, t.published_ns, 0),
                (excluded.decided_sample, excluded.decided_ns, excluded.delay_s, excluded.published_ns, 1)
            ) AS w (sample, time_ns, delay_s, published_ns, age) ORDER BY sample, age LIMIT 1),
        (patient, phase, sample, time_ns, end_ns, evidence, lane, generation, source_offset, version) = (
            SELECT w.* FROM (VALUES
                (t.patient, t.phase, t.sample, t.time_ns, t.end_ns, t.evidence, t.lane, t.generation,
                 t.source_offset, t.version),
                (excluded.patient, excluded.phase, excluded.sample, excluded.time_ns, excluded.end_ns,
                 excluded.evidence, excluded.lane, excluded.generation, excluded.source_offset,
                 excluded.version)
            ) AS w (patient, phase, sample, time_ns, end_ns, evidence, lane, generation, source_offset,
                    version)
            ORDER BY w.sample DESC, {_RANK.format("w")} DESC, w.generation DESC, w.source_offset DESC LIMIT 1)
    """,  # noqa: S608 - our own names
)

_ALERT = {
    "device": "text",
    "patient": "text",
    "session": "bigint",
    "condition": "text",
    "priority": "text",
    "state": "text",
    "onset_sample": "bigint",
    "onset_ns": "bigint",
    "decided_sample": "bigint",
    "decided_ns": "bigint",
    "delay_s": "double precision",
    "end_ns": "bigint",
    "evidence": "jsonb",
    "published_ns": "bigint",
    "raised_ns": "bigint",
    "updated_ns": "bigint",
    "source_offset": "bigint",
    "acknowledged_ns": "bigint",
    "acknowledged_by": "text",
    "reason": "text",
    "silenced_until_ns": "bigint",
    "joined": "text",
    "inhibited_by": "text",
    "grouped": "text",
    "others": "integer",
    "calls": "integer",
    "call_ns": "bigint",
    "called": "text[]",
    "history": "jsonb",
}
# The newest knows most of the condition's records. What is acknowledged stays so: between pagers whose clocks
# differ, too.
_NEWER = "({0}.source_offset, {0}.acknowledged_ns IS NOT NULL, {0}.updated_ns)"
ALERT = Table(
    "alert",
    {"id": "uuid", **_ALERT},
    f"""
    INSERT INTO ecg.alert AS t (id, onset, {", ".join(_ALERT)})
    SELECT DISTINCT ON (id) id, ecg.at_ns(onset_ns), {", ".join(_ALERT)}
    FROM stage_alert AS s ORDER BY id, {_NEWER.format("s")} DESC
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in ["onset", *_ALERT])}
    WHERE {_NEWER.format("excluded")} >= {_NEWER.format("t")}
    """,  # noqa: S608 - our own names
)

# A segment is told as it begins and as it ends. An end that is known stays known, though a worker that comes
# back behind it tells the beginning anew, and fills in whatever came first.
_SEGMENT_KEY = "device, session, lane, from_sample"
SEGMENT = Table(
    "segment",
    {
        "device": "text",
        "session": "bigint",
        "lane": "text",
        "from_sample": "bigint",
        "from_ns": "bigint",
        "to_sample": "bigint",
        "to_ns": "bigint",
        "start": "text",
        "settings": "jsonb",
        **DECIDED,
        "version": "text",
    },
    f"""
    INSERT INTO ecg.segment AS t ({_SEGMENT_KEY}, from_ns, time, to_sample, to_ns, start, settings,
        generation, source_offset, version)
    SELECT DISTINCT ON ({_SEGMENT_KEY}) {_SEGMENT_KEY}, from_ns, ecg.at_ns(from_ns),
        first_value(to_sample) OVER ended, first_value(to_ns) OVER ended, start, settings, generation,
        source_offset, version
    FROM stage_segment
    WINDOW ended AS (PARTITION BY {_SEGMENT_KEY}
                     ORDER BY to_sample IS NULL, generation DESC, source_offset DESC)
    ORDER BY {_SEGMENT_KEY}, generation DESC, source_offset DESC
    ON CONFLICT ({_SEGMENT_KEY}) DO UPDATE SET
        (to_sample, to_ns) = (
            SELECT w.to_sample, w.to_ns FROM (VALUES
                (t.to_sample, t.to_ns, t.generation, t.source_offset, 0),
                (excluded.to_sample, excluded.to_ns, excluded.generation, excluded.source_offset, 1)
            ) AS w (to_sample, to_ns, generation, source_offset, age)
            ORDER BY w.to_sample IS NULL, w.generation DESC, w.source_offset DESC, w.age DESC LIMIT 1),
        (from_ns, time, start, settings, generation, source_offset, version) = (
            SELECT w.from_ns, w.time, w.start, w.settings, w.generation, w.source_offset, w.version
            FROM (VALUES
                (t.from_ns, t.time, t.start, t.settings, t.generation, t.source_offset, t.version, 0),
                (excluded.from_ns, excluded.time, excluded.start, excluded.settings, excluded.generation,
                 excluded.source_offset, excluded.version, 1)
            ) AS w (from_ns, time, start, settings, generation, source_offset, version, age)
            ORDER BY w.generation DESC, w.source_offset DESC, w.age DESC LIMIT 1)
    """,  # noqa: S608 - our own names
)

EVENTS = (SEGMENT, CONDITION, ALERT)

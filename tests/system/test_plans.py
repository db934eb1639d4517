"""How what readers ask is found: by an index, in the chunks that hold the time, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple

import pytest

from ecgstream.store.connection import connect
from ecgstream.store.migrate import Edition, detect, migrate
from tests.system.conftest import fresh_database
from tests.system.people import person

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SECOND = timedelta(seconds=1)
BEGIN = datetime(2026, 4, 2, tzinfo=UTC)  # a Thursday, on which weekly chunks begin
FILL: tuple[LiteralString, ...] = (
    """
    INSERT INTO ecg.enrolment (device, facility, kind, shard, changed_by)
    SELECT 'd-' || d, code, 'monitor', d, 'test' FROM generate_series(1, 3) AS d, ecg.facility
    """,
    """
    INSERT INTO ecg.trace (device, session, channel, first_sample, time, code, kind, unit, rate, gain,
        "offset", n, codec, data, packet_seq, packet_first, packet_ns, packet_lead_off, pace)
    SELECT 'd-' || d, 1, lead, n * 2500, %(begin)s::timestamptz + n * interval '10 s', 131329 + lead, 0, 0,
        250, 200, 0, 2500, 'x', '', '{}', '{}', '{}', '{}', '{}'
    FROM generate_series(0::bigint, 5 * 8639, 4) AS n, generate_series(1, 3) AS d,
        generate_series(0, 1) AS lead
    """,
    """
    INSERT INTO ecg.trend (device, session, minute_ns, time, code, n, mean, low, high, generation,
        source_offset, version)
    SELECT 'd-' || d, 1, 0, %(begin)s::timestamptz + m * interval '1 min', code, 60, 70, 60, 80, 1, 1, '1'
    FROM generate_series(0, 28 * 1440 - 1) AS m, generate_series(1, 3) AS d,
        unnest('{147842,151562}'::int[]) AS code
    """,
    """
    INSERT INTO ecg.beat (device, session, sample, time_ns, time, code, generation, source_offset, version)
    SELECT 'd-' || d, 1, s, 0, %(begin)s::timestamptz + s * interval '5 s', 'N', 1, 1, '1'
    FROM generate_series(0::bigint, 5 * 17280 - 1) AS s, generate_series(1, 3) AS d
    """,
    "VACUUM (ANALYZE)",
)


class Question(NamedTuple):
    """What is asked, of which table, how many rows are read for it, and in how many chunks the time lies."""

    query: LiteralString
    table: str
    rows: int
    chunks: int
    at: timedelta


STRIP: LiteralString = "SELECT * FROM api.trace('d-2', 'II', {0}, {0}::timestamptz + interval '10 s')"
DAY_BY: LiteralString = "SELECT * FROM api.trend('d-2', {0}, {0}::timestamptz + interval '1 d', '%s min')"
QUESTIONS = {
    "strip": Question(STRIP, "trace", 7, 1, 3 * DAY + 7 * HOUR),
    "strip at midnight": Question(STRIP, "trace", 7, 2, 3 * DAY - 40 * SECOND),
    "minutes of a day": Question(DAY_BY % 1, "trend", 2880, 1, 8 * DAY + MINUTE),
    "minutes of a day in two weeks": Question(DAY_BY % 5, "trend", 2880, 2, 7 * DAY - 7 * MINUTE),
    "one number of a day": Question(
        "SELECT time, mean FROM api.trends WHERE device = 'd-2' AND code = 147842"
        " AND time >= {0} AND time < {0}::timestamptz + interval '1 d' ORDER BY time",
        *("trend", 1440, 1, 8 * DAY + HOUR),
    ),
    "beats of ten minutes": Question(
        "SELECT * FROM api.beats WHERE device = 'd-2'"
        " AND time >= {0} AND time < {0}::timestamptz + interval '10 min'",
        *("beat", 120, 1, 3 * DAY + HOUR),
    ),
}


@pytest.fixture(scope="module", params=["plain_postgres_url", "timescale_url"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Days of traces and beats, weeks of trends, of three devices."""
    with fresh_database(request.getfixturevalue(request.param)) as made:
        migrate(made)
        for kind in ("clinic", "cardiologist"):
            person(made, kind)
        with connect(made, autocommit=True) as owner:
            for statement in FILL:
                owner.execute(statement, {"begin": BEGIN} if "%(begin)s" in statement else None)
        yield made


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("kind", ["clinic", "cardiologist"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_it_is_found_where_it_lies_and_by_an_index(url: str, name: str, kind: str) -> None:
    question = QUESTIONS[name]
    asked = question.query.format(f"'{BEGIN + question.at}'")
    with connect(url, role=f"person_test_{kind}", autocommit=True) as reader:
        assert reader.execute(asked).rowcount > 0  # type: ignore[arg-type]
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}"
        (plan,) = reader.execute(explain).fetchone() or ()  # type: ignore[arg-type]
    with connect(url) as owner:
        has_chunks = detect(owner) is Edition.APACHE
    names = "_hyper_" if has_chunks else question.table
    scans = [n for n in nodes(plan[0]["Plan"]) if n.get("Relation Name", "").startswith(names)]
    assert len(scans) == (question.chunks if has_chunks else 1)
    assert {scan["Node Type"] for scan in scans} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
    read = sum(
        (scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"] for scan in scans
    )
    assert 0 < read <= question.rows
    if question.table == "trend":  # from the key alone
        assert {scan["Node Type"] for scan in scans} == {"Index Only Scan"}
        assert sum(scan["Heap Fetches"] for scan in scans) == 0

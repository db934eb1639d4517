"""Which rows are written where somebody says who wore a device."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from ecgstream.registry.associations import FOREVER, Piece, Place, Worn, pieces

HOURS = 12
START = datetime(2026, 7, 1, tzinfo=UTC)
BED, HOME = Place("bed", "3"), Place("home", "")
patients = st.sampled_from([None, "P-1", "P-2", "P-3"])


def hour(n: int) -> datetime:
    return FOREVER if n == HOURS else START + timedelta(hours=n)


def worn(patient: str | None, since: int, until: int, place: Place = BED) -> Worn:
    return Worn(uuid4(), "dev-1", patient, hour(since), hour(until), *place, "ann", START, "")


@st.composite
def held(draw: st.DrawFn) -> list[Worn]:
    """What may hold of a device: rows that do not overlap, in order."""
    ends = sorted(draw(st.sets(st.integers(0, HOURS), max_size=8)))
    rows = [worn(draw(patients), *span) for span in zip(ends[::2], ends[1::2], strict=False)]
    return [row for row in rows if draw(st.booleans()) or row.patient]


@st.composite
def spans(draw: st.DrawFn) -> tuple[datetime, datetime]:
    since = draw(st.integers(0, HOURS - 1))
    return hour(since), hour(draw(st.integers(since + 1, HOURS)))


def wearer(rows: list[Worn] | list[Piece], at: datetime) -> str | None:
    found = [row.patient for row in rows if row.since <= at < row.until]
    assert len(found) <= 1
    return found[0] if found else None


@given(held(), spans(), patients)
def test_within_the_time_it_is_the_patient_and_around_it_nothing_changes(
    before: list[Worn], span: tuple[datetime, datetime], patient: str | None
) -> None:
    since, until = span
    touched = [row for row in before if row.since < until and row.until > since]
    written = pieces(touched, since, until, patient, BED)
    after = [row for row in before if row not in touched]
    for n in range(HOURS):
        at = hour(n)
        now = (
            wearer(written, at) if any(row.since <= at < row.until for row in written) else wearer(after, at)
        )
        assert now == (patient if since <= at < until else wearer(before, at))


@given(held(), spans(), patients)
def test_every_row_that_is_touched_is_replaced_and_by_rows_within_it(
    before: list[Worn], span: tuple[datetime, datetime], patient: str | None
) -> None:
    since, until = span
    touched = [row for row in before if row.since < until and row.until > since]
    written = pieces(touched, since, until, patient, BED)
    assert {row.id for row in touched} == {row.replaced.id for row in written if row.replaced}
    assert all(row.since < row.until for row in written)
    assert [row.since for row in written] == sorted(row.since for row in written)
    for row in written:
        if row.replaced is None:
            assert row.patient is not None  # the table has no row that says nothing
        else:
            assert row.replaced.since <= row.since < row.until <= row.replaced.until


def test_the_place_stays_unless_another_is_given() -> None:
    row = worn("P-1", 0, 6, BED)
    places = [piece.place for piece in pieces([row], hour(2), hour(4), "P-2", None)]
    assert places == [BED, BED, BED]
    places = [piece.place for piece in pieces([row], hour(2), hour(4), "P-2", HOME)]
    assert places == [BED, HOME, BED]
    assert [piece.place for piece in pieces([row], hour(5), hour(8), "P-2", None)] == [BED, BED, None]

"""Rows of reports before a real database: of which kind one is, and which need not be kept for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from ecgstream.consulting.case import Act
from ecgstream.monitor.read import reports
from ecgstream.registry.roles import role_of
from ecgstream.reports.kind import Kind
from ecgstream.settings import Settings
from ecgstream.store import unsigned
from ecgstream.store.connection import connect
from ecgstream.store.housekeeping import ROLE, keep_house
from tests.system.consulting_world import SINCE, Village
from tests.system.test_consultation import go, village

__all__ = ["village"]


def test_a_report_is_of_the_kind_that_it_was_made_as_however_long_it_is(village: Village) -> None:
    """And none of another kind amends it."""
    short = {"since": SINCE, "until": SINCE + timedelta(seconds=11)}
    of_stretch = village.report("qian", **short)
    resting = village.report("qian", **short, kind=Kind.RESTING, signed=False)
    with pytest.raises(AssertionError, match="amended"):
        village.report("qian", **short, kind=Kind.RESTING, amends=of_stretch)
    newer = village.report("qian", **short, amends=of_stretch)
    with connect(village.url, role=role_of(village.account("qian"))) as reader:
        kinds = {row.report: row.kind for row in reports.of_patient(reader, "P-1")}
        kept = reports.kept(reader, resting)
    assert kinds == {of_stretch: Kind.STRETCH, newer: Kind.STRETCH, resting: Kind.RESTING}
    assert kept is not None
    assert kept.kind is Kind.RESTING


KEPT = Settings(keep_unsigned_days=100)
LATER = timedelta(days=101)


def keep(
    village: Village, settings: Settings = KEPT, after: timedelta = LATER, *, dry_run: bool = False
) -> str:
    """Keep house so much later; return what it says of reports."""
    said: list[str] = []
    with connect(village.url, role=ROLE, autocommit=True) as connection:
        keep_house(connection, settings, said.append, now=datetime.now(UTC) + after, dry_run=dry_run)
    (line,) = [line.split(" (")[0] for line in said if line.startswith("report ")]
    return line.removeprefix("report").split(", older")[0].strip()


def there(village: Village) -> set[UUID]:
    with connect(village.url) as owner:
        return {one for (one,) in owner.execute("SELECT report FROM ecg.report")}


def test_what_nobody_has_signed_goes_with_an_entry_and_all_else_stays(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsigned, "AT_ONCE", 1)
    signed, amended, withdrawn = (
        village.report("qian"),
        village.report("qian"),
        village.report("qian", signed=False),
    )
    amends = village.report("qian", amends=amended)
    case = village.ask()
    go(village, case, "wang", Act.TAKEN)
    answer = village.report("wang")
    go(village, case, "wang", Act.ANSWERED, report=answer)
    unsigned_one, draft = (
        village.report("li", signed=False),
        village.report("qian", signed=False, amends=signed),
    )
    with connect(village.url, role="ecg_web") as web:
        withdraw = "SELECT api.withdraw_report(%s, %s, 'of another')"
        assert web.execute(withdraw, (village.account("qian"), withdrawn)).fetchone() == (True,)
    everything = there(village)
    assert keep(village, Settings()) == "kept for ever"
    assert keep(village, after=LATER - 2 * timedelta(days=1)) == "0 that nobody has signed deleted"
    assert (
        keep(village) == "0 that nobody has signed deleted"
    )  # they are of the stretch of a case that is open
    go(village, case, "li", Act.CLOSED)
    assert keep(village, dry_run=True) == "2 that nobody has signed to delete"
    assert there(village) == everything
    with connect(village.url) as owner:
        query = "SELECT report::text, encode(sha256, 'hex') FROM ecg.report WHERE report = ANY(%s)"
        digests = dict(owner.execute(query, ([unsigned_one, draft],)).fetchall())
    assert keep(village) == "2 that nobody has signed deleted"
    assert there(village) == {signed, amended, amends, withdrawn, answer}
    assert keep(village) == "0 that nobody has signed deleted"
    with connect(village.url) as owner:
        query = (
            "SELECT who, object, detail->>'sha256', path::text FROM ecg.audit_inbox"
            " WHERE kind = 'report' AND action = 'delete'"
        )
        told = owner.execute(query).fetchall()
    assert {object_: digest for _, object_, digest, _ in told} == digests
    assert {(who, path) for who, *_, path in told} == {("housekeeping", "P.C.T.V")}


def test_what_somebody_is_about_to_sign_is_passed_over(village: Village) -> None:
    report = village.report("qian", signed=False)
    with connect(village.url, role="ecg_web") as web:
        sign = "SELECT api.sign_report(%s, %s, (SELECT sha256(%s::bytea)), 'seen')"
        with connect(village.url) as owner:
            (document,) = owner.execute("SELECT document FROM ecg.report").fetchone() or ()
        assert web.execute(sign, (village.account("qian"), report, document)).fetchone() == ("",)
        assert keep(village) == "0 that nobody has signed deleted"
    assert keep(village) == "0 that nobody has signed deleted"
    assert there(village) == {report}


@pytest.mark.parametrize(
    ("role", "statement", "refused"),
    [
        ("", "DELETE FROM ecg.report", psycopg.errors.IntegrityConstraintViolation),
        (
            "",
            "SELECT ecg.forget_reports(now() + interval '1 y', 9)",
            psycopg.errors.IntegrityConstraintViolation,
        ),
        ("", "TRUNCATE ecg.report CASCADE", psycopg.errors.IntegrityConstraintViolation),
        (ROLE, "DELETE FROM ecg.report", psycopg.errors.InsufficientPrivilege),
        (ROLE, "UPDATE ecg.report SET made_at = '-infinity'", psycopg.errors.InsufficientPrivilege),
        (
            "ecg_web",
            "SELECT ecg.forget_reports(now() + interval '1 y', 9)",
            psycopg.errors.InsufficientPrivilege,
        ),
        ("ecg_registry", "DELETE FROM ecg.report", psycopg.errors.InsufficientPrivilege),
    ],
)
def test_nobody_else_deletes_a_report(
    village: Village, role: str, statement: LiteralString, refused: type[Exception]
) -> None:
    report = village.report("li", signed=False)
    with connect(village.url, role=role, autocommit=True) as one, pytest.raises(refused):
        one.execute(statement)
    assert there(village) == {report}


def test_not_even_housekeeping_deletes_what_is_signed(village: Village) -> None:
    """Whatever the rule says: foreign keys hold it."""
    village.report("qian")
    with connect(village.url, autocommit=True) as owner:
        owner.execute(
            "CREATE OR REPLACE FUNCTION ecg.unsigned_reports(before timestamptz) RETURNS SETOF uuid"
            " LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT report FROM ecg.report'"
        )
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        keep(village)
    assert len(there(village)) == 1

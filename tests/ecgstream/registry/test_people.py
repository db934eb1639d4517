"""People from files, and what an import would do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.people import Oidc, Person, Position, oidc
from ecgstream.registry.people_csv import plan, read
from ecgstream.registry.roles import LIMITS, Kind

AT_H = Position(Kind.CLINIC, "H")
ISSUER = "https://login.example"


def lines(path: Path, *rows: str, head: str = "account,name,kind,facility,oidc_issuer,oidc_subject") -> Path:
    path.write_text("\n".join((head, *rows)), "utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "staff.csv"


def test_a_line_is_a_position(file: Path) -> None:
    found = read(
        lines(
            file,
            "li,李,clinic,H,,",
            f"wang,王伟,,,{ISSUER},7f3a",
            "li,李,expert,S,,",
            "zhao, Zhao ,operator,H,,",
        )
    )
    assert found == [
        (2, Person("li", "李", (AT_H, Position(Kind.EXPERT, "S")))),
        (3, Person("wang", "王伟", (), Oidc(ISSUER, "7f3a"))),
        (5, Person("zhao", "Zhao", (Position(Kind.OPERATOR, "H"),))),
    ]
    assert read(lines(file, "li,李", head="account,name")) == [(2, Person("li", "李"))]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (["Li,x,,,,"], "line 2: account"),
        (["li,=SUM(A1),,,,"], "line 2: name: begins like a formula"),
        (["li,x,boss,H,,"], "line 2: kind: 'boss' is none of clinic"),
        (["li,x,clinic,,,"], "line 2: facility"),
        (["li,x,,H,,"], "line 2: kind"),
        (["li,x,,,http://login.example,a"], "line 2: oidc_issuer"),
        (["li,x,,,https://login.example?a=b,a"], "line 2: oidc_issuer"),
        (["li,x,,,https://login.example,"], "line 2: oidc_subject"),
        (["li,x,,,,a"], "line 2: oidc_issuer"),
        (["li,x,,,https://login.example,a b"], "line 2: oidc_subject"),
        (["li,x,clinic,H,,", "li,y,expert,H,,"], "line 3: account li has another name"),
        (["li,x,clinic,H,,", "li,x,clinic,H,,"], "line 3: account li has this position"),
        (["li,x,,,https://l.example,a", "wang,y,,,https://l.example,a"], "line 3: the subject belongs"),
    ],
)
def test_faults_are_told_by_line_without_names(file: Path, rows: list[str], why: str) -> None:
    with pytest.raises(RegistryErrors) as raised:
        read(lines(file, *rows))
    assert why in str(raised.value)
    assert "SUM" not in str(raised.value)


def test_all_faults_are_told_at_once(file: Path) -> None:
    with pytest.raises(RegistryErrors) as raised:
        read(lines(file, "Li,,boss,H,x,y", "wang,Wang,clinic,H,,"))
    assert [line for line, _ in raised.value.found] == [2, 2, 2, 2]


def test_what_an_import_does() -> None:
    stays = Person("stays", "Stays", (AT_H,), password=True)
    now = [stays, Person("li", "Li", (AT_H,), Oidc(ISSUER, "1")), Person("other", "Other")]
    wanted = [
        (2, Person("stays", "Stays", (AT_H,))),
        (3, Person("li", "Li Ming", (Position(Kind.EXPERT, "S"),))),
        (4, Person("new", "New", (AT_H,))),
    ]
    found = plan(now, wanted, {"H", "S"})
    assert found.added == (wanted[2][1],)
    assert found.changed == (Person("li", "Li Ming", (AT_H,), Oidc(ISSUER, "1")),)  # keeps what is not told
    assert found.placed == (("li", Position(Kind.EXPERT, "S")),)
    assert found.unchanged == 1


def test_an_import_needs_facilities_and_subjects_that_are_free() -> None:
    now = [Person("li", "Li", oidc=Oidc(ISSUER, "1"))]
    wanted = [(2, Person("wang", "Wang", (AT_H,))), (3, Person("zhao", "Zhao", oidc=Oidc(ISSUER, "1")))]
    with pytest.raises(RegistryErrors) as raised:
        plan(now, wanted, {"S"})
    assert [line for line, _ in raised.value.found] == [2, 3]
    exchanged = [(2, Person("li", "Li", oidc=Oidc(ISSUER, "2"))), wanted[1]]
    assert len(plan(now, exchanged, set()).changed) == 1  # who has it now gives it up in the same file


@given(st.text(max_size=60), st.text(max_size=300))
def test_a_subject_is_taken_or_refused_in_words(issuer: str, subject: str) -> None:
    try:
        found = oidc(issuer, subject)
    except RegistryError:
        return
    assert found is None or (found.issuer.startswith("https://") and found.subject.isascii())
    assert (found is None) == (not issuer.strip() and not subject.strip())


def test_every_kind_has_limits() -> None:
    assert {*LIMITS} == {*Kind}
    assert all(number > 0 for limits in LIMITS.values() for number in limits)

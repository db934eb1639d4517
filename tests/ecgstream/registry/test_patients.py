"""Patients in CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgstream.registry import csv_file
from ecgstream.registry.csv_file import Encoding
from ecgstream.registry.errors import RegistryErrors
from ecgstream.registry.identity import Kind
from ecgstream.registry.patient_csv import parse, rows
from ecgstream.registry.patients import NewPatient
from schemas.records import Category, News2, Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "patients.csv"


def read(file: Path, encoding: Encoding = "utf-8") -> list[NewPatient]:
    return csv_file.gather(rows(file, encoding=encoding), parse)


def test_what_is_left_out_has_its_default(file: Path) -> None:
    file.write_text("facility\nA\n\nB\n")
    adult = Settings(Category.ADULT, paced=False)
    assert read(file) == [NewPatient("A", adult, {}, 2), NewPatient("B", adult, {}, 4)]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_all_columns_in_any_order(file: Path, encoding: Encoding) -> None:
    columns = "name,paced,facility,category,telephone,national_id,record_number"
    file.write_bytes(f"{columns}\n 王小明 ,YES,A,Neonate,0371,,ZY-1\n".encode(encoding))
    assert read(file, encoding) == [
        NewPatient(
            "A",
            Settings(Category.NEONATE, paced=True),
            {Kind.NAME: "王小明", Kind.RECORD_NUMBER: "ZY-1", Kind.TELEPHONE: "0371"},
            2,
        )
    ]


@pytest.mark.parametrize(
    ("told", "news2"),
    [("", News2.OFF), ("off", News2.OFF), ("Scale-1", News2.SCALE_1), (" scale-2 ", News2.SCALE_2)],
)
def test_whether_a_score_is_kept(file: Path, told: str, news2: News2) -> None:
    file.write_text(f"facility,category,news2\nA,adult,{told}\n")
    assert [one.settings for one in read(file)] == [Settings(Category.ADULT, paced=False, news2=news2)]


def test_no_score_is_kept_of_a_child_and_a_scale_must_be_one(file: Path) -> None:
    file.write_text("facility,category,news2\nA,neonate,scale-1\nA,paediatric,off\nA,adult,scale-3\n")
    with pytest.raises(RegistryErrors) as refused:
        read(file)
    (line, why), other = refused.value.found
    assert line == 2
    assert "for adults only, here from 16 years on and not pregnant: leave it off" in why
    assert other == (4, "news2: is none of off, scale-1, scale-2")


def test_everything_wrong_is_listed_by_line_and_kind_and_no_value_is_repeated(file: Path) -> None:
    file.write_text(
        "facility,category,paced,name,national_id,record_number,telephone\n"
        "SECRET NAME,SECRET,SECRET,=SECRET(),110105194912310021,1.1E+17,\n"
        "A,,,SECRET\u202eSECRET,,,(/)\n"
        "A,ADULT,no,ok,SECRET" + "x" * 10_000 + ",,\n"
    )
    with pytest.raises(RegistryErrors) as refused:
        read(file)
    assert refused.value.found == (
        (2, "facility: is no code of 1 to 32 ASCII letters, digits, hyphens or underscores"),
        (2, "category: is none of ADULT, PAEDIATRIC, NEONATE"),
        (2, "paced: is neither yes nor no"),
        (2, "name: begins like a formula of a spreadsheet"),
        (2, "national_id: does not fit its check digit (GB 11643)"),
        (2, "record_number: a spreadsheet has rounded it: give the cell the format “text”"),
        (3, "name: holds a character that reverses the direction of reading"),
        (3, "telephone: holds no letter or digit"),
        (4, "national_id: has 10,006 characters, at most 40 are allowed"),
    )


def test_a_patient_shows_no_identifier() -> None:
    new = NewPatient("A", Settings(Category.ADULT, paced=False), {Kind.NAME: "王小明"})
    assert "王" not in repr(new)

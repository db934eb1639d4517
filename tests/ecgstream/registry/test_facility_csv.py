"""Facilities in CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgstream.registry import facility_csv
from ecgstream.registry.csv_file import Encoding
from ecgstream.registry.errors import RegistryErrors
from ecgstream.registry.facilities import Facility, Kind, parse
from ecgstream.registry.henan import henan

HEAD = "code,parent,level,kind,name_en,name_zh,time_zone,contact\n"


def read(path: Path, encoding: Encoding = "utf-8") -> tuple[list[Facility], list[int]]:
    return facility_csv.gather(facility_csv.rows(path, encoding=encoding))


def test_what_is_exported_is_what_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "tree.csv"
    tree = henan(1300)
    assert facility_csv.write(path, tree[::-1]) == 1300
    found, lines = read(path)
    assert sorted(found, key=str) == sorted(tree, key=str)
    assert lines == list(range(2, 1302))
    first = path.read_bytes()
    facility_csv.write(path, found)
    assert path.read_bytes() == first


names = st.text(
    st.characters(categories=["L", "M", "N", "P", "S", "Zs"], exclude_characters="\ufffd"), max_size=50
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(Kind), names, names, names)
def test_any_text_comes_back(tmp_path: Path, kind: Kind, en: str, zh: str, contact: str) -> None:
    path = tmp_path / "tree.csv"
    texts = {"code": "R", "parent": "", "level": "city", "kind": kind, "time_zone": "Etc/UTC"}
    facility = parse({**texts, "name_en": "x" + en, "name_zh": "县" + zh, "contact": "," + contact})
    facility_csv.write(path, [facility])
    assert read(path) == ([facility], [2])


def test_gb18030(tmp_path: Path) -> None:
    path = tmp_path / "tree.csv"
    path.write_bytes((HEAD + "R,,province,authority,,河南省,Asia/Shanghai,\n").encode("gb18030"))
    (found,), lines = read(path, "gb18030")
    assert found.name_zh == "河南省"
    assert lines == [2]


def test_faults_of_all_lines_are_listed_by_line(tmp_path: Path) -> None:
    path = tmp_path / "tree.csv"
    path.write_text(
        HEAD
        + "R,,international,centre,Root,,Etc/UTC,\n"
        + "A B,R,city,pub,A,,Asia/Shanghai,\n"
        + "B,R\n"
        + "C,R,city,hospital,,,Nowhere,\n"
    )
    with pytest.raises(RegistryErrors) as refused:
        read(path)
    assert [where for where, _ in refused.value.found] == [3, 3, 4, 5, 5]
    said = str(refused.value)
    for word in ("code: 'A B'", "kind: 'pub'", "2 fields", "time_zone: 'Nowhere'", "name_zh are empty"):
        assert word in said


def test_every_column_must_be_there(tmp_path: Path) -> None:
    """A column that is missing would empty a field of every facility."""
    path = tmp_path / "tree.csv"
    path.write_text("code,parent,level,kind,name_en,name_zh,time_zone\n")
    with pytest.raises(RegistryErrors, match="contact is missing"):
        read(path)

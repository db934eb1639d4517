"""CSV files in and out."""

from __future__ import annotations

import csv
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgstream.registry import csv_file
from ecgstream.registry.csv_file import Row, gather, read, write
from ecgstream.registry.errors import RegistryError, RegistryErrors

COLUMNS = ("code", "name")
File = Callable[[bytes], Path]


@pytest.fixture
def file(tmp_path: Path) -> File:
    def made(content: bytes) -> Path:
        path = tmp_path / "in.csv"
        path.write_bytes(content)
        return path

    return made


def error(path: Path, **more: object) -> str:
    with pytest.raises(RegistryError) as refused:
        list(read(path, COLUMNS, ("note",), **more))  # type: ignore[arg-type]
    return str(refused.value)


anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(anything, anything, anything)))
def test_what_is_written_is_read_again(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    path = tmp_path / "out.csv"
    columns = ("a", "b", "c")
    assert write(path, columns, rows) == len(rows)
    found = [tuple(row.fields[name] for name in columns) for row in read(path, columns)]
    assert found == [row for row in rows if "".join(row).strip()]


def test_written_after_rfc_4180_for_spreadsheets(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write(path, COLUMNS, [("a", 'say "hi", 中')])
    assert path.read_bytes() == b'\xef\xbb\xbfcode,name\r\na,"say ""hi"", \xe4\xb8\xad"\r\n'


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def rows() -> object:
        yield ("a", "b")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write(path, COLUMNS, rows())  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    for where in (tmp_path, tmp_path / "none" / "x.csv", path / "x.csv"):
        with pytest.raises(RegistryError):
            write(where, COLUMNS, [])


def test_columns_in_any_order_and_lines_counted(file: File) -> None:
    path = file(b'\xef\xbb\xbf name ,code\n"a\nb",1\r\n\r\n , \nc,2')
    assert list(read(path, COLUMNS, ("note",))) == [
        Row(2, {"name": "a\nb", "code": "1", "note": ""}),
        Row(6, {"name": "c", "code": "2", "note": ""}),
    ]


def test_gb18030_is_read_where_it_is_named(file: File) -> None:
    content = "code,name\n1,郑州市\U0002ebf0\n".encode("gb18030")
    (row,) = read(file(content), COLUMNS, encoding="gb18030")
    assert row.fields["name"] == "郑州市\U0002ebf0"
    said = error(file(content))
    assert "line 2" in said
    assert "--encoding gb18030" in said


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        ("code,name\n1,中\n".encode("utf-16"), "utf-8", ["UTF-16"]),
        ("code,name\n1,中\n".encode("utf-16-le"), "utf-8", ["zero byte", "UTF-16"]),
        ("code,name\n1,a\n2,é\n".encode("latin-1"), "utf-8", ["line 3", "byte 3", "0xE9", "--encoding"]),
        ("code,name\n1,郑州市\n2,县二院\n".encode(), "gb18030", ["line 2"]),
        ("code,name\n1,洛阳市\n".encode("utf-8-sig"), "gb18030", ["UTF-8"]),
        ("code,name\n1,中心医院\n".encode(), "gb18030", ["UTF-8", "leave --encoding out"]),
        (b"code,name\n1,\xff\n", "gb18030", ["line 2", "--encoding utf-8"]),
        (b"code,name\n1,a\0b\n", "utf-8", ["line 2", "zero byte"]),
        (b"", "utf-8", ["empty"]),
        (b"\n\n", "utf-8", ["empty"]),
        (b"code;name\n1;2\n", "utf-8", ["code is missing", "semicolons"]),
        (b"code,nmae,nmae\n", "utf-8", ["'nmae'", "name is missing", "note (optional)"]),
        (b"code,name,code\n", "utf-8", ["code is there twice"]),
        (b'code,name\n1,"a"b\n', "utf-8", ["line 2", "RFC 4180"]),
        (b'code,name\n1,"a\n2,b\n', "utf-8", ["line 2", "RFC 4180"]),
        (b"code,name\r1,a\r", "utf-8", ["line 1", "RFC 4180"]),
        (b"code,name\n1," + b"x" * 200_000 + b"\n", "utf-8", ["line 2", "field limit"]),
        (b'code,name\n1,"' + b"x\n" * 1_000_000, "utf-8", ["line 2", "field limit"]),
        (b"code,name\n" + b"," * 2_000_000, "utf-8", ["line 2", "1,048,576 bytes"]),
        (b"code,name\n" + b'"\n",' * 500_000, "utf-8", ["1,048,576 bytes", "quotation mark"]),
    ],
)
def test_a_file_that_cannot_be_meant(file: File, content: bytes, encoding: str, words: list[str]) -> None:
    said = error(file(content), encoding=encoding)
    for word in words:
        assert word in said
    assert len(said) < 600


def test_a_first_record_in_the_place_of_the_header_is_not_repeated(file: File) -> None:
    said = error(file("张伟,410105198001011234\n".encode()))
    assert "code is missing" in said
    assert "张" not in said
    assert "4101" not in said


def test_no_file(tmp_path: Path) -> None:
    assert "No such file" in error(tmp_path / "none.csv")
    assert "directory" in error(tmp_path)


def test_all_ragged_lines_are_listed(file: File) -> None:
    path = file(b"code,name\n1\n2,b\n3,c,d\n")
    seen = []
    with pytest.raises(RegistryErrors) as refused:
        seen.extend(read(path, COLUMNS))
    assert [where for where, _ in refused.value.found] == [2, 4]
    assert len(seen) == 1


def test_refusals_of_the_reader_and_of_the_caller_come_together(file: File) -> None:
    def whole(row: Row) -> int:
        if row.fields["code"] == "many":
            raise RegistryErrors([("code", "bad"), ("name", "worse")])
        try:
            return int(row.fields["code"])
        except ValueError:
            raise RegistryError("no number") from None

    path = file(b"code,name\nx,a\n2\nmany,b\n7,c\n")
    with pytest.raises(RegistryErrors) as refused:
        gather(read(path, COLUMNS), whole)
    assert refused.value.found == (
        (2, "no number"),
        (3, "1 fields, but the first line names 2 columns"),
        (4, "bad"),
        (4, "worse"),
    )
    assert gather(read(file(b"code,name\n7,c\n"), COLUMNS), whole) == [7]


def test_a_million_rows_and_not_one_more(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    assert csv_file.MAX_ROWS == 1_000_000
    monkeypatch.setattr(csv_file, "MAX_ROWS", 3)
    assert len(list(read(file(b"code,name\n" + b"1,a\n" * 3), COLUMNS))) == 3
    assert "line 5: more than 3 records" in error(file(b"code,name\n" + b"1,a\n" * 4))


def test_memory_does_not_grow_with_the_file(file: File) -> None:
    path = file(b"code,name\n" + b"12345678,abcdefgh\n" * 200_000)
    tracemalloc.start()
    assert sum(1 for _ in read(path, COLUMNS)) == 200_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["utf-8", "gb18030"]), st.booleans())
def test_any_bytes_are_rows_or_a_clear_error(
    tmp_path: Path, content: bytes, encoding: str, head: bool
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"code,name\n" * head + content)
    try:
        rows = list(read(path, COLUMNS, encoding=encoding))  # type: ignore[arg-type]
    except RegistryError:
        return
    assert all(set(row.fields) == set(COLUMNS) for row in rows)


def test_the_process_wide_field_limit_is_as_python_has_it() -> None:
    assert csv.field_size_limit() == 131_072

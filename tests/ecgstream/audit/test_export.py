"""An export is as it was sealed and signed, or it is said what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecgstream.audit import archive, export
from ecgstream.audit.chain import NOTHING
from ecgstream.audit.errors import AuditError
from ecgstream.audit.keys import fingerprint
from ecgstream.audit.read import Filter
from tests.ecgstream.audit.chains import Made


def written(path: Path, made: Made) -> Path:
    before = [NOTHING, *(entry.hash for entry in made.entries)]
    export.write(path, zip(made.entries, before, strict=False), Filter(who="li"), made.key)
    return path


def test_it_is_checked_with_the_file_and_the_key_alone(tmp_path: Path) -> None:
    made = Made().grow(6)
    found = export.check(written(tmp_path / "log.zip", made), fingerprint(made.key.public))
    assert found.about["entries"] == len(made.entries)
    assert found.about["filter"] == {"who": "li"}
    assert (found.about["first"], found.about["last"]) == (0, len(made.entries) - 1)


def test_an_entry_that_is_not_as_it_was_sealed_is_named_whoever_signed(tmp_path: Path) -> None:
    made = Made().grow(6)
    made.entries[3] = made.entries[3]._replace(content=made.entries[3].content.replace("li", "xu"))
    with pytest.raises(AuditError, match="entry 3 is not as it was sealed"):
        export.check(written(tmp_path / "log.zip", made))


@pytest.mark.parametrize(
    "line", [b"", b"{}\n", b"[]\n", b'{"seq": 1}\n', b"\xff\n", b"[" * 100_000 + b"\n", b'{"seq": 1e400}\n']
)
def test_a_line_that_cannot_be_read_is_one_clear_line(tmp_path: Path, line: bytes) -> None:
    made = Made().grow(3)
    path = tmp_path / "log.zip"
    about = {"entries": 1, "first": 0, "last": 0, "filter": {}}
    archive.write(path, export.KIND, about, {export.ENTRIES: line}, made.key)
    with pytest.raises(AuditError, match=r"cannot be read|entries where"):
        export.check(path)


def test_fewer_entries_than_are_named_are_told(tmp_path: Path) -> None:
    made = Made().grow(3)
    path = tmp_path / "log.zip"
    one = made.entries[0]
    said = {"seq": 0, "before": NOTHING.hex(), "content": one.content, "hash": one.hash.hex()}
    lines = json.dumps(said, ensure_ascii=False).encode() + b"\n"
    archive.write(path, export.KIND, {"entries": 2}, {export.ENTRIES: lines}, made.key)
    with pytest.raises(AuditError, match="1 entries where 2 are named"):
        export.check(path)

"""``ecgstream report``: what is refused before a database is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecgstream.commands.report import report, stretch
from ecgstream.registry.errors import RegistryError
from ecgstream.settings import Settings

DAY = {"begin": "2026-11-27T08:00:00Z", "end": "2026-11-28T08:00:00Z"}
NOWHERE = Settings(database="")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"file": Path("day.doc")}, "NAME.pdf, NAME.json or NAME.fhir.json"),
        ({"begin": "yesterday"}, "--from: .* is no time"),
        ({"end": "2026-11-28T08:00:00"}, "no offset from UTC"),
        ({"end": DAY["begin"]}, "one minute to 14 days"),
        ({"end": "2026-12-28T08:00:00Z"}, "one minute to 14 days"),
        ({"patient": "P-ABCDEFGHIJ"}, "one of --device and --patient"),
        ({"device": "", "patient": "王 小明"}, "this is no pseudonym"),
        ({}, "no database address"),
    ],
)
def test_it_is_said_what_is_wrong_and_no_name_repeated(
    changed: dict[str, object], said: str, tmp_path: Path
) -> None:
    asked: dict[str, object] = {"device": "mon-17", "file": tmp_path / "day.pdf", **DAY, **changed}
    file = asked.pop("file")
    with pytest.raises(SystemExit, match=said) as raised:
        report(file, **asked, settings=NOWHERE)
    assert "小明" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_whole_minutes_count() -> None:
    first, last = stretch("2026-11-28T10:00:00.5Z", "2026-11-28T12:00:59+01:00")
    assert (first, last) == (
        datetime(2026, 11, 28, 10, 1, tzinfo=UTC),
        datetime(2026, 11, 28, 11, tzinfo=UTC),
    )
    with pytest.raises(RegistryError):
        stretch("2026-11-28T10:00:01Z", "2026-11-28T10:01:59Z")

"""``ecgstream export``: what is refused before a database is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgstream.commands.export import export
from ecgstream.settings import Settings

NIGHT = {"begin": "2026-11-27T20:00:00Z", "end": "2026-11-28T06:00:00Z"}
NOWHERE = Settings(database="")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"begin": "yesterday"}, "--from: .* is no time"),
        ({"end": NIGHT["begin"]}, "up to 24 hours"),
        ({"end": "2026-11-28T20:00:01Z"}, "up to 24 hours"),
        ({"patient": "P-ABCDEFGHIJ"}, "one of --device and --patient"),
        ({"device": "", "patient": "王 小明"}, "this is no pseudonym"),
        ({"name": "night.xml"}, r"\.xml is not a file of edf"),
        ({"name": "there"}, "there is there already"),
        ({"name": "folder.edf"}, "folder.edf is a folder"),
        ({"name": "nowhere/night"}, "no such folder"),
        ({}, "no database address"),
    ],
)
def test_it_is_said_what_is_wrong_and_no_name_repeated(
    changed: dict[str, str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "folder.edf").mkdir()
    asked: dict[str, str] = {"device": "mon-17", "name": "night", "format": "edf", **NIGHT, **changed}
    target = tmp_path / asked.pop("name")
    with pytest.raises(SystemExit, match=said) as raised:
        export(target, **asked, settings=NOWHERE)
    assert "小明" not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.edf", "there"]

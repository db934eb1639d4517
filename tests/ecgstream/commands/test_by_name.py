"""A command that is imported when it is called has a line in the list, and its own words by itself."""

from __future__ import annotations

import pytest

from ecgstream.cli import app


def helped(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        app([*argv, "--help"])
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("argv", "line", "own"),
    [
        (["receive"], "Take what they send.", "ecgstream receive --http 127.0.0.1:8095"),
        (["roster"], "Who is on duty, and whom a page goes to.", "Times are those of the team's zone."),
        (["roster", "test"], "tell how far it comes.", "ecgstream roster test henan --by li"),
        (["alert", "budget"], "Count alerts, and how many", "ecgstream alert budget --days 7"),
    ],
)
def test_the_list_has_a_line_and_the_command_its_own_words(
    argv: list[str], line: str, own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = helped(argv[:-1], capsys).replace("│", "").split()
    assert line.split()[0] in listed
    assert own in helped(argv, capsys)

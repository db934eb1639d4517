"""The line of a personal code, from the command to the file of codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgstream.commands.person import app
from ecgstream.web.codes import Codes


def code(account: str, file: Path) -> None:
    app(["code", account, "--file", str(file)], exit_on_error=False, result_action="return_value")


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    file = tmp_path / "typed"
    file.write_text("428617\n")
    return file


def test_what_it_prints_on_stdout_is_a_line_of_the_file(
    typed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code("li", typed)
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    assert "428617" not in out
    codes = tmp_path / "codes"
    codes.touch(mode=0o600)
    codes.write_text(out)
    assert Codes(codes).match("li", "428617")


@pytest.mark.parametrize(("account", "chosen"), [("li", "123456"), ("li", "4286"), ("Li Wei", "428617")])
def test_an_account_that_is_none_or_a_code_that_is_easily_guessed_makes_no_line(
    account: str, chosen: str, typed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed.write_text(chosen)
    with pytest.raises(SystemExit) as found:
        code(account, typed)
    assert capsys.readouterr().out == ""
    assert chosen not in str(found.value)

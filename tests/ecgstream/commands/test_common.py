"""What every command of the registry does alike."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from uuid import UUID

import pytest
from rich.text import Text
from rich.tree import Tree

from ecgstream.commands.common import acting, clear_errors, confirm, print_tree, progress, show
from ecgstream.registry.errors import RegistryError, RegistryErrors

ROWS = [
    {"name": "[bold]郑州[/bold] :smile: %s", "n": 3, "at": datetime(2026, 7, 1, tzinfo=UTC)},
    {"name": "x\x1b[31m", "n": None, "at": None},
]


def test_a_table_takes_texts_literally_and_is_as_wide_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, json=False)
    assert capsys.readouterr().out.splitlines() == [
        "name                          n  at",
        "[bold]郑州[/bold] :smile: %s  3  2026-07-01 00:00:00+00:00",
        "x?[31m",
    ]
    show([{"long": "x" * 5000}], json=False)
    assert "x" * 5000 in capsys.readouterr().out
    show([], json=False, columns=("a", "b"))
    assert capsys.readouterr().out == "a  b\n"


def test_json_is_one_array_in_utf_8(capsys: pytest.CaptureFixture[str]) -> None:
    show([*ROWS, {"id": UUID(int=1)}], json=True)
    out = capsys.readouterr().out
    assert "郑州" in out
    assert json.loads(out) == [
        {"name": "[bold]郑州[/bold] :smile: %s", "n": 3, "at": "2026-07-01T00:00:00+00:00"},
        {"name": "x\x1b[31m", "n": None, "at": None},
        {"id": "00000000-0000-0000-0000-000000000001"},
    ]
    show([], json=True, columns=("a",))
    assert json.loads(capsys.readouterr().out) == []


def test_a_tree_takes_texts_literally(capsys: pytest.CaptureFixture[str]) -> None:
    tree = Tree(Text("[bold]郑州[/bold]"))
    tree.add(Text(":smile:" * 500))
    print_tree(tree)
    assert capsys.readouterr().out == "[bold]郑州[/bold]\n└── " + ":smile:" * 500 + "\n"


SHOW = "from ecgstream.commands.common import show; show([{'name': '郑州'}] * %d, json=%s)"


def run(code: str, encoding: str) -> bytes:
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, capture_output=True, timeout=60, check=True, env={"PYTHONIOENCODING": encoding}
    )
    assert ran.stderr == b""
    return ran.stdout


def test_any_encoding_of_the_terminal_will_do() -> None:
    assert run(SHOW % (1, False), "gb18030").decode("gb18030") == "name\n郑州\n"
    assert run(SHOW % (1, False), "ascii") == b"name\n\\u90d1\\u5dde\n"
    assert json.loads(run(SHOW % (1, True), "ascii")) == [{"name": "郑州"}]


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-c", SHOW % (100_000, False)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.readline()
    program.stdout.close()
    said = program.stderr.read()
    program.stderr.close()
    assert (program.wait(60), said) == (0, b"")


def test_refusals_end_the_program_in_words() -> None:
    with pytest.raises(SystemExit) as end, clear_errors():
        raise RegistryErrors([(2, "no name"), (3, "no code")])
    assert end.value.code == "ecgstream: 2 errors:\n  line 2: no name\n  line 3: no code"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_destroys_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    confirm("Remove it?", yes=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(RegistryError, match="add --yes"):
        confirm("Remove it?", yes=False)
    for answer in ("y\n", "Yes\n"):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        confirm("Remove it?", yes=False)
    assert capsys.readouterr().err == "Remove it? [y/N] " * 2
    for answer in ("n\n", "\n", "", "yep\n"):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        with pytest.raises(RegistryError, match="nothing was changed"):
            confirm("Remove it?", yes=False)


def test_who_acts_has_the_name_of_an_account() -> None:
    assert acting("li_ops") == "li_ops"
    with pytest.raises(RegistryError, match="--by: "):
        acting("Li; DROP")


def test_progress_passes_everything_on_and_is_silent_where_no_terminal_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(progress(iter(range(5)), "Reading")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr() == ("", "")

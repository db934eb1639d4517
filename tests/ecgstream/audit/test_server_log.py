"""Following a folder of log files: whatever is done to the files, each whole line comes once."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.audit.errors import AuditError
from ecgstream.audit.server_log import BLOCK, HEAD, ServerLog


class Server:
    """What writes the files: every line has a number, as PostgreSQL's have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[bytes] = []
        self.half = b""
        self._file = 0
        self._at_ns = 10**18

    @property
    def file(self) -> Path:
        return self.folder / f"postgresql-{self._file}.json"

    def _write(self, data: bytes) -> None:
        with self.file.open("ab") as file:
            file.write(data)
        self._at_ns += 10**9
        os.utime(self.file, ns=(self._at_ns, self._at_ns))

    def line(self, more: bytes = b"") -> None:
        whole = b"%d %s" % (len(self.written), more)
        self._write(whole[len(self.half) :] + b"\n" if self.half else whole + b"\n")
        self.half = b""
        self.written.append(whole)

    def begin_line(self) -> None:
        if not self.half:
            self.half = b"%d" % len(self.written)
            self._write(self.half)

    def rotate(self) -> None:
        if not self.half:
            self._file += 1

    def rename(self) -> None:
        if self.file.exists() and not self.half:
            self.file.rename(self.folder / f"old-{len(self.written)}-{self._file}.json")
            self._file += 1


class Reader:
    """What reads them, and may be started anew from where it was noted to be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at: dict[str, int] = {}
        self.lines: list[bytes] = []
        self.again()

    def again(self) -> None:
        self.log = ServerLog(self._folder, lambda file: self._at.get(file, 0))

    def look(self) -> None:
        for piece in self.log.pieces():
            assert self._at.get(piece.file, 0) == piece.since < piece.until
            self._at[piece.file] = piece.until
            self.lines += piece.lines


@given(
    st.lists(st.sampled_from(["line", "line", "begin_line", "rotate", "rename", "look", "again", "empty"]))
)
def test_each_whole_line_comes_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    server = Server(tmp_path_factory.mktemp("log"))
    reader = Reader(server.folder)
    for act in acts:
        if act in ("look", "again"):
            getattr(reader, act)()
        elif act == "empty":  # as log_truncate_on_rotation does, once all was read
            reader.look()
            if server.file.exists() and not server.half:
                os.truncate(server.file, 0)
        else:
            getattr(server, act)()
    reader.look()
    assert reader.lines == server.written
    reader.look()
    assert len(reader.lines) == len(server.written)


def test_a_file_that_was_emptied_and_is_longer_again_is_another(tmp_path: Path) -> None:
    server, reader = Server(tmp_path), Reader(tmp_path)
    server.line()
    reader.look()
    os.truncate(server.file, 0)
    for _ in range(3):
        server.line()
    reader.look()
    assert reader.lines == server.written


def test_a_line_longer_than_memory_may_hold_is_cut_and_what_follows_it_comes(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.line()
    server.line(b"x" * 100 * BLOCK)
    server.line()
    log = ServerLog(tmp_path, lambda _: 0)
    tracemalloc.start()
    try:
        pieces = list(log.pieces())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 6 * BLOCK
    assert [(piece.is_cut, len(piece.lines)) for piece in pieces] == [(False, 1), (True, 1), (False, 1)]
    assert len(pieces[1].lines[0]) == HEAD
    assert [piece.since for piece in pieces[1:]] == [piece.until for piece in pieces[:-1]]


def test_a_long_line_without_an_end_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"x" * (3 * BLOCK))
    log = ServerLog(tmp_path, lambda _: 0)
    assert list(log.pieces()) == []
    with file.open("ab") as more:
        more.write(b"\n")
    (piece,) = log.pieces()
    assert piece.is_cut


def test_what_is_no_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgresql.log").write_text("text\n")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "elsewhere").write_text("1\n")
    (tmp_path / "link.json").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe.json")
    assert list(ServerLog(tmp_path, lambda _: 0).pieces()) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="none: No such file"):
        list(ServerLog(tmp_path / "none", lambda _: 0).pieces())

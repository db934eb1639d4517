"""A recording that came as bytes is read apart, published whole, and leaves nothing behind."""

import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices.errors import FullError, MessageError, ReaderError
from devices.files.desk import Desk
from devices.files.read import read
from devices.source import NS
from schemas.records import Enrolment
from tests.devices.files.ecg import START_NS
from tests.devices.files.test_publish import FIXTURE, Kept

CART = Enrolment("cart-3", "cart", "cn", 5, (), b"", "", disabled=False, changed_ns=1)


class Spool(Kept):
    """Counts what was refused."""

    refused = 0

    def refuse(self) -> None:
        self.refused += 1


class Reader:
    """Reads in this process; in one thread at a time, or it says so."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.paths: list[Path] = []
        self.closed = False
        self._free = threading.Lock()

    def read(self, path: Path, **more: Any) -> Any:
        assert self._free.acquire(blocking=False)
        self.paths.append(path)
        try:
            if self.error is not None:
                raise self.error
            return read(path, **more)
        finally:
            self._free.release()

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def desk(spool: Spool, reader: Reader) -> Desk:
    return Desk("gw", spool, None, reader, lambda: START_NS + 3600 * NS)  # type: ignore[arg-type]


def test_it_is_published_as_the_devices_and_the_file_is_gone(tmp_path: Path) -> None:
    spool, reader = Spool(), Reader()
    with desk(spool, reader) as made:
        found = made.take(CART, FIXTURE.read_bytes(), None)
    assert found.start_ns == START_NS
    assert {(p.device, p.session) for p in spool.packets()} == {("cart-3", START_NS)}
    assert spool.writes[-1][2] is not None
    assert list(tmp_path.iterdir()) == []
    assert reader.closed
    assert spool.refused == 0


def test_one_is_read_at_a_time_whoever_asks() -> None:
    spool, reader = Spool(), Reader()
    with desk(spool, reader) as made:
        devices = [replace(CART, device=f"cart-{n}") for n in range(4)]
        body = FIXTURE.read_bytes()
        threads = [threading.Thread(target=made.take, args=(d, body, None)) for d in devices]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {p.device for p in spool.packets()} == {d.device for d in devices}


def test_what_cannot_be_read_is_refused_counted_and_gone(tmp_path: Path) -> None:
    spool = Spool()
    with desk(spool, Reader()) as made, pytest.raises(MessageError, match="no format of ECGs"):
        made.take(CART, b"Neverwas, Madeup", None)
    assert spool.refused == 1
    assert spool.writes == []
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_does_not_start_refuses_nothing() -> None:
    spool = Spool()
    with (
        desk(spool, Reader(ReaderError("it does not start"))) as made,
        pytest.raises(FullError, match="does not start"),
    ):
        made.take(CART, FIXTURE.read_bytes(), None)
    assert spool.refused == 0

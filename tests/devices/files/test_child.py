"""Whatever a file does to the process that reads it, the next file is read all the same."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from devices.errors import MessageError, ReaderError
from devices.files import child
from devices.files.child import FileReader, Limits
from devices.files.read import read
from devices.files.wire import head_of
from tests.devices.files.ecg import START_NS, twelve_leads
from tests.devices.files.make_fixtures import FOLDER
from tests.devices.files.misbehaviour import DIE, EAT, HANG, PRINT, RAISE, obedient
from tests.devices.files.scp import Lead, scp

GOOD = FOLDER / "aecg.xml"
MEMORY = 2**28


@pytest.fixture(scope="module")
def reader() -> Iterator[FileReader]:
    with FileReader(Limits(memory_bytes=MEMORY, seconds=20.0), reader=obedient) as found:
        yield found


def order(folder: Path, content: bytes) -> Path:
    path = folder / "Neverwas"
    path.write_bytes(content)
    return path


def is_read(reader: FileReader) -> None:
    source = reader.read(GOOD, device="ecg-1", shard=3)
    here = read(GOOD, device="ecg-1", shard=3)
    assert repr(source) == repr(here)
    assert head_of(source) == head_of(here)
    for there, wave in zip(source.sessions[0].waves, here.sessions[0].waves, strict=True):
        assert there.samples.tobytes() == wave.samples.tobytes()


def test_a_process_reads_file_after_file(reader: FileReader) -> None:
    is_read(reader)
    source = reader.read(FOLDER / "holter.ecg", device="h", shard=0, zone=ZoneInfo("Europe/Rome"))
    assert (source.start_ns, source.device) == (START_NS, "h")
    is_read(reader)


@pytest.mark.parametrize("what", [EAT, DIE, RAISE], ids=["memory", "death", "error"])
def test_a_file_that_costs_the_process_costs_no_other_file(
    reader: FileReader, tmp_path: Path, what: bytes
) -> None:
    with pytest.raises(MessageError, match="the end of the process") as refusal:
        reader.read(order(tmp_path, what), device="d", shard=0)
    assert "Neverwas" not in str(refusal.value)
    is_read(reader)


def test_a_file_that_hangs_is_given_up(tmp_path: Path) -> None:
    with FileReader(Limits(memory_bytes=MEMORY, seconds=5.0), reader=obedient) as reader:
        with pytest.raises(MessageError, match="more than 5 s"):
            reader.read(order(tmp_path, HANG), device="d", shard=0)
        is_read(reader)


def test_a_refusal_leaves_the_process_as_it_is(reader: FileReader, tmp_path: Path) -> None:
    with pytest.raises(MessageError, match="no format of ECGs"):
        reader.read(order(tmp_path, b"a text"), device="d", shard=0)
    is_read(reader)


def test_a_length_that_would_take_32_gb_is_refused(reader: FileReader, tmp_path: Path) -> None:
    ecg = twelve_leads(seconds=1.0)
    leads = [Lead(1, 2**32 - 1, i + 1) for i in range(len(ecg.leads))]
    with pytest.raises(MessageError, match="more memory than there is"):
        reader.read(order(tmp_path, scp(ecg, huffman=True, leads=leads)), device="d", shard=0)
    is_read(reader)


def test_what_a_library_prints_is_dropped(
    reader: FileReader, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reader.read(order(tmp_path, PRINT + b"\n" + str(GOOD).encode()), device="d", shard=0)
    assert capfd.readouterr() == ("", "")


def test_a_process_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_READY", b"another word")
    with FileReader(Limits(), reader=obedient) as reader, pytest.raises(ReaderError, match="does not start"):
        reader.read(GOOD, device="d", shard=0)

"""What ``ecgstream import`` takes, says of it and refuses; files are read in this process here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from devices.enrolment import Enrolments
from devices.files.read import read
from ecgstream import importing
from ecgstream.commands.files import import_
from ecgstream.importing import Wanted, wanted_of
from ecgstream.settings import Settings
from schemas.records import Enrolment
from tests.devices.files.ecg import IDENTITY, START_NS
from tests.devices.files.test_publish import Kept, numbers

FILES = Path(__file__).resolve().parents[2] / "fixtures" / "devices" / "files"
MADE = sorted(path for path in FILES.iterdir() if path.suffix not in (".json", ".md"))
DICOM, NO_ZONE = FILES / "twelve-lead.dcm", FILES / "muse-like.xml"
CART = Enrolment("cart-3", "cart", "cn", 5, (), b"", "", disabled=False, changed_ns=1)
SETTINGS = Settings(kafka="nowhere:1")


class Reader:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, path: Path, **more: Any) -> Any:
        return read(path, **more)


class Publisher(Kept):
    refused = 0

    def start(self) -> None:
        pass

    def refuse(self) -> None:
        self.refused += 1

    def waiting(self) -> int:
        return 0

    def settled(self, patience_s: float) -> bool:
        return True


class Follower:
    def __init__(self, *enrolled: Enrolment) -> None:
        self.enrolments = Enrolments().changed((e.device, e) for e in enrolled)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Publisher:
    made = Publisher()

    @contextmanager
    def edge(_settings: Settings, _name: str) -> Iterator[tuple[Publisher, Follower]]:
        yield made, Follower(CART)

    monkeypatch.setattr(importing, "edge", edge)
    monkeypatch.setattr(importing, "FileReader", Reader)
    return made


def wanted(*files: Path, device: str = "cart-3", start: str = "", zone: str = "") -> Wanted:
    return wanted_of(files, device, start, zone, "gw-import")


def run(*files: Path, **more: str) -> object:
    with pytest.raises(SystemExit) as end:
        importing.run(SETTINGS, wanted(*files, **more))
    return end.value.code


@pytest.mark.parametrize(
    ("files", "flags", "said"),
    [
        ([], {}, "no file is named, and no folder to --watch"),
        ([DICOM], {"device": ""}, "--device names whose files they are"),
        ([DICOM], {"device": "a b"}, "--device names whose files they are"),
        ([DICOM, NO_ZONE], {"start": "2026-11-28T10:00:00Z"}, "--start is of one file"),
        ([DICOM], {"start": "2026-11-28T10:00:00"}, "a moment has the form"),
        ([DICOM], {"zone": "Mars/Base"}, "--zone Mars/Base is no time zone, as Asia/Shanghai is"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_what_to_do(
    files: list[Path], flags: dict[str, str], said: str
) -> None:
    with pytest.raises(SystemExit, match=said):
        wanted(*files, **flags)


def test_a_folder_is_watched_as_a_whole() -> None:
    with pytest.raises(SystemExit, match="do not go with --watch"):
        import_([DICOM], watch=FILES)
    with pytest.raises(SystemExit, match="no kafka address"):
        import_(watch=FILES, settings=Settings(kafka=""))


def test_a_dry_run_says_what_would_be_taken_and_takes_nothing(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        import_([DICOM, NO_ZONE], device="cart-3", dry_run=True)
    assert end.value.code == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{DICOM}: would be taken as of cart-3: DICOM, I II III aVR aVL aVF V1 V2 V3 V4 V5 V6; "
        "2 s at 500 Hz, from 2026-03-29T07:30:15+00:00",
        "  left out: 12 derived leads: median beats, or computed by the device",
        f"{NO_ZONE}: would be refused: it does not say when it began, or not in which zone: "
        "its start must be given",
    ]
    assert publisher.writes == []


def test_each_file_is_a_line_and_one_that_is_refused_costs_no_other(
    publisher: Publisher, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"Neverwas")
    assert run(DICOM, bad, FILES / "plain.scp") == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("  ")]
    assert [line.split(": ")[1] for line in lines] == ["taken as of cart-3", "refused", "taken as of cart-3"]
    assert {(p.device, p.session) for p in publisher.packets()} == {("cart-3", START_NS)}
    assert [end is not None for _, _, end in publisher.writes] == [True, True]


def test_the_same_file_twice_is_the_same_packets(publisher: Publisher) -> None:
    assert run(DICOM, DICOM) == 0
    first, second = ([numbers(p) for b in bundles for p in b.packets()] for _, bundles, _ in publisher.writes)
    assert first == second


def test_a_start_or_a_zone_is_given_where_the_file_has_none(publisher: Publisher) -> None:
    assert run(NO_ZONE, start="2026-03-29T09:30:15+02:00") == 0
    assert run(NO_ZONE, zone="Europe/Berlin") == 0
    assert {p.session for p in publisher.packets()} == {START_NS}


def test_nothing_of_the_patient_is_said_or_sent(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        importing.look(wanted(*MADE, zone="Europe/Berlin"))
    assert run(*MADE, zone="Europe/Berlin") == 0
    told = capsys.readouterr()
    sent = [b.encode() for _, bundles, _ in publisher.writes for b in bundles]
    for word in IDENTITY:
        assert word not in told.out + told.err
        assert not [value for value in sent if word.encode() in value]


def test_files_of_a_device_that_is_not_enrolled_are_not_taken(publisher: Publisher) -> None:
    assert "cart-4 is not enrolled: `ecgstream device enrol cart-4" in str(run(DICOM, device="cart-4"))
    assert publisher.writes == []


def test_a_spool_that_is_full_ends_it(publisher: Publisher) -> None:
    publisher.room = False
    assert "the spool takes no more now" in str(run(DICOM))

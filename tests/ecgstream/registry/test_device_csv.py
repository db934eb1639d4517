"""Devices in CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgstream.registry import device_csv
from ecgstream.registry.devices import Device, Kind
from ecgstream.registry.errors import RegistryError
from schemas import mdc

LEADS = (mdc.LEADS["I"], mdc.LEADS["V1"])
DEVICES = [
    Device("mon-1", "H1", Kind.PATCH, LEADS, 5, 'CN=监护仪\\, \\"1\\",C=CN', disabled=True),
    Device("mon,2", "H2", Kind.HOLTER, (), 0, None, disabled=False),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "devices.csv"


def test_out_and_in(file: Path) -> None:
    assert device_csv.write(file, DEVICES) == 2
    assert device_csv.gather(device_csv.rows(file)) == (DEVICES, [2, 3])


def test_optional_columns_may_be_missing(file: Path) -> None:
    file.write_text("kind,device,leads,facility\nholter,mon-1,I V1,H1\n")
    assert device_csv.gather(device_csv.rows(file))[0] == [Device("mon-1", "H1", Kind.HOLTER, LEADS)]


def test_everything_wrong_is_said_with_its_line(file: Path) -> None:
    file.write_text("device,facility,kind,leads\n,H1,holter,\nmon 1,H1,holter,\nmon-1,H1,toaster,XX\nmon-2\n")
    with pytest.raises(RegistryError) as refused:
        device_csv.gather(device_csv.rows(file))
    assert [line.split(":")[0].strip() for line in str(refused.value).splitlines()] == [
        *("5 errors", "line 2", "line 3", "line 4", "line 4", "line 5")
    ]


def test_a_wrong_encoding(file: Path) -> None:
    file.write_bytes(
        "device,facility,kind,leads,certificate_subject\nm,H1,patch,I,CN=郑州\n".encode("gb18030")
    )
    with pytest.raises(RegistryError, match="Try --encoding gb18030"):
        device_csv.gather(device_csv.rows(file))
    (device,), _ = device_csv.gather(device_csv.rows(file, encoding="gb18030"))
    assert device.certificate_subject == "CN=郑州"

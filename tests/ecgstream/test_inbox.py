"""A watched folder takes what is put there for a device, and names no file and no folder."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ecgstream import inbox
from ecgstream.inbox import DeviceInboxes
from ecgstream.metrics import Health
from schemas.records import Enrolment
from tests.devices.files.ecg import IDENTITY
from tests.ecgstream.test_importing import CART, DICOM, NO_ZONE, SETTINGS, Follower, Publisher, Reader


def watched(folder: Path, publisher: Publisher, *enrolled: Enrolment) -> DeviceInboxes:
    parts: Any = (Reader(), publisher, Follower(*enrolled), Health())
    return DeviceInboxes(folder, None, "gw-import", *parts)


def test_a_watched_folder_takes_what_is_put_there_and_names_no_file(tmp_path: Path) -> None:
    publisher = Publisher()
    for device, name, file in (
        ("cart-3", "Neverwas.dcm", DICOM),
        ("cart-3", "Madeup.xml", NO_ZONE),
        ("Neverwas", "a.dcm", DICOM),
    ):
        (tmp_path / device).mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / device / name)
    boxes = watched(tmp_path, publisher, CART)
    with capture_logs() as log:
        for now_s in (0.0, 10.0, 20.0):
            boxes.step(now_s)
    assert sorted((line["event"], line.get("device", "")) for line in log) == [
        ("files wait", ""),
        ("refused", "cart-3"),
        ("taken", "cart-3"),
    ]
    assert not [word for word in IDENTITY if word in str(log)]
    assert {p.device for p in publisher.packets()} == {"cart-3"}
    assert publisher.refused == 1
    assert (tmp_path / "cart-3" / "done" / "Neverwas.dcm").exists()
    why = tmp_path / "cart-3" / "refused" / "Madeup.xml.why.txt"
    assert "its start must be given" in why.read_text()
    assert (tmp_path / "Neverwas" / "a.dcm").exists()


def test_it_is_ready_where_its_folder_is(tmp_path: Path) -> None:
    boxes = watched(tmp_path, Publisher())
    boxes.step(0.0)
    assert boxes._health.is_ready
    tmp_path.rmdir()
    with pytest.raises(FileNotFoundError):
        boxes.step(1.0)
    assert not boxes._health.is_ready


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no such folder"):
        inbox.run(SETTINGS, tmp_path / "none", None, "gw-import")


def test_a_device_that_is_disabled_is_said_once_and_taken_when_it_is_enabled(tmp_path: Path) -> None:
    publisher = Publisher()
    (tmp_path / "cart-3").mkdir()
    shutil.copy(DICOM, tmp_path / "cart-3")
    boxes = watched(tmp_path, publisher, replace(CART, disabled=True))
    with capture_logs() as log:
        boxes.step(0.0)
        boxes.step(10.0)
        boxes._follower = Follower(CART)  # type: ignore[assignment]
        boxes.step(20.0)
        boxes.step(30.0)
    assert [line["event"] for line in log] == ["files wait", "taken"]
    assert "cart-3 is disabled: `ecgstream device enable cart-3`" in log[0]["why"]

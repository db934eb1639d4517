"""What is measured seldom is there though the monitor began after it: as old as it is, of nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from ecgstream.monitor.live import frames
from ecgstream.monitor.live import hub as module
from ecgstream.monitor.live.device import Device
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.view import Bed, Watch
from schemas import mdc
from schemas.records import Vital
from tests.ecgstream.monitor.live.log import Log
from tests.ecgstream.monitor.live.ward import NS, SESSION, vital

NOW = SESSION + 3600 * NS
PRESSURES = ((mdc.NIBP_SYS, 120.0), (mdc.NIBP_DIA, 80.0), (mdc.NIBP_MEAN, 93.0))


def measured(device: str, at_ns: int = SESSION) -> list[Vital]:
    return [vital(device, code, value, at_ns) for code, value in PRESSURES]


def told(device: Device) -> dict[str, Any]:
    device.tell_numbers()
    (frame,) = frames.decode(device.numbers_frame)
    assert isinstance(frame, frames.Told)
    return dict(frame.content["numbers"])


def test_it_is_as_old_as_it_is_by_a_clock_that_is_not_ahead() -> None:
    device = Device(1)
    device.recall([*measured("d"), vital("d", mdc.TEMPERATURE, 38.2, NOW + 900 * NS)], NOW)
    assert told(device) == {"nibp": [120, 80, 93, SESSION / 1e6], "temp": [38.2, NOW / 1e6]}


def test_what_has_come_since_holds() -> None:
    device = Device(1)
    device.measure(vital("d", mdc.NIBP_SYS, 140.0, SESSION + NS), SESSION + NS)
    device.recall([*measured("d"), vital("d", mdc.TEMPERATURE, 38.2)], NOW)
    assert told(device)["nibp"][0] == 140
    assert told(device)["temp"][0] == 38.2


@pytest.mark.parametrize(("since_ms", "is_shown"), [(None, True), (SESSION / 1e6 + 1, False)])
def test_each_device_is_asked_of_once_and_a_share_shows_nothing_older(
    since_ms: float | None, is_shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECALLED_AT_ONCE", 2)
    hub = Hub(Log().reader, 1, lambda: NOW)
    names = ["a", "b", "c"]
    assert hub.unrecalled(names) == ["a", "b"]
    hub.recall(["a", "b"], measured("a"))
    assert hub.unrecalled(names) == ["c"]
    with hub.viewing({"a": Bed("Bed 1", "p-1", "R", since_ms)}) as view:
        hub.show(view, [Watch("a")])
        found = frames.decode(view.take(1e6, is_current=True))
    numbers = [
        f.content["numbers"] for f in found if isinstance(f, frames.Told) and f.kind is frames.Kind.NUMBERS
    ]
    assert ["nibp" in one for one in numbers] == [is_shown]

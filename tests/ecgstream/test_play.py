"""Only devices that are enrolled play, each in its shard, and only as long as they may."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from devices.enrolment import Enrolments
from devices.errors import NotAdmittedError
from devices.source import Session, Source, Wave
from ecgstream.play import admit, demo_devices
from schemas import mdc
from schemas.records import Enrolment

ENROLLED = Enrolment("dev-1", "monitor", "cn", 9, (), b"", "", disabled=False, changed_ns=1)
DISABLED = replace(ENROLLED, disabled=True, changed_ns=2)


class Following:
    def __init__(self, *known: Enrolment) -> None:
        self.enrolments = Enrolments()
        self.tell(*known)

    def tell(self, *known: Enrolment) -> None:
        self.enrolments = self.enrolments.changed((e.device, e) for e in known)


def source(device: str) -> Source:
    wave = Wave("II", mdc.ECG, 0, 0, 100.0, 200.0, np.zeros(1000, np.int16))
    return Source(device, 0, "Test", simulated=True, sessions=(Session((wave,)),))


def admitted(sources: list[Source], follower: Any) -> list[Source]:
    return admit(sources, follower, patience_s=0)


def test_a_device_plays_in_the_shard_it_is_enrolled_in() -> None:
    (found,) = admitted([source("dev-1")], Following(ENROLLED))
    assert (found.device, found.shard, found.label) == ("dev-1", 9, "Test")
    assert list(map(repr, found.emissions(1))) == list(map(repr, source("dev-1").emissions(1)))


def test_all_that_may_not_play_are_named_with_what_helps() -> None:
    following = Following(replace(DISABLED, device="dev-2"), ENROLLED)
    with pytest.raises(NotAdmittedError) as found:
        admitted([source("dev-1"), source("dev-2"), source("dev-3")], following)
    assert str(found.value) == (
        "dev-2 is disabled: `ecgstream device enable dev-2`; "
        "dev-3 is not enrolled: `ecgstream device enrol dev-3 …`"
    )


def test_a_device_that_is_disabled_meanwhile_is_silent_until_it_is_enabled() -> None:
    following = Following(ENROLLED)
    (found,) = admitted([source("dev-1")], following)
    playing = found.emissions(1)
    assert [next(playing).at_s for _ in range(3)] == [1.0, 2.0, 3.0]
    following.tell(DISABLED)
    assert list(playing) == []
    following.tell(replace(ENROLLED, changed_ns=3))
    assert len(list(found.emissions(1))) == 10


def test_the_demo_devices_are_known_without_simulating_them() -> None:
    found = demo_devices(None)
    assert len(found) == len(set(found)) == 8

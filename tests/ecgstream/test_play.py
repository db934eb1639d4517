"""Only devices that are enrolled play, each in its shard, and only as long as they may."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from devices.enrolment import Enrolments
from devices.errors import NotAdmittedError
from devices.shipper import Shipped
from devices.source import Session, Source, Wave
from ecgstream import edge, gateway_metrics, play
from ecgstream.broker.errors import BrokerError
from ecgstream.edge import kafka_is_there
from ecgstream.play import admit, demo_devices
from ecgstream.settings import Settings
from schemas import mdc
from schemas.records import Enrolment, GatewayStatus

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


def test_a_broker_that_is_away_does_not_keep_a_gateway_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "KAFKA_PATIENCE_S", 0.0)
    assert not kafka_is_there(Settings(kafka="127.0.0.1:1"))


def test_a_broker_that_refuses_us_ends_the_gateway_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise BrokerError("user gw-1 may not WRITE TOPIC ecg.ingest: an admin must run …")

    monkeypatch.setattr(edge, "check", refuse)
    with pytest.raises(SystemExit, match="ecgstream gateway: user gw-1 may not WRITE"):
        kafka_is_there(Settings(kafka="127.0.0.1:1"))


@pytest.mark.parametrize("name", ["", "../gw", "a b", "x" * 65])
def test_a_gateways_name_names_its_files(name: str) -> None:
    with pytest.raises(SystemExit, match="a gateway's name is 1 to 64 letters"):
        play.run(Settings(kafka="127.0.0.1:1"), play.Wanted(gateway=name))


def test_metrics_are_what_was_counted_since_the_start() -> None:
    status = GatewayStatus("gw", 5, 8, 12, 3400, 4, 2, 6, 77, "1.2", 40, 2.5, 1.5, 3, 99, 2)
    for shipped in (Shipped(3, 1000), Shipped(5, 1700)):
        gateway_metrics.show(status, shipped)
    found = {
        name: REGISTRY.get_sample_value(f"ecgstream_gateway_{name}")
        for name in ("bundles_total", "bytes_total", "refused_total", "spooled_records", "disk_free_bytes")
    }
    lost = [
        REGISTRY.get_sample_value(f"ecgstream_gateway_lost_{name}_total")
        for name in ("numbers", "wave_seconds", "ecg_seconds", "records")
    ]
    assert lost == [40, 2.5, 1.5, 3]
    assert REGISTRY.get_sample_value("ecgstream_gateway_clocks_off") == 2
    assert found == {
        "bundles_total": 5,
        "bytes_total": 1700,
        "refused_total": 6,
        "spooled_records": 12,
        "disk_free_bytes": 77,
    }

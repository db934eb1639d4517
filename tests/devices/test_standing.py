"""What a gateway says of itself: early, at once, then once a minute, and when it is over."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from devices.counts import Held
from devices.spool import Spool
from devices.standing import Disk, Standing
from devices.tally import Lost
from schemas.records import GatewayStatus
from tests.devices.test_clock import packet

GB = 10**9
NS = 10**9
HELD = Held(12, 3_400_000, 77)
LOST = Lost(40, 2.5, 1.5, 3)
"""By an earlier process."""


class Log:
    def __init__(self) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, text: str, **figures: Any) -> None:
        self.said.append(("info", text, figures))

    def warning(self, text: str, **figures: Any) -> None:
        self.said.append(("warning", text, figures))

    def error(self, text: str, **figures: Any) -> None:
        self.said.append(("error", text, figures))


class Told:
    def __init__(self) -> None:
        self.log = Log()
        self.disk = Disk(100 * GB, 50 * GB)
        self.standing = Standing(
            "gw", "1.2", Path("spool"), lost=LOST, disk=lambda _: self.disk, log=self.log
        )

    def say(
        self, now_s: float, *, away: str = "", trouble: str = "", lost: Lost = LOST
    ) -> list[tuple[str, str, dict[str, Any]]]:
        self.log.said.clear()
        self.standing.say(now_s, HELD, lost, away=away, trouble=trouble)
        return list(self.log.said)


@pytest.fixture
def told() -> Told:
    return Told()


def test_while_all_is_well_nothing_is_said(told: Told) -> None:
    assert told.say(0) == told.say(1000) == []


def test_an_absent_kafka_is_said_at_once_and_then_once_a_minute_with_what_waits(told: Told) -> None:
    ((level, text, figures),) = told.say(0, away="no broker answers")
    assert level == "warning"
    assert "Kafka takes nothing" in text
    assert figures == {
        "why": "no broker answers", "spooled_records": 12, "spooled_mb": 3.4, "disk_free_mb": 50_000,
    }  # fmt: skip
    assert told.say(59, away="no broker answers") == []
    assert [level for level, _, _ in told.say(60, away="another reason")] == ["warning"]
    ((level, text, _),) = told.say(65)
    assert (level, text) == ("info", "Kafka takes data again")
    assert told.say(70) == []
    assert len(told.say(71, away="again")) == 1


@pytest.mark.parametrize(
    ("disk", "level"),
    [
        (Disk(100 * GB, 20 * GB), []),
        (Disk(100 * GB, 19 * GB), ["warning"]),
        (Disk(4 * GB, 99 * GB // 100), ["warning"]),
        (Disk(100 * GB, 4 * GB), ["error"]),
    ],
)
def test_a_disk_that_is_getting_full_is_said_early(told: Told, disk: Disk, level: list[str]) -> None:
    told.disk = disk
    assert [said[0] for said in told.say(0)] == level
    assert [said[0] for said in told.say(30)] == []
    assert [said[0] for said in told.say(61)] == level


def test_worse_is_said_before_the_minute_is_over(told: Told) -> None:
    told.disk = Disk(100 * GB, 10 * GB)
    assert [said[0] for said in told.say(0)] == ["warning"]
    told.disk = Disk(100 * GB, GB)
    assert [said[0] for said in told.say(5)] == ["error"]


def test_a_spool_that_cannot_be_written_is_an_error(told: Told) -> None:
    ((level, text, figures),) = told.say(0, trouble="disk I/O error")
    assert (level, figures["why"]) == ("error", "disk I/O error")
    assert "kept in memory" in text


def test_the_record_counts_devices_of_the_last_minute(told: Told, tmp_path: Path) -> None:
    told.standing.hear(["a", "b"], 10 * NS)
    told.standing.hear(["b", "c"], 60 * NS)
    told.standing.refused = 3
    with closing(Spool(tmp_path / "gw.spool")) as spool:
        spool.tally.lose(LOST)
        spool.tally.lost_ns = 66
        assert told.standing.status(75 * NS, HELD, 4, spool.tally) == GatewayStatus(
            "gw", 75 * NS, 2, 12, 3_400_000, 77, 4, 3, 50 * GB, "1.2", 40, 2.5, 1.5, 3, 66
        )


def test_what_is_lost_is_an_error_until_nothing_more_was_for_a_minute(told: Told) -> None:
    assert told.say(0) == []
    more = Lost(41, 2.5, 1.5, 3)
    ((level, text, figures),) = told.say(5, lost=more)
    assert (level, figures["lost"]) == ("error", {"numbers": 41, "wave_s": 2.5, "ecg_s": 1.5, "records": 3})
    assert "data of devices are lost" in text
    assert told.say(60, lost=more) == []
    more = Lost(42, 2.5, 1.5, 3)
    assert [said[0] for said in told.say(64, lost=more)] == []
    assert [said[0] for said in told.say(70, lost=more)] == ["error"]
    ((level, text, _),) = told.say(125, lost=more)
    assert (level, text) == ("info", "nothing more is lost")


def test_a_device_whose_clock_is_off_is_said_and_counted(told: Told, tmp_path: Path) -> None:
    for s in range(200):
        told.standing.time(packet(s, ahead_s=7.0 if s < 90 else 0.0))
    assert [(level, figures) for level, _, figures in told.log.said] == [
        ("warning", {"device": "a", "ahead_s": 6.9}),
        ("info", {"device": "a"}),
    ]
    for s in range(200, 300):
        told.standing.time(packet(s, ahead_s=7.0))
    with closing(Spool(tmp_path / "gw.spool")) as spool:
        assert told.standing.status(75 * NS, HELD, 4, spool.tally).clocks_off == 1

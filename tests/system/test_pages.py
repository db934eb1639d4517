"""Pages over a real HTTP receiver, with a pager that is killed, a channel that fails, and no database."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.records import AlertState, NotificationState, Phase
from tests.alerts.receiver import Answer, Receiver, hang_up, say_nothing, status
from tests.system.pager_ward import PagerProcess, Ward, condition, serving, until

FAILURES = [hang_up, status(500), status(503), status(429), say_nothing]


@pytest.fixture
def ward(kafka: str) -> Iterator[Ward]:
    made = Ward(kafka)
    yield made
    made.producer.close()


class Moody(Receiver):
    """A receiver that fails about every third time; sometimes after it has taken the page."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)  # noqa: S311

    def next_answer(self, page: dict[str, Any]) -> Answer:
        return self._random.choice(FAILURES) if self._random.random() < 0.3 else status(200)


class Hanging(Receiver):
    """A receiver that takes nothing until it is mended."""

    def __init__(self) -> None:
        super().__init__()
        self.mended = threading.Event()

    def next_answer(self, page: dict[str, Any]) -> Answer:
        return status(200) if self.mended.is_set() else say_nothing


class Refusing(Receiver):
    """A receiver that wants nothing of one ward."""

    def __init__(self, ward: str) -> None:
        super().__init__()
        self._ward = ward

    def next_answer(self, page: dict[str, Any]) -> Answer:
        return status(404 if page["device"].startswith(self._ward) else 200)


def codes(n: int) -> str:
    return ("ASYSTOLE", "SPO2_LOW", "LEAD_OFF")[n % 3]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_pager_that_is_killed_loses_no_page_and_repeats_none(ward: Ward, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    kills = set(chance.sample(range(5, 115), 5))
    devices = [ward.device(n) for n in range(120)]
    with Moody(seed) as receiver:
        pager = PagerProcess(ward.settings, receiver.url, tmp_path / "log")
        try:
            until(lambda: "alerts_rebuilt" in (tmp_path / "log").read_text())
            for n, device in enumerate(devices):
                ward.send(condition(device, Phase.ONSET, 4, codes(n)))
                if n % 4 == 0:
                    ward.send(condition(device, Phase.END, 9, codes(n)))
                time.sleep(chance.random() * 0.05)  # a stream of them, rather than a heap
                if n in kills:
                    pager.kill()
                    pager.start()
            wanted = {d: "RAISED" for n, d in enumerate(devices) if codes(n) != "LEAD_OFF"}
            until(lambda: ward.paged(receiver) == wanted, lambda: set(wanted) - set(ward.paged(receiver)))
            for n, device in enumerate(devices):
                ward.send(condition(device, Phase.END, 9, codes(n)))
            over = {
                d: AlertState.LATCHED if codes(n) == "ASYSTOLE" else AlertState.ENDED
                for n, d in enumerate(devices)
            }
            until(lambda: ward.alerts() == over)
            until(lambda: ward.log() == Counter({NotificationState.SENT: len(wanted)}), ward.log)
        finally:
            ended = pager.end()
        assert ended == 0, (tmp_path / "log").read_text()
        raised = {device: set() for device in devices}
        for alert in ward.written():
            raised[alert.device].add(alert.raised_ns)
        assert all(len(times) == 1 for times in raised.values())
        keys = {key for key, page in receiver.raw if page["device"] in wanted}
        assert len(keys) == len(wanted)
        assert "secret-token" not in (tmp_path / "log").read_text()


def test_while_the_channel_hangs_alerts_go_on_and_its_pages_come_when_it_is_back(ward: Ward) -> None:
    with Hanging() as receiver, serving(ward.pager(receiver.url)):
        ward.send(condition(ward.device(0), Phase.ONSET, 4, "SPO2_LOW"))
        until(lambda: len(receiver.raw) > 0)
        for n in range(1, 40):
            ward.send(condition(ward.device(n), Phase.ONSET, 4, "ASYSTOLE"))
        until(lambda: len(ward.alerts()) == 40)
        until(lambda: ward.log() == Counter({NotificationState.DUE: 40}))
        assert receiver.pages == {}
        receiver.mended.set()
        until(lambda: len(ward.paged(receiver)) == 40)
        until(lambda: ward.log() == Counter({NotificationState.SENT: 40}))


def test_a_page_that_the_receiver_refuses_is_given_up_aloud(ward: Ward, tmp_path: Path) -> None:
    with Refusing(ward.name) as receiver:
        pager = PagerProcess(ward.settings, receiver.url, tmp_path / "log")
        try:
            ward.send(condition(ward.device(), Phase.ONSET, 4))
            until(lambda: ward.log() == Counter({NotificationState.FAILED: 1}))
        finally:
            assert pager.end() == 0
    said = (tmp_path / "log").read_text()
    assert "page_given_up" in said
    assert "reason=refused" in said


# -- what a person types


def alert(ward: Ward, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")}
    return subprocess.run(
        [sys.executable, "-m", "ecgstream", "alert", *words],
        env=clean | {"ECGSTREAM_KAFKA": ward.settings.kafka},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def listed(ward: Ward, *words: str) -> dict[str, dict[str, Any]]:
    said = alert(ward, "list", "--device", ward.device(), "--json", *words)
    assert said.returncode == 0, said.stderr
    return {row["condition"]: row for row in json.loads(said.stdout)}


def test_an_alert_is_seen_and_acknowledged_without_a_database(ward: Ward, tmp_path: Path) -> None:
    device = ward.device()
    with Receiver() as receiver:
        pager = PagerProcess(ward.settings, receiver.url, tmp_path / "log")
        try:
            ward.send(condition(device, Phase.ONSET, 4))
            ward.send(condition(device, Phase.ONSET, 5, "LEAD_OFF"))
            until(lambda: len(ward.written()) == 2)
            until(lambda: ward.paged(receiver) == {device: "RAISED"})
            shown = alert(ward, "list", "--device", device).stdout.splitlines()
            assert [line.split()[0] for line in shown[1:]] == ["!!!", "!"]
            found = listed(ward)
            assert {row["state"] for row in found.values()} == {"ACTIVE"}
            wanted = found["ASYSTOLE"]["alert"]
            said = alert(ward, "acknowledge", wanted[:13], "--by", "li", "--reason", "at the bedside")
            assert (said.returncode, said.stdout) == (0, "")
            assert said.stderr.startswith("acknowledged at ")
            row = listed(ward)["ASYSTOLE"]
            assert (row["state"], row["acknowledged_by"], row["reason"]) == (
                "ACKNOWLEDGED",
                "li",
                "at the bedside",
            )
            said = alert(ward, "acknowledge", wanted, "--by", "wang", "--reason", "me too")
            assert said.stderr.startswith("acknowledged already by li (at the bedside) at ")
            ward.send(condition(device, Phase.END, 9))
            until(lambda: "ASYSTOLE" not in listed(ward))
            assert listed(ward, "--all")["ASYSTOLE"]["state"] == "ENDED"
        finally:
            assert pager.end() == 0


def test_an_acknowledgement_without_a_pager_is_kept_until_there_is_one(ward: Ward, tmp_path: Path) -> None:
    with Receiver() as receiver:
        with serving(ward.pager(receiver.url)):
            ward.send(condition(ward.device(), Phase.ONSET, 4))
            until(lambda: len(ward.written()) == 1)
        id_ = ward.written()[0].id
        said = alert(ward, "acknowledge", id_, "--by", "li", "--reason", "seen")
        assert said.returncode == 0
        assert said.stderr.startswith("written down; the pager has not answered yet")
        with serving(ward.pager(receiver.url)):
            until(lambda: ward.alerts() == {ward.device(): AlertState.ACKNOWLEDGED})


def test_what_is_wrong_is_one_line(ward: Ward) -> None:
    for words, says in (
        (("acknowledge", "ffffffff-ffff", "--by", "li", "--reason", "seen"), "no alert begins with"),
        (("acknowledge", "abcd", "--by", "Li", "--reason", "seen"), "--by"),
        (("list", "--kafka", "127.0.0.1:nowhere"), "is no address"),
    ):
        said = alert(ward, *words)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1), said.stderr
        assert says in said.stderr

"""A page that nobody answers, from a published roster to the back-up and the team, over a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecgstream.commands import alert as alert_command
from ecgstream.commands import roster as roster_command
from schemas import topics
from schemas.records import Phase
from tests.alerts.receiver import Receiver
from tests.system.command import Command
from tests.system.pager_ward import PagerProcess, Ward, condition, until

ROSTER = """
version = 1
fallback = "centre"

[[person]]
account = "li"

[[person]]
account = "wang"

[[team]]
name = "centre"
region = "cn"
zone = "Asia/Shanghai"
members = ["li", "wang"]
backup = ["wang"]
escalate_after_s = { high = [3, 6] }

[[weekly]]
team = "centre"
person = "li"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
"""


@pytest.fixture
def ward(kafka: str) -> Iterator[Ward]:
    made = Ward(kafka)
    yield made
    # Other tests' pagers follow the same topic.
    made.producer.send(topics.ROSTER.name, None, key=b"roster", partition=0).get(10)
    made.producer.close()


def test_who_is_on_duty_is_called_then_the_back_up_then_the_team_until_somebody_takes_it_on(
    ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGSTREAM_KAFKA", ward.settings.kafka)
    file = tmp_path / "roster.toml"
    file.write_text(ROSTER)
    said = Command(roster_command.app, "", capsys)
    assert "published: version" in said("publish", file, "--by", "li")[1]
    assert "published by li" in said("told")[1]
    with Receiver() as receiver:
        pager = PagerProcess(ward.settings, receiver.url, tmp_path / "log")
        try:
            until(lambda: "alerts_rebuilt" in (tmp_path / "log").read_text())
            ward.send(condition(ward.device(), Phase.ONSET, 4))
            until(lambda: len(calls(receiver, ward)) >= 2)
            pager.kill()  # calls go on where they were
            pager.start()
            until(lambda: len(calls(receiver, ward)) >= 4, lambda: calls(receiver, ward))
            (found,) = ward.written()[-1:]
            told = Command(alert_command.app, "", capsys)
            assert "acknowledged at" in told("acknowledge", found.id, "--by", "wang", "--reason", "I go")[1]
            out, _ = told("show", found.id)
            assert "CALLED" in out
            assert "I go" in out
        finally:
            ended = pager.end()
    assert ended == 0, (tmp_path / "log").read_text()
    team = [("CALL 3", "li"), ("CALL 3", "wang")]
    assert sorted(calls(receiver, ward)) == [("CALL 2", "wang"), *team, ("RAISED", "li")]


def calls(receiver: Receiver, ward: Ward) -> list[tuple[str, str]]:
    """What was told, and whom, of this ward's alerts; repeats by key are left out."""
    pages = list(receiver.pages.values())
    return [(page["what"], page["account"]) for page in pages if page["device"].startswith(ward.name)]

"""A village clinic asks, its township passes it up, its county answers: over a real broker and pager."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from ecgstream import clients
from ecgstream.commands import consult as consult_command
from ecgstream.commands import roster as roster_command
from ecgstream.consulting.calls import tell
from ecgstream.registry import metrics
from ecgstream.registry.teller import Teller
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from schemas import topics
from schemas.codec import decode_as
from schemas.records import Acknowledgement
from tests.alerts.receiver import Receiver
from tests.system.command import Command
from tests.system.consulting_world import QUESTION, SINCE, UNTIL, Village
from tests.system.pager_ward import PagerProcess, Ward, until

HEAD = 'version = 1\nfallback = "province"\n'
PERSON = '[[person]]\naccount = "{}"\n'
TEAM = """
[[team]]
name = "{name}"
region = "{region}"
zone = "Asia/Shanghai"
members = ["{first}", "{second}"]
backup = ["{second}"]

[[weekly]]
team = "{name}"
person = "{first}"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
"""
ON_DUTY = {"province": ("P", "qian", "auditor"), "county": ("C", "sun", "gu"), "town": ("T", "wang", "zhao")}
ASK = ("--from", SINCE.isoformat(), "--to", UNTIL.isoformat())


@pytest.fixture
def village(plain_postgres_url: str, new_database: Callable[[str], str]) -> Iterator[Village]:
    url = new_database(plain_postgres_url)
    migrate(url)
    found = Village(url)
    yield found
    found.drop_roles()


@pytest.fixture
def ward(kafka: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    made = Ward(kafka)
    monkeypatch.setenv("ECGSTREAM_KAFKA", kafka)
    yield made
    # Other tests' pagers follow the same topic.
    made.producer.send(topics.ROSTER.name, None, key=b"roster", partition=0).get(10)
    made.producer.close()


def publish(village: Village, file: Path, said: Command, *names: str) -> None:
    teams = {name: ON_DUTY[name] for name in names}
    text = HEAD + "".join(PERSON.format(village.account(n)) for _, *two in teams.values() for n in two)
    for name, (region, *two) in teams.items():
        first, second = map(village.account, two)
        text += TEAM.format(name=name, region=region, first=first, second=second)
    file.write_text(text)
    said("publish", file, "--by", "planner")


class Telling:
    """The teller's step, at a time of the test's."""

    def __init__(self, village: Village, ward: Ward) -> None:
        self._village = village
        self._settings = ward.settings

    def __call__(self, moment: Any = None, sender: Any = None) -> int:
        with (
            connect(self._village.url, role="ecg_registry", autocommit=True) as registry,
            closing(clients.producer(self._settings)) as real,
        ):
            return tell(registry, sender or real, self._settings.partitions, moment)


def pages(receiver: Receiver, village: Village) -> list[tuple[str, str]]:
    """Who was called for which facility; repeats by key are left out."""
    found = [page for page in receiver.pages.values() if page["what"] == "CONSULTATION"]
    return sorted((page["account"].removeprefix(f"t{village.mark}_"), page["facility"]) for page in found)


def test_village_asks_township_takes_and_passes_up_county_answers_and_access_is_closed(
    village: Village, ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    consult = Command(consult_command.app, village.url, capsys)
    publish(village, tmp_path / "roster.toml", Command(roster_command.app, "", capsys), *ON_DUTY)
    telling, by = Telling(village, ward), village.account
    with Receiver() as receiver:
        pager = PagerProcess(ward.settings, receiver.url, tmp_path / "log")
        try:
            until(lambda: "alerts_rebuilt" in (tmp_path / "log").read_text())
            (made,) = consult.json("ask", "P-1", QUESTION, *ASK, "--urgency", "emergency", "--by", by("li"))
            case = made["id"]
            assert made["asked"] == "T"
            assert telling() == 1
            until(lambda: pages(receiver, village) == [("wang", "P.C.T")])
            assert telling() == 0  # told once
            consult("take", case, "--by", by("wang"))
            assert "has taken the case" in consult.refused("take", case, "--by", by("zhao"))
            consult("up", case, "wide complexes", "--by", by("wang"))
            assert telling() == 1
            until(lambda: ("sun", "P.C") in pages(receiver, village))
            consult("take", case, "--by", by("sun"))
            assert village.beats("sun") > 0
            assert "signed" in consult.refused(
                "answer", case, "0e1d5a88-6c1d-4c0e-9d4b-0e6a1b8a7a11", "--by", by("sun")
            )
            consult("answer", case, village.report("sun"), "--by", by("sun"))
            assert telling() == 1
            until(lambda: ("li", "") in pages(receiver, village))
            (shown,) = consult.json("list", "--facility", "V")
            assert (shown["state"], shown["at"], shown["overdue"]) == ("answered", "C", False)
            consult("close", case, "--by", by("li"))
            whole = consult.json("show", case)
        finally:
            ended = pager.end()
    assert ended == 0, (tmp_path / "log").read_text()
    assert village.beats("sun") == village.beats("wang") == 0
    assert village.beats("li") > 0
    assert [step["act"] for step in whole["steps"]] == [
        "asked",
        "taken",
        "passed_up",
        "taken",
        "answered",
        "closed",
    ]
    assert consult.json("list") == []
    (told,) = [page["text"] for page in receiver.pages.values() if page["account"] == by("wang")]
    assert case in told
    assert "P-1" in told
    assert not re.search("pacemaker|停搏|医生", str([*receiver.pages.values()]))  # neither question nor name
    log = (tmp_path / "log").read_text()
    assert "pacemaker" not in log


def test_who_does_not_take_it_is_followed_by_the_back_up_and_the_level_above_and_told_once(
    village: Village, ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(village, tmp_path / "roster.toml", Command(roster_command.app, "", capsys), *ON_DUTY)
    telling = Telling(village, ward)
    case = village.kept(village.ask())
    taken = village.kept(village.ask())
    consult = Command(consult_command.app, village.url, capsys)
    consult("take", taken.consultation, "--by", village.account("zhao"))
    half = case.asked_at + (case.due_at - case.asked_at) / 2
    with Receiver() as receiver:
        pager = PagerProcess(ward.settings, receiver.url, tmp_path / "log")
        try:
            until(lambda: "alerts_rebuilt" in (tmp_path / "log").read_text())
            # Of what was taken before anybody was called, nobody is called: not now, not at half time.
            assert telling(half - timedelta(seconds=1)) == 2
            until(lambda: pages(receiver, village) == [("wang", "P.C.T")])
            assert telling(half + timedelta(seconds=30)) == 2
            until(lambda: ("zhao", "P.C.T") in pages(receiver, village))
            assert metrics.CONSULTATIONS_OVERDUE._value.get() == 0
            assert telling(case.due_at + timedelta(seconds=30)) == 2  # of both: neither is answered
            expected = [
                ("sun", "P.C.T"),
                ("wang", "P.C.T"),
                ("wang", "P.C.T"),
                ("zhao", "P.C.T"),
                ("zhao", "P.C.T"),
            ]
            until(lambda: {*pages(receiver, village)} >= {*expected}, lambda: pages(receiver, village))
            assert metrics.CONSULTATIONS_OVERDUE._value.get() == 2
            assert telling(case.due_at + timedelta(hours=1)) == 0
        finally:
            ended = pager.end()
    assert ended == 0, (tmp_path / "log").read_text()


class Away:
    """A Kafka that takes nothing, or takes it and does not say so."""

    def __init__(self, real: Any = None) -> None:
        self._real = real

    def send(self, *words: Any, **more: Any) -> Away:
        if self._real is not None:
            self._real.send(*words, **more).get(10)
        return self

    def get(self, timeout: float) -> None:
        raise KafkaTimeoutError


@pytest.mark.parametrize("is_taken", [False, True])
def test_what_kafka_has_not_said_it_has_is_told_again_under_the_same_id(
    village: Village, ward: Ward, is_taken: bool
) -> None:
    telling = Telling(village, ward)
    village.ask()
    with closing(clients.producer(ward.settings)) as real, pytest.raises(KafkaTimeoutError):
        telling(sender=Away(real if is_taken else None))
    assert telling() == 1
    with connect(village.url) as owner:
        rows = owner.execute("SELECT id, told FROM ecg.consultation_call WHERE what = 'asked'").fetchall()
    ((call, told),) = rows
    assert told
    assert said(ward, str(call)) == 1 + is_taken


def said(ward: Ward, id_: str) -> int:
    from kafka import TopicPartition

    from ecgstream.whole import records

    reader = clients.reader(ward.settings)
    try:
        parts = [TopicPartition(topics.ACKNOWLEDGEMENTS.name, n) for n in range(ward.settings.partitions)]
        found = [decode_as(Acknowledgement, record.value) for _, record in records(reader, parts)]
    finally:
        reader.close()
    return sum(one.id == id_ for one in found)


def test_two_tellers_at_once_tell_each_call_once(village: Village, ward: Ward) -> None:
    telling = Telling(village, ward)
    village.ask()
    with connect(village.url, role="ecg_registry") as other:
        other.execute("SELECT FROM ecg.consultation_call WHERE what = 'asked' FOR UPDATE")
        assert telling() == 0  # it is another's, and nobody waits
    assert telling() == 1


def test_the_teller_does_it_beside_its_own_work(village: Village, ward: Ward) -> None:
    village.ask()
    with (
        connect(village.url, role="ecg_registry", autocommit=True) as registry,
        closing(clients.producer(ward.settings)) as sender,
    ):
        teller = Teller(registry, sender, partitions=ward.settings.partitions)
        assert teller.may_work()
        assert tell(registry, sender, ward.settings.partitions) == 1
        assert teller.step() > 0


def test_where_nobody_above_has_a_roster_that_is_said(
    village: Village, ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    consult = Command(consult_command.app, village.url, capsys)
    ask = ("ask", "P-1", QUESTION, *ASK, "--urgency", "routine", "--by")
    assert "nobody above V has a duty roster" in consult.refused(*ask, village.account("li"))
    publish(village, tmp_path / "roster.toml", Command(roster_command.app, "", capsys), "province", "town")
    case = consult.json(*ask, village.account("li"))[0]["id"]
    consult("take", case, "--by", village.account("wang"))
    consult("up", case, "--by", village.account("wang"))  # the county has none
    (shown,) = consult.json("list")
    assert shown["at"] == "P"
    assert "cares for patients at no facility" in consult.refused(*ask, village.account("wang"))
    assert "database refused" in consult.refused(*ask, village.account("li"), "--facility", "T")
    consult("take", case, "--by", village.account("qian"))
    assert "nobody above P" in consult.refused("up", case, "--by", village.account("qian"))
    consult("back", case, "which drugs?", "--by", village.account("qian"))
    consult("again", case, "digoxin", "--by", village.account("li"))
    consult("withdraw", case, "--by", village.account("li"))
    assert "is over" in consult.refused("withdraw", case, "--by", village.account("li"))
    assert "there is no case" in consult.refused("show", "0e1d5a88-6c1d-4c0e-9d4b-0e6a1b8a7a11")
    with connect(village.url) as owner:
        query = "SELECT detail->>'command' FROM ecg.audit_inbox WHERE action = 'read' ORDER BY id"
        assert [command for (command,) in owner.execute(query)] == ["consult list"]

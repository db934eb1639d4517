"""Consultation before a real database: who may do what, what a case opens, for how long, who is first."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from ecgstream.consulting import store
from ecgstream.consulting.case import RULES, Act
from ecgstream.consulting.store import Terms, Urgency
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.consulting_world import NOW, QUESTION, SINCE, UNTIL, Village, entries


@pytest.fixture(params=["plain", "timescale"])
def village(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> Iterator[Village]:
    fixture = {"plain": "plain_postgres_url", "timescale": "timescale_url"}[request.param]
    url = new_database(request.getfixturevalue(fixture))
    migrate(url)
    found = Village(url)
    yield found
    found.drop_roles()


def go(village: Village, case: UUID, name: str, act: Act, words: str = "", **more: object) -> str:
    seen = village.kept(case).newest
    with connect(village.url, role="ecg_web") as web:
        return store.go_on(web, case, village.account(name), seen, act, words, **more)


def forbidden(village: Village, case: UUID, name: str, act: Act, words: str = "", **more: object) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        go(village, case, name, act, words, **more)


def test_rules_are_the_same_in_code_and_in_the_database(village: Village) -> None:
    with connect(village.url) as owner:
        found = owner.execute("SELECT state, act, becomes FROM ecg.consultation_rule()").fetchall()
    assert {(s, a): b for s, a, b in found} == {(str(s), str(a)): str(b) for (s, a), b in RULES.items()}


def test_a_case_goes_up_is_answered_and_what_it_opened_is_closed_with_it(village: Village) -> None:
    everything = village.beats("li")
    assert village.beats("wang") == village.beats("sun") == 0
    case = village.ask()
    opened = village.beats("wang")
    assert 0 < opened < everything  # the stretch, and no more
    assert village.beats("sun") == 0
    assert village.seen("wang") == [(case, "asked")]
    assert village.seen("sun") == []
    assert go(village, case, "wang", Act.TAKEN) == ""
    assert go(village, case, "wang", Act.PASSED_UP, "wide complexes", up_to="C") == ""
    assert village.beats("sun") == village.beats("wang") == opened
    assert village.kept(case).at == "C"
    forbidden(village, case, "wang", Act.TAKEN)
    assert go(village, case, "sun", Act.TAKEN) == ""
    report = village.report("sun")
    assert go(village, case, "sun", Act.ANSWERED, report=report) == ""
    assert village.seen("li") == [(case, "answered")]
    with connect(village.url, role=f"person_{village.account('li')}") as reader:
        found = reader.execute(
            "SELECT signer, conclusion FROM api.reports WHERE report = %s", (report,)
        ).fetchall()
        assert found == [("医生 One", "sinus rhythm, pauses")]
        acts = reader.execute(
            "SELECT act, words FROM api.consultation_steps WHERE consultation = %s ORDER BY id", (case,)
        )
        told = acts.fetchall()
    assert told == [
        ("asked", QUESTION),
        ("taken", ""),
        ("passed_up", "wide complexes"),
        ("taken", ""),
        ("answered", ""),
    ]
    forbidden(village, case, "sun", Act.CLOSED)
    assert go(village, case, "hu", Act.CLOSED) == ""  # any of those who care at the place that asks
    assert village.beats("sun") == village.beats("wang") == 0
    assert village.seen("sun") == []
    assert village.seen("li") == [(case, "closed")]
    for name, act in (("li", Act.CLOSED), ("li", Act.WITHDRAWN), ("qian", Act.TAKEN)):
        assert go(village, case, name, act) == "over"
    with connect(village.url) as owner:
        told = entries(owner, case)
        shares = owner.execute("SELECT reason, revoked_by FROM ecg.share").fetchall()
    assert [(who.partition("_")[2], act) for who, act, _ in told] == [
        ("li", "asked"),
        ("wang", "taken"),
        ("wang", "passed_up"),
        ("sun", "taken"),
        ("sun", "answered"),
        ("hu", "closed"),
    ]
    assert told[0][2]["words"] == "sha256:" + hashlib.sha256(QUESTION.encode()).hexdigest()
    assert told[4][2]["report"] == str(report)
    assert "pacemaker" not in str(told)
    assert shares == [(f"consultation {case}", village.account("hu"))] * 2


def test_sent_back_it_is_with_who_asked_and_its_time_stays(village: Village) -> None:
    case = village.ask()
    due = village.kept(case).due_at
    go(village, case, "wang", Act.TAKEN)
    assert go(village, case, "wang", Act.SENT_BACK, " ") == "words"
    assert go(village, case, "wang", Act.SENT_BACK, "which drugs?") == ""
    assert go(village, case, "wang", Act.TAKEN) == "state"
    forbidden(village, case, "wang", Act.ASKED, "x")
    assert go(village, case, "li", Act.ASKED) == "words"
    assert go(village, case, "li", Act.ASKED, "digoxin") == ""
    again = village.kept(case)
    assert (again.state, again.at, again.due_at) == ("asked", "T", due)
    assert go(village, case, "zhao", Act.TAKEN) == ""
    assert go(village, case, "li", Act.WITHDRAWN) == ""
    assert village.beats("wang") == 0


def test_what_was_asked_and_its_time_never_change(village: Village) -> None:
    case = village.ask()
    with connect(village.url, autocommit=True) as owner:
        for change in (
            "due_at = due_at + interval '1 min'",
            "question = 'x'",
            "ends_at = now()",
            "patient = 'P-2'",
        ):
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
                owner.execute(f"UPDATE ecg.consultation SET {change}")  # noqa: S608
        for table in ("consultation", "consultation_step"):
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
                owner.execute(f"DELETE FROM ecg.{table}")  # noqa: S608
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            owner.execute("UPDATE ecg.consultation_step SET words = 'x'")
    go(village, case, "li", Act.WITHDRAWN)
    with (
        connect(village.url, autocommit=True) as owner,
        pytest.raises(psycopg.errors.IntegrityConstraintViolation),
    ):
        owner.execute("UPDATE ecg.consultation SET state = 'asked'")


@pytest.mark.parametrize("act", [Act.TAKEN, Act.ANSWERED])
def test_of_several_at_once_one_wins_and_the_others_are_told(village: Village, act: Act) -> None:
    case = village.ask()
    report, who = None, ["wang", "zhao", "qian"]
    if act is Act.ANSWERED:
        go(village, case, "wang", Act.TAKEN)
        report, who = village.report("wang"), ["wang"] * 3
    seen = village.kept(case).newest
    found: list[str] = []

    def one(name: str) -> None:
        with connect(village.url, role="ecg_web") as web:
            found.append(store.go_on(web, case, village.account(name), seen, act, report=report))

    threads = [threading.Thread(target=one, args=(name,)) for name in who]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["", "changed", "changed"]
    with connect(village.url) as owner:
        row = owner.execute(
            "SELECT count(*) FROM ecg.consultation_step WHERE act = %s", (str(act),)
        ).fetchone()
    assert row == (1,)


def test_who_takes_a_case_over_leaves_the_other_with_nothing_to_answer(village: Village) -> None:
    case = village.ask()
    go(village, case, "wang", Act.TAKEN)
    assert go(village, case, "wang", Act.TAKEN) == "state"
    assert go(village, case, "zhao", Act.TAKEN) == ""
    assert village.kept(case).taken_by == village.account("zhao")
    assert go(village, case, "wang", Act.ANSWERED, report=village.report("wang")) == "held"


def test_the_answer_is_a_report_of_this_stretch_signed_by_who_answers_that_holds(village: Village) -> None:
    case = village.ask(asked="C")
    go(village, case, "sun", Act.TAKEN)
    other = village.ask(asked="C", since=SINCE - timedelta(minutes=10))
    for report in (
        None,
        uuid4(),
        village.report("sun", signed=False),
        village.report("gu"),
        village.report("sun", until=UNTIL - timedelta(minutes=1)),
    ):
        assert go(village, case, "sun", Act.ANSWERED, report=report) == "unsigned"
    signed = village.report("sun")
    assert go(village, other, "sun", Act.TAKEN) == ""
    assert go(village, other, "sun", Act.ANSWERED, report=signed) == "unsigned"
    withdrawn = village.report("sun")
    with connect(village.url, role="ecg_web") as web:
        query = "SELECT api.withdraw_report(%s, %s, 'error')"
        assert web.execute(query, (village.account("sun"), withdrawn)).fetchone() == (True,)
    assert go(village, case, "sun", Act.ANSWERED, report=withdrawn) == "unsigned"
    assert go(village, case, "sun", Act.ANSWERED, report=signed) == ""


def test_what_is_said_to_be_another_patient_s_is_open_no_more_and_not_answered(village: Village) -> None:
    case = village.ask()
    go(village, case, "wang", Act.TAKEN)
    report = village.report("wang")
    assert village.beats("wang") > 0
    village.correct()
    assert village.beats("wang") == 0  # it is P-2's now, of whom nobody has asked
    assert go(village, case, "wang", Act.ANSWERED, report=report) == "moved"
    with connect(village.url, role=f"person_{village.account('wang')}") as reader:
        assert reader.execute("SELECT moved FROM api.consultations").fetchall() == [(True,)]
        assert reader.execute("SELECT FROM api.associations").fetchall() == []
    assert go(village, case, "wang", Act.SENT_BACK, "of another patient") == ""


def test_a_device_that_is_given_to_the_next_patient_opens_nothing_of_theirs(village: Village) -> None:
    case = village.ask()
    opened = village.beats("wang")
    with connect(village.url, role="ecg_registry") as registry:  # from now on, beyond the stretch
        middle = NOW - timedelta(minutes=30)
        query = (
            "INSERT INTO ecg.association (device, patient, since, until, place_kind, replaces, said_by)"
            " VALUES ('d-1', %s, %s, %s, 'bed', %s, 'test')"
        )
        registry.execute(query, ("P-1", NOW - timedelta(days=1), middle, village.worn))
        registry.execute(query, ("P-2", middle, "infinity", village.worn))
    assert village.beats("wang") == opened
    assert village.kept(case).state == "asked"


def test_who_may_not_ask_is_refused_and_what_cannot_be_asked(village: Village) -> None:
    for name, changed in (
        ("wang", {}),  # an expert cares for nobody
        ("zhao", {}),  # of V, where they do not stand
        ("auditor", {}),
        ("li", {"facility": "T"}),
        ("li", {"patient": "P-0"}),
        ("nobody", {}),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            village.ask(name, **changed)
    for changed in (
        {"asked": "V"},
        {"asked": "X"},
        {"question": " "},
        {"until": SINCE + timedelta(seconds=30)},
    ):
        with pytest.raises(psycopg.errors.IntegrityError):
            village.ask(**changed)
    with pytest.raises(AssertionError, match="unworn"):
        village.ask(patient="P-2")
    with pytest.raises(AssertionError, match="unworn"):
        village.ask(since=NOW - timedelta(days=3), until=NOW - timedelta(days=2))
    assert village.ask("zhao", "C", facility="T")  # a township asks for a patient of its village
    id_ = uuid4()
    assert village.ask(id=id_) == village.ask(id=id_)  # a form that was sent twice
    with pytest.raises(psycopg.errors.UniqueViolation):
        village.ask("hu", id=id_)
    with connect(village.url) as owner:
        assert owner.execute("SELECT count(*) FROM ecg.consultation").fetchone() == (2,)
    with (
        connect(village.url, role=f"person_{village.account('li')}") as person,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        person.execute("SELECT api.consult('x', gen_random_uuid(), 1, 'taken', '', NULL, NULL)")


def test_by_when_an_answer_is_wanted_settings_say(village: Village) -> None:
    for urgency, minutes in ((Urgency.EMERGENCY, 10), (Urgency.URGENT, 120), (Urgency.ROUTINE, 1440)):
        one = village.kept(village.ask(urgency=urgency))
        assert one.due_at - one.asked_at == timedelta(minutes=minutes)
        assert one.ends_at - one.due_at == timedelta(days=7)
    assert Terms.of(Settings()) == Terms()
    assert Terms.of(Settings(consult_urgent_min=30)).due(Urgency.URGENT) == timedelta(minutes=30)


def test_what_is_over_closes_by_itself_with_what_it_opened(village: Village) -> None:
    case, other = village.ask(), village.ask()
    go(village, case, "wang", Act.TAKEN)
    one = village.kept(case)
    with connect(village.url, role="ecg_registry") as registry:
        (before,) = registry.execute("SELECT ecg.close_consultations(%s)", (NOW,)).fetchone() or ()
        assert before == 0
        (closed,) = registry.execute("SELECT ecg.close_consultations(%s)", (one.ends_at,)).fetchone() or ()
        assert closed == 1 + (village.kept(other).ends_at <= one.ends_at)
        expires = registry.execute(
            "SELECT DISTINCT expires FROM ecg.share WHERE reason LIKE %s", (f"%{case}",)
        )
        assert expires.fetchall() == [(one.ends_at,)]  # and where no teller runs, it ends all the same
    assert village.kept(case).state == "closed"
    with connect(village.url) as owner:
        assert [(who, act) for who, act, _ in entries(owner, case)][-1] == ("time", "closed")
    assert not {seen for seen, _ in village.seen("wang")} & {case}

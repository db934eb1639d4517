"""Lives of a case on a clock of the test's: the database does what the machine of states says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ecgstream.consulting import store
from ecgstream.consulting.calls import tell
from ecgstream.consulting.case import OVER, Act, Case, CaseError, State
from ecgstream.consulting.store import Kept
from ecgstream.registry.people import Position
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from schemas.codec import decode_as
from schemas.records import Acknowledgement
from tests.system.consulting_world import STAND, Village

WAY = ("P", "C", "T")
MINUTE = timedelta(minutes=1)


class Taking:
    """A Kafka that takes everything, and keeps whom it was told to call."""

    def __init__(self) -> None:
        self.said: list[Acknowledgement] = []

    def send(self, _: str, value: bytes, **where: object) -> Taking:
        self.said.append(decode_as(Acknowledgement, value))
        return self

    def get(self, timeout: float) -> None:
        pass


def lives(village: Village) -> type[RuleBasedStateMachine]:  # noqa: C901 - a class is in it
    class Life(RuleBasedStateMachine):
        reports: dict[str, UUID]

        def __init__(self) -> None:
            super().__init__()
            self.web = connect(village.url, role="ecg_web", autocommit=True)
            self.registry = connect(village.url, role="ecg_registry", autocommit=True)
            self.kafka = Taking()
            self.handed_over = 0

        @initialize()
        def asked(self) -> None:
            self.id = village.ask()
            self.first = self.kept()
            self.now: datetime = self.first.asked_at
            self.case = Case(State.ASKED, "V", village.account("li"), WAY)

        def kept(self) -> Kept:
            (found,) = store.load(self.registry, id=self.id, all=True)
            return found

        @rule(
            name=st.sampled_from(sorted(STAND)),
            act=st.sampled_from(Act),
            level=st.sampled_from(["P", "C", None]),
        )
        def somebody_acts(self, name: str, act: Act, level: str | None) -> None:
            who, before = village.account(name), self.kept()
            if (
                before.case.state is State.TAKEN
                and act is Act.ANSWERED
                and before.taken_by == who
                and name != "zhao"
            ):
                report = village.report(name)  # by who sees it and signs
            else:
                report = None
            up_to = level if act is Act.PASSED_UP else None
            may = act in self.case.possible(who, [Position(*STAND[name])])
            try:
                refused = store.go_on(
                    self.web, self.id, who, before.newest, act, "words", up_to=up_to, report=report
                )
            except psycopg.errors.InsufficientPrivilege:
                refused = "forbidden"
            try:
                way = WAY[: WAY.index(level) + 1] if act is Act.PASSED_UP and level else ()
                wanted = self.case.after(act, who, way)
                if act is Act.ANSWERED and report is None:
                    may = False
            except CaseError:
                may = False
            assert (refused == "") == may, (refused, name, act, level, self.case)
            if may:
                self.handed_over += act is Act.PASSED_UP
                self.case = wanted

        @rule(minutes=st.sampled_from([1, 30, 59, 61, 24 * 60, 8 * 24 * 60]))
        def time_passes(self, minutes: int) -> None:
            self.now += minutes * MINUTE
            before = len(self.kafka.said)
            tell(self.registry, self.kafka, 4, self.now)  # type: ignore[arg-type]
            if self.now >= self.first.ends_at and self.case.state not in OVER:
                self.case = Case(State.CLOSED, "V", village.account("li"), self.case.at)
            # Cases of lives before this one may still be open.
            for said in (one for one in self.kafka.said[before:] if str(self.id) in one.reason):
                assert said.facility in ("", ".".join(self.case.at))
                assert self.case.state not in OVER
            assert tell(self.registry, self.kafka, 4, self.now) == 0  # type: ignore[arg-type]

        @invariant()
        def both_say_the_same(self) -> None:
            kept = self.kept()
            assert kept.case == self.case
            assert (kept.asked_at, kept.due_at, kept.ends_at) == self.first[8:11]

        @invariant()
        def open_are_the_shares_of_those_who_were_asked_until_it_is_over(self) -> None:
            query = (
                "SELECT count(*) FROM ecg.share"
                " WHERE revoked_at IS NULL AND reason = %s AND since = %s AND until = %s"
            )
            given: tuple[Any, ...] = (f"consultation {self.id}", self.first.since, self.first.until)
            (live,) = self.registry.execute(query, given).fetchone() or ()
            assert live == (0 if self.case.state in OVER else 1 + self.handed_over)

        @invariant()
        def no_call_is_told_twice(self) -> None:
            ids = [said.alert for said in self.kafka.said]
            assert len(ids) == len(set(ids))

        def teardown(self) -> None:
            self.web.close()
            self.registry.close()

    return Life


def test_lives(plain_postgres_url: str, new_database: Callable[[str], str]) -> None:
    url = new_database(plain_postgres_url)
    migrate(url)
    village = Village(url)
    try:
        slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
        run_state_machine_as_test(
            lives(village),
            settings=settings(
                max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=slow
            ),
        )
    finally:
        village.drop_roles()

"""Who wears what, on a real database."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ecgstream.registry.associations import (
    FOREVER,
    Place,
    associate,
    correct,
    end,
    of_device,
    of_patient,
    worn_now,
)
from ecgstream.registry.errors import RegistryError
from ecgstream.store.connection import connect
from tests.system import ward

START = datetime(2026, 7, 1, tzinfo=UTC)
BED = Place("bed", "3")
SLOTS = 8
"""The last one has no end."""


@pytest.fixture
def url(database_url: str) -> str:
    return ward.make(database_url)


def registry(url: str) -> psycopg.Connection:
    return connect(url, role="ecg_registry")


def hour(n: int) -> datetime:
    return FOREVER if n == SLOTS else START + timedelta(hours=n)


spans = (
    st.tuples(st.integers(0, SLOTS), st.integers(0, SLOTS))
    .filter(lambda span: span[0] != span[1])
    .map(sorted)
)
patients = st.sampled_from(["P-1", "P-2"])


class Wearing(RuleBasedStateMachine):
    """A device against a list of who wears it in each of eight hours."""

    connection: psycopg.Connection

    def __init__(self) -> None:
        super().__init__()
        self.device = f"dev-{uuid.uuid4().hex[:12]}"
        self.model: list[str | None] = [None] * SLOTS
        self.beliefs: list[tuple[datetime, list[str | None]]] = []
        self.connection.execute(
            "INSERT INTO ecg.enrolment (device, facility, kind, shard, changed_by)"
            " VALUES (%s, 'A', 'monitor', 0, 'test')",
            (self.device,),
        )
        self.connection.commit()

    def said(self, allowed: bool, say: Callable[[], datetime], model: list[str | None]) -> None:
        """It is taken and the model goes on, or refused and nothing changes."""
        try:
            at = say()
        except RegistryError:
            assert not allowed
            self.connection.rollback()
            return
        assert allowed
        self.connection.commit()
        self.model = model
        self.beliefs.append((at, model))

    def with_(self, since: int, until: int, patient: str | None) -> list[str | None]:
        return [*self.model[:since], *[patient] * (until - since), *self.model[until:]]

    @rule(span=spans, patient=patients, replace=st.booleans())
    def associate(self, span: list[int], patient: str, replace: bool) -> None:
        since, until = span
        self.said(
            replace or not any(self.model[since:until]),
            lambda: associate(
                self.connection,
                self.device,
                patient,
                "ann",
                place=BED,
                since=hour(since),
                until=hour(until),
                replace=replace,
            ),
            self.with_(since, until, patient),
        )

    @rule(at=st.integers(0, SLOTS - 1))
    def end(self, at: int) -> None:
        worn = self.model[at - 1] if at else None
        last = at
        while worn and last < SLOTS and self.model[last] == worn:
            last += 1
        self.said(
            last > at,
            lambda: end(self.connection, self.device, "ann", at=hour(at)),
            self.with_(at, last, None),
        )

    @rule(span=spans, patient=patients | st.none())
    def correct(self, span: list[int], patient: str | None) -> None:
        since, until = span
        self.said(
            patient is not None or any(self.model[since:until]),
            lambda: correct(
                self.connection,
                self.device,
                patient,
                "ann",
                since=hour(since),
                until=hour(until),
                reason="wrong bed",
                place=BED,
            ),
            self.with_(since, until, patient),
        )

    def believed(self, at: datetime | None) -> list[str | None]:
        """Who wore it each hour, by what was known then."""
        rows = [
            row
            for row in of_device(self.connection, self.device)
            if (
                row.superseded_at is None
                if at is None
                else row.said_at <= at < (row.superseded_at or FOREVER)
            )
        ]
        found = [[row.patient for row in rows if row.since <= hour(n) < row.until] for n in range(SLOTS)]
        assert all(len(worn) <= 1 for worn in found)
        return [worn[0] if worn else None for worn in found]

    @invariant()
    def it_is_what_the_model_says(self) -> None:
        assert self.believed(None) == self.model
        assert worn_now(self.connection, [self.device]) == {self.device: self.model[-1]}

    def teardown(self) -> None:
        for at, model in self.beliefs:
            assert self.believed(at) == model
        times = [at for at, _ in self.beliefs]
        assert times == sorted(set(times))


def test_it_is_always_what_was_said_last_and_earlier_beliefs_stay_known(url: str) -> None:
    with registry(url) as connection:
        machine = type("Wearing", (Wearing,), {"connection": connection})
        run_state_machine_as_test(
            machine, settings=settings(max_examples=25, stateful_step_count=15, deadline=None)
        )


def test_two_who_say_it_at_once_are_told_of_each_other(url: str) -> None:
    with registry(url) as first, registry(url) as second:
        associate(first, "dev-1", "P-1", "ann", place=BED)
        refused: list[RegistryError] = []

        def other() -> None:
            try:
                associate(second, "dev-1", "P-2", "ann", place=BED)
            except RegistryError as error:
                refused.append(error)
                second.rollback()

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits for what the first one will say
        first.commit()
        thread.join(10)
        assert [str(error)[:27] for error in refused] == ["device dev-1 is worn by P-1"]
        assert "`ecgstream patient end dev-1`" in str(refused[0])
        assert "--replace" in str(refused[0])
        assert worn_now(second, ["dev-1"]) == {"dev-1": "P-1"}


def test_many_at_once_leave_one_patient_and_a_trace_in_order(url: str) -> None:
    def say(patient: str) -> None:
        with registry(url) as connection:
            for _ in range(10):
                associate(connection, "dev-1", patient, "ann", place=BED, replace=True)
                connection.commit()

    threads = [threading.Thread(target=say, args=(patient,)) for patient in ("P-1", "P-2", "P-1", "P-2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with registry(url) as connection:
        rows = of_device(connection, "dev-1")
        holding = [row for row in rows if row.superseded_at is None]
        assert sum(row.until == FOREVER for row in holding) == 1
        for before, after in itertools.pairwise(holding):
            assert before.until == after.since
        assert all(row.superseded_at is None or row.superseded_at > row.said_at for row in rows)
        assert len({row.said_at for row in rows}) == 40


def test_what_was_wrong_says_who_put_it_right_and_why(url: str) -> None:
    with registry(url) as connection:
        associate(connection, "dev-1", "P-1", "ann", place=BED, since=hour(0))
        correct(
            connection, "dev-1", "P-2", "root_doc", since=hour(2), until=hour(4), reason="beds were swapped"
        )
        rows = of_device(connection, "dev-1")
        (wrong,) = (row for row in rows if row.superseded_at is not None)
        right = [row for row in rows if row.superseded_at is None]
        assert (wrong.patient, wrong.said_by, wrong.until) == ("P-1", "ann", FOREVER)
        assert (wrong.superseded_by, wrong.superseded_why) == ("root_doc", "beds were swapped")
        assert [(row.patient, row.since, row.until, row.where) for row in right] == [
            ("P-1", hour(0), hour(2), BED),
            ("P-2", hour(2), hour(4), BED),
            ("P-1", hour(4), FOREVER, BED),
        ]
        assert {row.said_at for row in right} == {wrong.superseded_at}
        assert [row.device for row in of_patient(connection, "P-2")] == ["dev-1"]
        assert len(of_patient(connection, "P-1")) == 3


def test_what_cannot_be_is_a_clear_error_and_changes_nothing(url: str) -> None:
    later = datetime.now(UTC) + timedelta(minutes=6)
    with registry(url) as connection:
        connection.execute(
            "UPDATE ecg.enrolment SET disabled = true, changed_by = 'test' WHERE device = 'dev-2'"
        )
        associate(connection, "dev-1", "P-1", "ann", place=BED, since=hour(0), until=hour(4))
        connection.commit()
        before = of_device(connection, "dev-1")

        def put(device: str, patient: str, **times: datetime) -> Callable[[], object]:
            return partial(associate, connection, device, patient, "ann", place=BED, **times)

        def right(patient: str | None, since: int, until: int) -> Callable[[], object]:
            times = {"since": hour(since), "until": hour(until)}
            return partial(correct, connection, "dev-1", patient, "ann", reason="x", **times)

        cases = [
            ("there is no device dev-x", put("dev-x", "P-1")),
            ("there is no patient of this pseudonym", put("dev-1", "wang")),
            ("there is no patient P-ABCDEFGHIJ", put("dev-1", "P-ABCDEFGHIJ")),
            ("device dev-2 is disabled: enable it", put("dev-2", "P-1")),
            ("is in the future", put("dev-1", "P-1", since=later)),
            ("is not after since", put("dev-1", "P-1", since=hour(5), until=hour(5))),
            ("P-1 from 2026-07-01 00:00:00 UTC until 2026-07-01 04:00:00 UTC.* end it first",
             put("dev-1", "P-2", since=hour(3))),
            ("it was said already", put("dev-1", "P-1", since=hour(3))),
            ("nothing to end; P-1 wore it until 2026-07-01 04:00:00 UTC",
             lambda: end(connection, "dev-1", "ann")),
            ("nothing to end$", lambda: end(connection, "dev-1", "ann", at=hour(0))),
            ("there is no device dev-x", lambda: end(connection, "dev-x", "ann")),
            ("nothing to correct", right(None, 5, 6)),
            ("nothing was said of device dev-1 at 2026-07-01 04:00:00 UTC: say where", right("P-2", 3, 6)),
        ]  # fmt: skip
        for why, say in cases:
            with pytest.raises(RegistryError, match=why):
                say()
            connection.rollback()
        assert of_device(connection, "dev-1") == before


def test_somewhat_fast_clocks_are_no_future(url: str) -> None:
    with registry(url) as connection:
        soon = datetime.now(UTC) + timedelta(minutes=4)
        associate(connection, "dev-1", "P-1", "ann", place=BED, since=soon)
        assert worn_now(connection, ["dev-1"]) == {"dev-1": None}
        # The worker is told now, and again when it begins.
        due = connection.execute("SELECT due FROM ecg.tell WHERE device = 'dev-1' ORDER BY due").fetchall()
        assert due[-1][0] == soon


def test_an_account_must_answer_for_the_place_and_the_patient(url: str) -> None:
    with registry(url) as connection:
        associate(connection, "dev-1", "P-1", "test", place=BED, since=hour(0))
        connection.commit()
        for by, allowed in (
            *((account, True) for account in ("ann", "root_doc", "operator")),
            *((account, False) for account in ("bob", "tech", "gone")),
        ):
            for say in (
                partial(associate, connection, "dev-2", "P-2", by, place=BED),
                partial(end, connection, "dev-1", by),
                partial(correct, connection, "dev-1", "P-2", by, since=hour(1), reason="x"),
            ):
                if allowed:
                    say()
                else:
                    with pytest.raises(
                        RegistryError, match=f"{by} is (disabled|not clinic or cardiologist at A)"
                    ):
                        say()
                connection.rollback()


def test_nobody_opens_another_hospitals_patient_by_a_device_of_ones_own(url: str) -> None:
    with registry(url) as connection:
        with pytest.raises(RegistryError, match="account bob is not clinic or cardiologist at A"):
            associate(connection, "dev-9", "P-1", "bob", place=BED)
        connection.rollback()
        with pytest.raises(RegistryError, match="account ann is not clinic or cardiologist at B"):
            associate(connection, "dev-9", "P-1", "ann", place=BED)
        connection.rollback()
        associate(connection, "dev-9", "P-1", "root_doc", place=BED)


def test_the_past_belongs_to_where_the_device_was(url: str) -> None:
    with registry(url) as connection:
        associate(connection, "dev-1", "P-1", "ann", place=BED, since=hour(0), until=hour(4))
        connection.execute(
            "UPDATE ecg.enrolment SET facility = 'B', placed_since = %s, changed_by = 'test'"
            " WHERE device = 'dev-1'",
            (hour(4),),
        )
        correct(connection, "dev-1", "P-2", "ann", since=hour(0), until=hour(4), reason="x")
        with pytest.raises(RegistryError, match="bob is not clinic or cardiologist at A"):
            correct(connection, "dev-1", None, "bob", since=hour(0), until=hour(4), reason="x")
        associate(connection, "dev-1", "P-9", "bob", place=BED)

"""What differs between what is wanted and what stands there."""

from __future__ import annotations

from dataclasses import replace

from ecgstream.dashboards.plan import Act, plan
from ecgstream.dashboards.things import Kind, Thing
from tests.ecgstream.dashboards.network import things


def test_where_nothing_differs_nothing_is_done() -> None:
    assert plan(things("H", "S"), things("H", "S")) == []


def test_things_are_made_before_what_needs_them_and_deleted_after_it() -> None:
    made = [step.thing.kind for step in plan(things("H", "S"), [])]
    assert made == sorted(made)
    assert set(made) == set(Kind)
    gone = plan([], things("H", "S"))
    assert [step.thing.kind for step in gone] == sorted((step.thing.kind for step in gone), reverse=True)
    assert {step.act for step in gone} == {Act.DELETE}


def test_an_update_names_what_differs() -> None:
    folder = Thing(Kind.FOLDER, "ecg-1", "new", {"title": "new", "readers": []})
    there = replace(folder, title="old", state={"title": "old", "readers": []})
    (step,) = plan([folder], [there])
    assert (step.act, step.differs) == (Act.UPDATE, ("title",))


def test_what_only_one_side_has_differs() -> None:
    source = Thing(Kind.SOURCE, "ecg-1", "s", {"user": "u", "readers": ["t"]})
    (step,) = plan([source], [replace(source, state={"user": "u", "more": 1})])
    assert step.differs == ("more", "readers")


def test_a_facility_that_is_no_longer_named_loses_what_it_has() -> None:
    steps = plan(things("H"), things("H", "S"))
    assert {step.act for step in steps} == {Act.DELETE}
    assert len(steps) == len(things("H", "S")) - len(things("H"))


def test_passwords_are_sent_anew_where_that_is_asked_for() -> None:
    steps = plan(things("H"), things("H"), passwords=True)
    assert [(step.act, step.thing.kind, step.differs) for step in steps] == [
        (Act.UPDATE, Kind.SOURCE, ("password",))
    ]


def test_no_password_shows_in_what_is_printed_of_a_step() -> None:
    assert "secret of" not in repr(plan(things("H"), []))

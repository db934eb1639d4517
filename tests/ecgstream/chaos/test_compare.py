"""What was planted is found: a lost row, an extra one, a changed value, a lost page and a repeated one."""

from typing import Any

from ecgstream.chaos import pages
from ecgstream.chaos.compare import COMPARED, Contents, Difference, differences
from ecgstream.chaos.receiver import Answer, Post

BEATS = {("d", 1, 100): (5, "N", 0.8, 75.0, "1"), ("d", 1, 200): (6, "V", 0.7, 80.0, "1")}


def contents(**tables: Any) -> Contents:
    return {table: dict(tables.get(table, {})) for table in COMPARED}


def found(was: Contents, now: Contents) -> list[Difference]:
    return list(differences(was, now))


def test_equal_tables_do_not_differ() -> None:
    assert found(contents(beat=BEATS), contents(beat=BEATS)) == []


def test_a_lost_row_an_extra_one_and_a_changed_value_are_found() -> None:
    planted = {("d", 1, 200): (6, "N", 0.7, 80.0, "1"), ("d", 1, 300): (7, "N", 0.8, 75.0, "1")}
    lost, changed, extra = found(contents(beat=BEATS), contents(beat=planted))
    assert (lost.key, lost.found) == (("d", 1, 100), None)
    assert str(lost) == "beat ('d', 1, 100): missing"
    assert str(changed) == "beat ('d', 1, 200): code 'V' became 'N'"
    assert (extra.key, extra.undisturbed) == (("d", 1, 300), None)


def test_every_table_is_looked_at() -> None:
    row = {("key",): ("value",)}
    for table in COMPARED:
        assert [d.table for d in found(contents(**{table: row}), contents())] == [table]


def post(key: str, answer: Answer = Answer.TAKEN, **body: Any) -> Post:
    standard = {
        "key": key,
        "alert": f"alert of {key}",
        "what": "RAISED",
        "device": "d",
        "condition": "ASYSTOLE",
    }
    return Post(key, standard | body, answer)


def test_the_same_pages_are_right_however_often_they_were_sent() -> None:
    was = [post("a"), post("b")]
    now = [post("a", Answer.REFUSED), post("a", Answer.UNHEARD), post("a"), post("b"), post("b")]
    judgement = pages.judge(was, now)
    assert judgement == pages.Judgement(raw_repeats=2)


def test_a_page_that_was_only_refused_is_lost() -> None:
    (lost,) = pages.judge([post("a"), post("b")], [post("a"), post("b", Answer.REFUSED)]).lost
    assert lost == "page RAISED of d ASYSTOLE (alert of b)"


def test_a_page_under_another_key_is_repeated() -> None:
    judgement = pages.judge([post("a")], [post("a"), post("x", alert="alert of a")])
    assert len(judgement.duplicated) == 2
    assert judgement.lost == judgement.extra == []


def test_a_page_nobody_would_have_had_is_extra_and_one_that_says_something_else_is_changed() -> None:
    judgement = pages.judge([post("a")], [post("a", device="e"), post("x")])
    assert judgement.changed == ["page RAISED of e ASYSTOLE (alert of a)"]
    assert judgement.extra == ["page RAISED of d ASYSTOLE (alert of x)"]


def test_pages_judged_elsewhere_are_left_out() -> None:
    away = [post("a", condition="LINK_LOST"), post("b", device="far")]
    assert pages.judge(away, [], but={"LINK_LOST", "far"}) == pages.Judgement()


def test_that_it_is_over_may_be_told_or_not_but_once_and_of_what_was_told() -> None:
    over = post("o", alert="alert of a", what="CLEARED")
    assert pages.judge([post("a"), over], [post("a")]) == pages.Judgement()
    assert pages.judge([post("a")], [post("a"), over]) == pages.Judgement()
    again = post("x", alert="alert of a", what="CLEARED")
    assert len(pages.judge([post("a"), over], [post("a"), over, again]).duplicated) == 2
    (extra,) = pages.judge([post("a")], [post("a"), post("o", what="CLEARED")]).extra
    assert extra == "page CLEARED of d ASYSTOLE (alert of o)"
    assert pages.without_page([post("o", what="CLEARED")], {"alert of o": "a lost link"}) == ["a lost link"]

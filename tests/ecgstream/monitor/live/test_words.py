"""The wall's words: both languages say the same, and whatever the page asks for is there."""

from __future__ import annotations

import re
import string

import pytest

from alerts.page import condition_text
from ecgstream.monitor.live.words import WORDS, words_of
from schemas.conditions import Code
from schemas.records import AlertState, Priority
from schemas.wfdb import RHYTHMS
from tests.ecgstream.monitor.live.served import HERE


def fields(words: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(words)} - {None}


def test_both_languages_have_the_same_words_with_the_same_values() -> None:
    english, chinese = ({key: fields(said) for key, said in words.items()} for words in WORDS.values())
    assert english == chinese


@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_there_are_words_for_all_that_is_shown(language: str) -> None:
    words = words_of(language, lambda _, code: condition_text(code))
    wanted = {
        *(f"condition.{code.name}" for code in Code),
        *(f"state.{state}" for state in AlertState if state is not AlertState.ENDED),
        *(f"priority.{priority}" for priority in Priority),
        *(f"rhythm.{rhythm}" for rhythm in RHYTHMS),
    }
    assert wanted <= words.keys()


def test_what_the_page_asks_for_is_there() -> None:
    asked = set()
    for script in (HERE / "static").glob("*.js"):
        asked |= set(re.findall(r'say\("(\w+)"', script.read_text()))
    asked |= set(re.findall(r"wall\.words\.(\w+)", (HERE / "templates" / "wall.html").read_text()))
    assert len(asked) > 20
    assert asked <= WORDS["en"].keys()

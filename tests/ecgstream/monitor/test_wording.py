"""The words: both languages have the same, and templates ask for none that there is not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

import pytest

import ecgstream.monitor
from ecgstream.monitor.wording import WORDINGS
from schemas.conditions import Code

HERE = Path(ecgstream.monitor.__file__).parent
EN, ZH = WORDINGS["en"], WORDINGS["zh"]
WHEN = datetime(2026, 3, 5, 16, 4, 9, tzinfo=UTC)


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_have_the_same_words_with_the_same_values() -> None:
    assert EN.said.keys() == ZH.said.keys()
    differ = [
        key for key in EN.said if not key.startswith("form.") and fields(EN.said[key]) != fields(ZH.said[key])
    ]
    assert differ == []
    assert [key for key in EN.said if not EN.said[key].strip() or not ZH.said[key].strip()] == []


def test_every_word_that_is_asked_for_is_there_and_every_word_is_asked_for() -> None:
    texts = [p.read_text() for p in (*HERE.glob("templates/*.html"), *HERE.glob("**/*.py"))]
    asked = {key for text in texts for key in re.findall(r'"([a-z]+(?:\.[a-zA-Z_]+)*)"', text)}
    called = {key for text in texts for key in re.findall(r"words\(\s*['\"]([^'\"]+)['\"]\s*[,)]", text)}
    assert called - EN.said.keys() == set()
    by_kind = {match for text in texts for match in re.findall(r"['\"]((?:[a-z]+\.)+)['\"]", text)}
    by_kind |= {f"{kind}." for text in texts for kind in re.findall(r"one_of\(['\"](\w+)['\"]", text)}
    by_kind |= {"condition.", "unit.", "form.", "lasting.", "number.", "limits."}
    unused = {key for key in EN.said if key not in asked | called and not key.startswith(tuple(by_kind))}
    assert unused - {"months"} == set()


@pytest.mark.parametrize("code", list(Code))
def test_every_condition_has_a_name_in_chinese(code: Code) -> None:
    assert re.search("[\u4e00-\u9fff]", ZH.condition(code.name))


def test_a_condition_that_nobody_knows_is_shown_as_it_travels() -> None:
    assert ZH.condition("NOT_YET_KNOWN") == "NOT_YET_KNOWN"


def test_times_are_of_the_viewer_s_zone_and_in_the_order_of_the_language() -> None:
    assert EN.at("Asia/Shanghai").moment(WHEN) == "6 Mar 2026, 00:04:09"
    assert ZH.at("Asia/Shanghai").moment(WHEN) == "2026年3月6日 00:04:09"
    assert ZH.at("UTC").minute(int(WHEN.timestamp()) * 10**9) == "3月5日 16:04"


def test_units_are_as_they_are_read() -> None:
    assert [w.unit("mm[Hg]") for w in (EN, ZH)] == ["mmHg", "mmHg"]
    assert [w.unit("/min") for w in (EN, ZH)] == ["/min", "次/分"]
    assert EN.unit("{score}") == "{score}"


def test_a_facility_without_a_name_in_the_language_is_shown_by_the_other() -> None:
    assert ZH.facility("East", "东医院") == "东医院"
    assert ZH.facility("East", "") == "East"
    assert EN.facility("", "东医院") == "东医院"

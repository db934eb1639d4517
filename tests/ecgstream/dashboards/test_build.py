"""What the dashboards are made of: Grafana's types, both languages, nothing but the readers' views."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import REGISTRY

from ecgstream.dashboards import terms
from ecgstream.dashboards.boards import OF_A_FACILITY, OPERATIONS
from ecgstream.dashboards.build import SCHEMA_VERSION, TAG, Setting, model
from ecgstream.dashboards.chart import Board, Shape
from ecgstream.dashboards.things import uid
from ecgstream.dashboards.wording import Language, Words
from schemas.conditions import CATALOGUE
from schemas.states import AlertState, Priority
from schemas.wfdb import RHYTHMS

BOARDS = (*OF_A_FACILITY, OPERATIONS)
CHINESE = re.compile("[\u4e00-\u9fff]")
SAME_IN_BOTH = {"NEWS2"}


def built(board: Board, language: Language = Language.ENGLISH) -> dict[str, Any]:
    at = Setting(language, "ecg-source", lambda name: uid(f"{name}-{language}", "H"), "H", "Asia/Shanghai")
    return model(board, at)


def words_in(thing: object) -> Iterator[Words]:
    """Every text of a board."""
    if isinstance(thing, Words):
        yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from words_in(value)
    elif isinstance(thing, tuple):
        for value in thing:
            yield from words_in(value)
    elif is_dataclass(thing):
        for field in fields(thing):
            yield from words_in(getattr(thing, field.name))


def queries(board: dict[str, Any]) -> Iterator[str]:
    """Every statement of a dashboard that goes to the database."""
    for target in (target for panel in board["panels"] for target in panel["targets"]):
        yield target["rawSql"]
    for variable in board["templating"].get("list", ()):
        yield variable["query"]
    for marks in board.get("annotations", {}).get("list", ()):
        yield marks["target"]["rawSql"]


@pytest.fixture(params=BOARDS, ids=lambda board: board.name)
def board(request: pytest.FixtureRequest) -> Board:
    found: Board = request.param
    return found


def test_there_are_the_six() -> None:
    names = [board.name for board in BOARDS]
    assert names == ["patients", "clinic", "region", "devices", "alarms", "operations"]


def test_the_sdk_reads_what_it_has_written(board: Board) -> None:
    made = built(board)
    for marks in made.get("annotations", {}).get("list", ()):
        marks.pop("target")  # the SDK knows no annotations by SQL
    again = Dashboard.from_json(made)
    assert json.loads(json.dumps(again, cls=JSONEncoder)) == made


def test_the_schema_is_the_one_that_the_sdk_speaks() -> None:
    assert Dashboard().schema_version == SCHEMA_VERSION
    assert {built(board)["schemaVersion"] for board in BOARDS} == {SCHEMA_VERSION}


def test_a_dashboard_is_the_same_each_time(board: Board) -> None:
    assert built(board) == built(board)


def test_every_dashboard_is_marked_and_has_a_uid_of_its_own() -> None:
    made = [built(board, language) for board in BOARDS for language in Language]
    assert len({dashboard["uid"] for dashboard in made}) == len(made)
    assert all(TAG in dashboard["tags"] for dashboard in made)
    assert not any(dashboard["editable"] for dashboard in made)


def test_panels_fill_the_grid_and_lie_on_nothing(board: Board) -> None:
    panels = built(board)["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    taken: set[tuple[int, int]] = set()
    for at in (panel["gridPos"] for panel in panels):
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_everything_is_said_in_both_languages(board: Board) -> None:
    for words in words_in(board):
        assert words.english
        assert words.english.isascii() or "·" in words.english
        if words.english not in SAME_IN_BOTH:
            assert CHINESE.search(words.chinese), words
    english = json.dumps(built(board), ensure_ascii=False)
    assert not CHINESE.search(english)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([code.name for code in CATALOGUE], terms.CONDITIONS),
        (Priority, terms.PRIORITIES),
        (AlertState, terms.STATES),
        (RHYTHMS, terms.RHYTHMS),
    ],
)
def test_every_code_has_words(codes: list[str], said: dict[str, Words]) -> None:
    assert list(said) == list(codes)


@pytest.mark.parametrize("board", OF_A_FACILITY, ids=lambda board: board.name)
def test_statements_read_the_views_of_readers_and_nothing_else(board: Board) -> None:
    for statement in queries(built(board)):
        own = set(re.findall(r"(\w+) AS \(", statement))
        read = set(re.findall(r"\b(?:FROM|JOIN)\s+([\w.]+)", re.sub(r"extract\(epoch FROM", "", statement)))
        assert {name for name in read - own if not name.startswith("api.")} <= {"LATERAL"}, statement
        assert not re.search(r"\b(INSERT|UPDATE|DELETE|SET|ecg\.)\b|;", statement)


@pytest.mark.parametrize("board", OF_A_FACILITY, ids=lambda board: board.name)
def test_what_a_reader_chooses_goes_into_sql_as_a_quoted_text(board: Board) -> None:
    names = {choice.name for choice in board.choices}
    for statement in queries(built(board)):
        for variable in re.findall(r"\$\{?(\w+[^}\s)]*)\}?", statement):
            name, _, form = variable.partition(":")
            assert name.startswith("__") or (name in names and form == "sqlstring"), variable


def test_links_lead_to_dashboards_that_have_the_choice() -> None:
    choices = {board.name: {choice.name for choice in board.choices} for board in OF_A_FACILITY}
    opened = {
        (c.opens, c.choice) for b in OF_A_FACILITY for ch in b.charts for c in ch.columns.values() if c.opens
    }
    assert opened
    assert all(choice in choices[name] for name, choice in opened)
    urls = re.findall(r'"url": "(/d/[^"]*)"', json.dumps(built(OF_A_FACILITY[1])))
    assert urls
    assert all("=${__value.raw:percentencode}&" in url for url in urls)


def test_no_panel_and_no_text_is_drawn_as_html() -> None:
    for board in BOARDS:
        for panel in built(board)["panels"]:
            assert panel["type"] != "text"
            assert not re.search("[<>]", panel["title"] + panel["description"])
    assert not any(re.search("[<>]", "".join(words)) for board in BOARDS for words in words_in(board))


def test_the_text_of_an_annotation_comes_from_the_code_alone() -> None:
    for board in OF_A_FACILITY:
        for marks in built(board).get("annotations", {}).get("list", ()):
            text = re.search(r"CASE a\.condition(.*?)END AS text", marks["target"]["rawSql"], re.DOTALL)
            assert text
            assert set(re.findall(r"THEN '([^']*)'|ELSE '([^']*)'", text[1])) == {
                *((words.english, "") for words in terms.CONDITIONS.values()),
                ("", "?"),
            }


def test_series_over_time_have_a_bucket_that_fits_them() -> None:
    for board in OF_A_FACILITY:
        for chart in board.charts:
            assert bool(chart.bucket) == ("$__interval_ms" in chart.query), chart.title
            assert chart.shape is not Shape.TABLE or "LIMIT" in chart.query or "GROUP BY" in chart.query


def test_operations_ask_for_metrics_that_there_are() -> None:
    top = Path(__file__).parents[3]
    for path in sorted((top / "ecgstream").glob("**/*metrics.py")):
        importlib.import_module(".".join(path.relative_to(top).with_suffix("").parts))
    known = {sample for metric in REGISTRY.collect() for sample in (metric.name, f"{metric.name}_total")}
    known |= {f"{metric.name}_bucket" for metric in REGISTRY.collect() if metric.type == "histogram"}
    asked = {
        name for chart in OPERATIONS.charts for name in re.findall(r"(?:ecgstream|process)_\w+", chart.query)
    }
    assert len(asked) > 10
    assert asked <= known

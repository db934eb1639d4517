"""Who gets which dashboards, and with whose login."""

from __future__ import annotations

import json

import pytest

from ecgstream.dashboards.errors import DashboardsError
from ecgstream.dashboards.things import Kind, Thing, uid
from ecgstream.dashboards.wanted import wanted
from ecgstream.registry import roles
from ecgstream.registry.people import Person
from tests.ecgstream.dashboards.network import PEOPLE, TREE, person, shown, things


def of(kind: Kind, found: list[Thing]) -> dict[str, Thing]:
    return {thing.key: thing for thing in found if thing.kind is kind}


def test_a_facility_has_its_own_of_everything() -> None:
    found = things("H", "S")
    assert {kind: len(of(kind, found)) for kind in Kind} == {
        Kind.TEAM: 2,
        Kind.FOLDER: 2,
        Kind.SOURCE: 2,
        Kind.DASHBOARD: 2 * 5 * 2,
    }
    assert len({thing.key for thing in found}) == len(found)
    assert {len(thing.key) <= 40 for thing in found} == {True}


def test_the_dashboards_of_a_facility_read_its_own_data_source_and_no_other() -> None:
    for thing in of(Kind.DASHBOARD, things("H", "S")).values():
        own = "H" if thing.state["folder"] == uid("folder", "H") else "S"
        other = "S" if own == "H" else "H"
        text = json.dumps(thing.body["model"])
        assert uid("source", own) in text
        assert uid("source", other) not in text


def test_a_data_source_logs_in_as_the_account_of_its_facility() -> None:
    source = of(Kind.SOURCE, things("H", tls="verify-ca"))[uid("source", "H")]
    assert source.state["user"] == "person_grafana_h"
    assert (source.state["url"], source.state["settings"]["database"]) == ("db.example:5432", "ecgstream")
    assert source.state["settings"]["sslmode"] == "verify-ca"
    assert source.body["password"].get_secret_value() == "secret of H"


def test_a_data_source_takes_no_more_connections_than_its_login_may() -> None:
    found = of(Kind.SOURCE, things("H", "S"))
    assert found[uid("source", "H")].state["settings"]["maxOpenConns"] == 2
    assert found[uid("source", "S")].state["settings"]["maxOpenConns"] == 10


def test_a_folder_is_seen_by_its_team_and_those_above() -> None:
    found = of(Kind.FOLDER, things("W", "H", "S"))
    assert found[uid("folder", "H")].state["readers"] == ["ecgstream H", "ecgstream W"]
    assert found[uid("folder", "W")].state["readers"] == ["ecgstream W"]


def test_a_team_has_those_who_care_for_patients_there_and_whom_grafana_knows() -> None:
    found = of(Kind.TEAM, things("W", "H", "S", users=("li", "wang", "admin", "grafana_h")))
    assert found["ecgstream H"].state["members"] == ["li"]  # zhao has never come, admin is disabled
    assert found["ecgstream S"].state["members"] == ["wang"]
    assert found["ecgstream W"].state["members"] == []  # an operator cares for no patient


def test_operations_are_for_those_who_run_the_centre() -> None:
    found = things("H", prometheus="metrics")
    assert of(Kind.TEAM, found)["ecgstream operations"].state["members"] == ["wang"]
    boards = [t for t in of(Kind.DASHBOARD, found).values() if t.state["folder"] == uid("folder", "")]
    assert len(boards) == 2
    assert all('"uid": "metrics"' in json.dumps(board.body["model"]) for board in boards)
    assert of(Kind.FOLDER, found)[uid("folder", "")].state["readers"] == ["ecgstream operations"]
    assert "ecgstream operations" not in of(Kind.TEAM, things("H"))


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (person("grafana_h", (roles.Kind.CLINIC, "H")), "cannot log in"),
        (person("grafana_h", (roles.Kind.CLINIC, "H"), sql_login=True, disabled=True), "cannot log in"),
        (person("grafana_h", (roles.Kind.CLINIC, "W"), sql_login=True), "nothing else anywhere"),
        (person("grafana_h", (roles.Kind.SERVICE, "H"), sql_login=True), "kind clinic"),
        (
            person("grafana_h", (roles.Kind.CLINIC, "H"), (roles.Kind.CLINIC, "S"), sql_login=True),
            "nothing else anywhere",
        ),
        (
            person("grafana_h", (roles.Kind.CLINIC, "H"), (roles.Kind.AUDITOR, "H"), sql_login=True),
            "nothing else anywhere",
        ),
        (None, "cannot log in"),
    ],
)
def test_a_login_that_reads_more_than_its_facility_or_nothing_is_refused(
    account: Person | None, said: str
) -> None:
    people = [p for p in PEOPLE if p.account != "grafana_h"] + ([account] if account else [])
    with pytest.raises(DashboardsError, match=said) as refused:
        wanted(shown("H"), TREE, people, [], apart=False)
    assert "secret of" not in str(refused.value)


def test_an_unknown_facility_is_refused() -> None:
    with pytest.raises(DashboardsError, match="no facility X"):
        things("X")


def test_facilities_share_an_organisation_only_where_data_sources_are_kept_apart_or_all_may_see_all() -> None:
    with pytest.raises(DashboardsError, match="one_audience"):
        things("H", "S", one_audience=False)
    assert things("H", one_audience=False)
    kept = things("H", "S", one_audience=False, apart=True)
    assert of(Kind.SOURCE, kept)[uid("source", "H")].state["readers"] == ["ecgstream H"]


def test_one_language_is_enough() -> None:
    found = of(Kind.DASHBOARD, things("H", languages=["zh-Hans"]))
    assert len(found) == 5
    assert {board.title for board in found.values()} == {
        "患者趋势 · H",
        "科室总览 · H",
        "区域总览 · H",
        "设备健康 · H",
        "报警统计 · H",
    }

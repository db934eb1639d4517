"""A Grafana is brought to what is wanted: by its HTTP API as published and, where one is named, a real one.

``ECGSTREAM_GRAFANA_URL`` and ``ECGSTREAM_GRAFANA_TOKEN`` name a real one: with an organisation for tests, in
which nothing of ecgstream's stands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from ecgstream.dashboards.errors import DashboardsError
from ecgstream.dashboards.grafana import Grafana
from ecgstream.dashboards.plan import Act, Step, plan
from ecgstream.dashboards.things import Kind, Thing, uid
from tests.ecgstream.dashboards import network
from tests.ecgstream.dashboards.published import TOKEN, Published, served

REAL = os.environ.get("ECGSTREAM_GRAFANA_URL", "")
REAL_TOKEN = os.environ.get("ECGSTREAM_GRAFANA_TOKEN", "")


@dataclass
class Server:
    """A Grafana to try things on; ``holds`` is what the published one holds, nothing of a real one."""

    url: str
    token: str
    holds: Published | None = None

    def connect(self) -> Grafana:
        return Grafana(self.url, self.token)

    def steps(self, wanted: list[Thing]) -> list[Step]:
        with self.connect() as grafana:
            return plan(wanted, grafana.read(wanted))

    def bring(self, wanted: list[Thing]) -> list[Step]:
        with self.connect() as grafana:
            steps = plan(wanted, grafana.read(wanted))
            for step in steps:
                grafana.do(step)
        return steps


@pytest.fixture
def published() -> Iterator[Server]:
    holds = Published()
    with served(holds) as url:
        yield Server(url, TOKEN, holds)


@pytest.fixture(params=["published", "real"] if REAL else ["published"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "published":
        yield request.getfixturevalue("published")
        return
    found = Server(REAL, REAL_TOKEN)
    if found.steps([]):
        pytest.fail("this organisation has things of ecgstream's: name one for tests", pytrace=False)
    yield found
    found.bring([])


def wanted(server: Server, *codes: str, **more: object) -> list[Thing]:
    with server.connect() as grafana:
        members = tuple(grafana.users)[:1]
        found = network.things(*codes, users=members, apart=grafana.apart, **more)
    # Whoever a real Grafana knows is somebody of the first facility.
    return [replace(t, state={"members": sorted(members)}) if t.key == "ecgstream H" else t for t in found]


# --- on both


def test_what_is_wanted_is_made_and_the_second_time_nothing_is_done(server: Server) -> None:
    things = wanted(server, "H", "S")
    assert {step.act for step in server.bring(things)} == {Act.CREATE}
    assert server.steps(things) == []
    if server.holds:
        before = len(server.holds.writes)
        server.bring(things)
        assert len(server.holds.writes) == before


def test_everything_that_was_made_is_deleted_and_the_second_time_nothing_is_done(server: Server) -> None:
    things = wanted(server, "H", "S")
    server.bring(things)
    assert len(server.bring([])) == len(things)
    assert server.steps([]) == []


def test_a_facility_that_goes_takes_what_is_its_own(server: Server) -> None:
    server.bring(wanted(server, "H", "S"))
    gone = server.bring(wanted(server, "H"))
    assert {step.act for step in gone} == {Act.DELETE}
    assert {step.thing.key for step in gone} >= {uid("folder", "S"), uid("source", "S"), "ecgstream S"}
    assert server.steps(wanted(server, "H")) == []


def test_what_differs_is_updated_and_nothing_else(server: Server) -> None:
    server.bring(wanted(server, "H"))
    things = wanted(server, "H", database="other.example:5432/ecgstream")
    things = [
        replace(t, title="Renamed", state={**t.state, "title": "Renamed"}) if t.kind is Kind.FOLDER else t
        for t in things
    ]
    steps = server.bring(things)
    assert [(step.act, step.thing.kind, step.differs) for step in steps] == [
        (Act.UPDATE, Kind.FOLDER, ("title",)),
        (Act.UPDATE, Kind.SOURCE, ("url",)),
    ]
    assert server.steps(things) == []


def test_a_new_version_of_a_dashboard_replaces_the_old_one(server: Server) -> None:
    server.bring(wanted(server, "H"))
    things = wanted(server, "H")
    last = things[-1]
    things[-1] = replace(
        last,
        state={**last.state, "content": "0123456789abcdef"},
        body={"model": {**last.body["model"], "refresh": "13m"}},
    )
    assert [(s.act, s.thing.key, s.differs) for s in server.bring(things)] == [
        (Act.UPDATE, last.key, ("content",))
    ]
    assert server.steps(things) == []


def test_what_others_have_made_is_left_alone(server: Server) -> None:
    with server.connect() as grafana:
        api = grafana._api
        api.folder.create_folder("Others", "others")
        tagged = {"uid": "others-1", "title": "Tagged as ours", "tags": ["ecgstream"], "panels": []}
        api.dashboard.update_dashboard({"dashboard": tagged, "folderUid": "others", "overwrite": False})
        team = api.teams.add_team({"name": "ecgstream friends", "email": "friends@example.org"})["teamId"]
        source = {"uid": "ecg-not-marked", "name": "theirs", "type": "prometheus", "access": "proxy"}
        api.datasource.create_datasource({**source, "url": "http://p.example", "jsonData": {}})
        try:
            server.bring(wanted(server, "H"))
            server.bring([])
            assert api.folder.get_folder("others")["title"] == "Others"
            assert api.dashboard.get_dashboard("others-1")["dashboard"]["title"] == "Tagged as ours"
            assert [t["id"] for t in api.teams.get_team_by_name("ecgstream%20friends")] == [team]
            assert api.datasource.get_datasource_by_uid("ecg-not-marked")["name"] == "theirs"
        finally:
            api.dashboard.delete_dashboard("others-1")
            api.folder.delete_folder("others")
            api.teams.delete_team(team)
            api.datasource.delete_datasource_by_uid("ecg-not-marked")


def test_a_dashboard_that_was_changed_by_hand_is_brought_back(server: Server) -> None:
    things = wanted(server, "H")
    server.bring(things)
    key = things[-1].key
    with server.connect() as grafana:
        model = grafana._api.dashboard.get_dashboard(key)["dashboard"] | {"title": "Mine now"}
        saved = {
            "dashboard": model,
            "folderUid": uid("folder", "H"),
            "message": "by hand",
            "overwrite": False,
        }
        grafana._api.dashboard.update_dashboard(saved)
    steps = server.bring(things)
    assert [(step.act, step.thing.key, step.differs) for step in steps] == [(Act.UPDATE, key, ("content",))]
    assert server.steps(things) == []


def test_rights_that_somebody_was_given_by_hand_are_taken_away(server: Server) -> None:
    things = wanted(server, "H")
    server.bring(things)
    with server.connect() as grafana:
        opened = {"items": [{"role": "Viewer", "permission": 1}]}
        grafana._api.folder.update_folder_permissions(uid("folder", "H"), opened)
    (step,) = server.bring(things)
    assert (step.thing.kind, step.differs) == (Kind.FOLDER, ("readers",))
    assert server.steps(things) == []


def test_a_folder_in_which_others_keep_something_is_not_deleted(server: Server) -> None:
    server.bring(wanted(server, "H"))
    with server.connect() as grafana:
        theirs = {"uid": "theirs", "title": "Theirs", "panels": []}
        saved = {"dashboard": theirs, "folderUid": uid("folder", "H"), "overwrite": False}
        grafana._api.dashboard.update_dashboard(saved)
        try:
            with pytest.raises(DashboardsError, match="'Theirs'"):
                server.bring([])
            assert grafana._api.dashboard.get_dashboard("theirs")
        finally:
            grafana._api.dashboard.delete_dashboard("theirs")
            server.bring([])


def test_somebody_elses_team_of_our_name_is_not_taken(server: Server) -> None:
    with server.connect() as grafana:
        team = grafana._api.teams.add_team({"name": "ecgstream H"})["teamId"]
        try:
            with pytest.raises(
                DashboardsError, match="409: there is another of this name, which is not ours"
            ):
                server.bring(wanted(server, "H"))
            assert grafana._api.teams.get_team_members(team) is not None
        finally:
            grafana._api.teams.delete_team(team)


def test_a_wrong_token_is_said_and_not_repeated(server: Server) -> None:
    with pytest.raises(DashboardsError, match="401: the token is not valid") as refused:
        Grafana(server.url, "glsa_guessed")
    assert "guessed" not in str(refused.value)


# --- on the published one alone: what takes a look into it, or a fault


def test_a_run_that_ends_anywhere_is_finished_by_the_next(published: Server) -> None:
    things = network.things("H", languages=["en"])
    n = len(published.steps(things))
    for done in range(n + 1):
        with published.connect() as grafana:
            for step in plan(things, grafana.read(things))[:done]:
                grafana.do(step)
        published.bring(things)
        assert published.steps(things) == []
        published.bring([])


def test_a_folder_that_was_made_and_not_yet_closed_is_closed_before_anything_comes_into_it(
    published: Server,
) -> None:
    things = network.things("H")
    with published.connect() as grafana:
        grafana._api.folder.create_folder("Hospital · 医院 (H)", uid("folder", "H"))
    kinds = [(step.act, step.thing.kind) for step in published.bring(things)]
    assert (Act.UPDATE, Kind.FOLDER) in kinds
    assert kinds.index((Act.UPDATE, Kind.FOLDER)) < kinds.index((Act.CREATE, Kind.DASHBOARD))
    assert published.holds is not None
    assert [right["team"] for right in published.holds.rights[uid("folder", "H")]] == ["ecgstream H"]


def test_a_change_between_reading_and_writing_is_not_overwritten(published: Server) -> None:
    things = network.things("H")
    published.bring(things)
    things[-1] = replace(things[-1], state={**things[-1].state, "content": "0" * 16})
    with published.connect() as grafana:
        (step,) = plan(things, grafana.read(things))
        with published.connect() as other:
            model = other._api.dashboard.get_dashboard(step.thing.key)["dashboard"]
            other._api.dashboard.update_dashboard({"dashboard": model, "folderUid": uid("folder", "H")})
        with pytest.raises(DashboardsError, match="412: somebody else has changed or made it meanwhile"):
            grafana.do(step)


def test_members_come_and_go(published: Server) -> None:
    published.bring(network.things("S", users=()))
    steps = published.bring(network.things("S"))
    assert [(step.thing.key, step.differs) for step in steps] == [("ecgstream S", ("members",))]
    assert published.holds is not None
    assert list(published.holds.members.values()) == [{3}]
    published.bring(network.things("S", users=()))
    assert list(published.holds.members.values()) == [set()]


def test_the_password_reaches_grafana_and_nobody_reads_it_back(published: Server) -> None:
    things = network.things("H")
    published.bring(things)
    assert published.holds is not None
    (source,) = published.holds.sources.values()
    assert source["secureJsonData"] == {"password": "secret of H"}
    assert "secret of H" not in str(
        {name: value for name, value in source.items() if name != "secureJsonData"}
    )
    assert "secret of H" not in str(published.steps(things))


def test_enterprise_lets_the_teams_query_a_data_source_and_nobody_else() -> None:
    holds = Published(enterprise=True)
    with served(holds) as url:
        server = Server(url, TOKEN, holds)
        things = network.things("W", "H", apart=True, one_audience=False)
        server.bring(things)
        assert server.steps(things) == []
        rights = holds.source_rights[uid("source", "H")]
        assert sorted(right["team"] for right in rights) == ["ecgstream H", "ecgstream W"]
        rights.append({"builtInRole": "Viewer"})
        (step,) = server.bring(things)
        assert (step.thing.key, step.differs) == (uid("source", "H"), ("readers",))
        assert server.steps(things) == []


def test_versions_come_as_a_list_from_older_servers(
    published: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    things = network.things("H")
    published.bring(things)
    answer = Published.answer

    def older(self: Published, method: str, path: str, query: dict[str, str], body: object) -> object:
        found = answer(self, method, path, query, body)
        return found["versions"] if path.endswith("/versions") else found

    monkeypatch.setattr(Published, "answer", older)
    assert published.steps(things) == []


def test_searches_go_on_behind_the_first_page(published: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgstream.dashboards.server.api._PAGE", 3)
    things = network.things("W", "H", "S")
    published.bring(things)
    assert len(published.bring([])) == len(things)


def test_no_grafana_is_one_clear_line() -> None:
    with pytest.raises(DashboardsError, match="no answer from a Grafana"):
        Grafana("http://127.0.0.1:9", "glsa_token")


def test_an_answer_that_is_none_of_grafanas_is_one_clear_line(
    published: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.ecgstream.dashboards.published.json.dumps", lambda *_: "<html>not Grafana</html>"
    )
    with pytest.raises(DashboardsError, match="no answer from a Grafana"):
        published.connect()

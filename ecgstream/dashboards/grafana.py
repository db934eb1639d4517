"""A Grafana as a whole: what stands in it that is ours, and each step done."""

from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from ecgstream.dashboards.plan import Act, Step
from ecgstream.dashboards.server import api as server
from ecgstream.dashboards.server.boards import Boards
from ecgstream.dashboards.server.folders import Folders
from ecgstream.dashboards.server.sources import Sources, keeps_apart
from ecgstream.dashboards.server.teams import Teams
from ecgstream.dashboards.things import Kind, Thing


class _Keeper(Protocol):
    def read(self, _keys: set[str], /) -> Iterable[Thing]: ...
    def create(self, thing: Thing) -> None: ...
    def update(self, thing: Thing) -> None: ...
    def delete(self, thing: Thing) -> None: ...


class Grafana:
    """One organisation of a Grafana.

    Args:
        url: of Grafana.
        token: of a service account with the role Admin in the organisation.

    Attributes:
        users: login to id of everybody in the organisation.
        apart: whether it keeps data sources from those who may not query them.

    Raises:
        DashboardsError: it cannot be reached, or refuses.
    """

    def __init__(self, url: str, token: str) -> None:
        self._api = server.connect(url, token)
        with server.asking("the organisation's users"):
            members = self._api.organization.get_current_organization_users()
            self.users: dict[str, int] = {member["login"]: member["userId"] for member in members}
            self.apart = keeps_apart(self._api)
        teams = Teams(self._api, self.users)
        self._keepers: dict[Kind, _Keeper] = {
            Kind.TEAM: teams,
            Kind.FOLDER: Folders(self._api, teams.ids),
            Kind.SOURCE: Sources(self._api, teams.ids, apart=self.apart),
            Kind.DASHBOARD: Boards(self._api),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._api.client.s.close()

    def read(self, wanted: Iterable[Thing]) -> list[Thing]:
        """Return what stands there of ours: what was made here, wanted or not.

        Raises:
            DashboardsError: it cannot be reached, or refuses.
        """
        keys: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        for thing in wanted:
            keys[thing.kind].add(thing.key)
        there: list[Thing] = []
        for kind, keeper in self._keepers.items():
            with server.asking(f"{kind.words}s"):
                there += keeper.read(keys[kind])
        return there

    def has_source(self, uid: str) -> bool:
        """Say whether there is a data source, whosever it is."""
        with server.asking("data sources"):
            return server.found(self._api, f"/datasources/uid/{uid}") is not None

    def do(self, step: Step) -> None:
        """Do one step; what was read before must still be so.

        Raises:
            DashboardsError: Grafana refuses, or somebody else has changed it since.
        """
        keeper, thing = self._keepers[step.thing.kind], step.thing
        with server.asking(f"{step.act} {thing.kind.words} {thing.title}"):
            if step.act is Act.CREATE:
                keeper.create(thing)
            elif step.act is Act.UPDATE:
                keeper.update(thing)
            else:
                keeper.delete(thing)

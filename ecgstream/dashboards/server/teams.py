"""Teams: ours are known by an address that can be nobody's, since Grafana has no tags for them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from grafana_client import GrafanaApi

from ecgstream.dashboards.server import api as server
from ecgstream.dashboards.things import TEAM, Kind, Thing

_MARK = "ecgstream@ecgstream.invalid"  # RFC 2606: no such domain will ever be


class Teams:
    """The teams of an organisation that were made here.

    Args:
        api: of Grafana.
        users: login to id of everybody whom Grafana knows in the organisation.

    Attributes:
        ids: name of each of our teams to Grafana's number of it.
    """

    def __init__(self, api: GrafanaApi, users: Mapping[str, int]) -> None:
        self._api = api
        self._users = users
        self.ids: dict[str, int] = {}

    def read(self, _keys: Collection[str]) -> Iterator[Thing]:
        """Give those that are there."""
        ours = [team for team in server.teams(self._api, TEAM) if team["email"] == _MARK]
        self.ids.clear()
        self.ids.update({team["name"]: team["id"] for team in ours})
        for name in self.ids:
            yield Thing(Kind.TEAM, name, name, {"members": sorted(self._members(name))})

    def create(self, thing: Thing) -> None:
        """Make a team with its members; whoever makes it is none."""
        made = self._api.teams.add_team({"name": thing.key, "email": _MARK})
        self.ids[thing.key] = made["teamId"]
        self.update(thing)

    def update(self, thing: Thing) -> None:
        """Let those in who belong there, and put out who does not."""
        now, wanted = (
            self._members(thing.key),
            {login: self._users[login] for login in thing.state["members"]},
        )
        for login in wanted.keys() - now.keys():
            self._api.teams.add_team_member(self.ids[thing.key], wanted[login])
        for login in now.keys() - wanted.keys():
            self._api.teams.remove_team_member(self.ids[thing.key], now[login])

    def delete(self, thing: Thing) -> None:
        """Delete a team; its members stay Grafana's users."""
        self._api.teams.delete_team(self.ids.pop(thing.key))

    def _members(self, name: str) -> dict[str, int]:
        members: list[dict[str, Any]] = self._api.teams.get_team_members(self.ids[name])
        return {member["login"]: member["userId"] for member in members}

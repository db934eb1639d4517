"""Data sources: ours are known by their uids and a mark in their settings."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from grafana_client import GrafanaApi

from ecgstream.dashboards.errors import DashboardsError
from ecgstream.dashboards.server import api as server
from ecgstream.dashboards.things import PREFIX, Kind, Thing

_MARK = {"madeBy": "ecgstream"}
_OPEN = ("Viewer", "Editor")


def keeps_apart(api: GrafanaApi) -> bool:
    """Say whether this Grafana can let some query a data source and others not: Enterprise's can.

    Elsewhere whoever may look at anything in an organisation may send any query to any data source of it.
    """
    status = server.found(api, "/access-control/status")
    return bool(status and status.get("enabled"))


class Sources:
    """The data sources of an organisation that were made here.

    Args:
        api: of Grafana.
        teams: name of each of our teams to Grafana's number of it.
        apart: whether Grafana keeps data sources from those who may not query them.
    """

    def __init__(self, api: GrafanaApi, teams: Mapping[str, int], *, apart: bool) -> None:
        self._api = api
        self._teams = teams
        self._apart = apart

    def read(self, _keys: Collection[str]) -> Iterator[Thing]:
        """Give those that are there."""
        for listed in self._api.datasource.list_datasources():
            marked = {**listed.get("jsonData", {}), **_MARK} == listed.get("jsonData")
            if listed["uid"].startswith(PREFIX) and marked:
                yield self._thing(self._api.datasource.get_datasource_by_uid(listed["uid"]))

    def create(self, thing: Thing) -> None:
        """Make a data source."""
        self._api.datasource.create_datasource(_as_sent(thing))
        self._let_in(thing)

    def update(self, thing: Thing) -> None:
        """Bring a data source to what is wanted; its password is sent again."""
        self._api.datasource.update_datasource_by_uid(thing.key, _as_sent(thing))
        self._let_in(thing)

    def delete(self, thing: Thing) -> None:
        """Delete a data source, and with it the password that Grafana keeps."""
        self._api.datasource.delete_datasource_by_uid(thing.key)

    def _thing(self, found: Mapping[str, Any]) -> Thing:
        settings = {name: value for name, value in found["jsonData"].items() if name not in _MARK}
        state = {
            "name": found["name"],
            "url": found["url"],
            "user": found["user"],
            "settings": settings,
            "password": bool(found.get("secureJsonFields", {}).get("password")),
        }
        if self._apart:
            state["readers"] = sorted(self._readers(found["uid"]))
        return Thing(Kind.SOURCE, found["uid"], found["name"], state)

    def _readers(self, uid: str) -> Iterator[str]:
        for right in self._api.rbac.get_rbac_datasources(uid):
            if right.get("builtInRole") in _OPEN:
                yield f"everybody who is {right['builtInRole']}"
            elif right.get("team"):
                yield right["team"]

    def _let_in(self, thing: Thing) -> None:
        """Let teams query it and nobody else, but for the organisation's admins."""
        if not self._apart:
            return
        now, wanted = set(self._readers(thing.key)), set(thing.state["readers"])
        for role in _OPEN:
            self._api.rbac.set_rbac_datasources_builtin_roles(thing.key, role, "")
        for name in wanted - now:
            self._api.rbac.set_rbac_datasources_teams(thing.key, self._teams[name], "Query")
        for name in now & self._teams.keys() - wanted:
            self._api.rbac.set_rbac_datasources_teams(thing.key, self._teams[name], "")
        if set(self._readers(thing.key)) != wanted:
            raise DashboardsError("others than its teams may query it, and that could not be taken away")


def _as_sent(thing: Thing) -> dict[str, Any]:
    return {
        "uid": thing.key,
        "name": thing.state["name"],
        "type": thing.body["type"],
        "access": thing.body["access"],
        "url": thing.state["url"],
        "user": thing.state["user"],
        "jsonData": {**thing.state["settings"], **_MARK},
        "secureJsonData": {"password": thing.body["password"].get_secret_value()},
    }

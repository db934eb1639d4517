"""Folders, and who sees what is in them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from grafana_client import GrafanaApi

from ecgstream.dashboards.errors import DashboardsError
from ecgstream.dashboards.server import api as server
from ecgstream.dashboards.things import PREFIX, Kind, Thing

_VIEW = 1


class Folders:
    """The folders of an organisation that were made here.

    Args:
        api: of Grafana.
        teams: name of each of our teams to Grafana's number of it.
    """

    def __init__(self, api: GrafanaApi, teams: Mapping[str, int]) -> None:
        self._api = api
        self._teams = teams

    def read(self, keys: Collection[str]) -> Iterator[Thing]:
        """Give those that are there: those of ``keys`` at once, though a search may not know them yet."""
        known = {found["uid"] for found in server.search(self._api, "type=dash-folder")}
        for key in sorted({uid for uid in known if uid.startswith(PREFIX)} | set(keys)):
            folder = server.found(self._api, f"/folders/{key}")
            if folder is not None:
                readers = sorted(self._readers(key))
                state = {"title": folder["title"], "readers": readers}
                yield Thing(Kind.FOLDER, key, folder["title"], state)

    def create(self, thing: Thing) -> None:
        """Make a folder that its teams see; until that is said, it is open, and empty."""
        self._api.folder.create_folder(thing.title, thing.key)
        self._let_in(thing)

    def update(self, thing: Thing) -> None:
        """Set the title, and who sees it."""
        self._api.folder.update_folder(thing.key, title=thing.title, overwrite=True)
        self._let_in(thing)

    def delete(self, thing: Thing) -> None:
        """Delete a folder that is empty: somebody may have put dashboards of their own into it."""
        held = server.search(self._api, f"folderUIDs={thing.key}")
        rest = [found["title"] for found in held if not found["uid"].startswith(PREFIX)]
        if rest:
            raise DashboardsError(f"it holds {len(rest)} that are not ours, as {rest[0]!r}: move them")
        self._api.folder.delete_folder(thing.key)

    def _let_in(self, thing: Thing) -> None:
        items = [{"teamId": self._teams[name], "permission": _VIEW} for name in thing.state["readers"]]
        self._api.folder.update_folder_permissions(thing.key, {"items": items})

    def _readers(self, key: str) -> Iterator[str]:
        """Who has a right of its own: a team that may look by its name, all else by what it may do, too."""
        for right in self._api.folder.get_folder_permissions(key):
            if right.get("inherited") or right.get("role") == "Admin":
                continue  # not to be taken away
            yield _named(right)


def _named(right: Mapping[str, Any]) -> str:
    if right.get("teamId") and right["permission"] == _VIEW:
        return str(right["team"])
    who = right.get("team") or right.get("role") or right.get("userLogin")
    return f"{who} ({right['permissionName']})"

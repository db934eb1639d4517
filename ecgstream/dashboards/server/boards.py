"""Dashboards: ours are known by their uids and tag; what they hold, by the message of their newest version.

What Grafana gives back of a dashboard is not always what it was given: later ones bring it to a newer form.
So the content is not compared: each version has a message, and ours is the content's digest. Whoever changes
a dashboard by hand makes a version with another message, and the next run brings back what is wanted.
"""

from collections.abc import Collection, Iterator
from typing import Any

from grafana_client import GrafanaApi

from ecgstream.dashboards.build import TAG
from ecgstream.dashboards.server import api as server
from ecgstream.dashboards.things import PREFIX, Kind, Thing

_MESSAGE = "ecgstream "


class Boards:
    """The dashboards of an organisation that were made here."""

    def __init__(self, api: GrafanaApi) -> None:
        self._api = api
        self._versions: dict[str, int] = {}

    def read(self, keys: Collection[str]) -> Iterator[Thing]:
        """Give those that are there: those of ``keys`` at once, though a search may not know them yet."""
        known = {found["uid"] for found in server.search(self._api, f"type=dash-db&tag={TAG}")}
        for key in sorted({uid for uid in known if uid.startswith(PREFIX)} | set(keys)):
            there = server.found(self._api, f"/dashboards/uid/{key}")
            if there is not None:
                self._versions[key] = there["dashboard"]["version"]
                state = {"folder": there["meta"].get("folderUid", ""), "content": self._content(key)}
                yield Thing(Kind.DASHBOARD, key, there["dashboard"]["title"], state)

    def create(self, thing: Thing) -> None:
        """Make a dashboard; Grafana refuses where there is one already."""
        self._save(thing, thing.body["model"])

    def update(self, thing: Thing) -> None:
        """Make a new version; Grafana refuses where somebody else has made one since it was read."""
        self._save(thing, {**thing.body["model"], "version": self._versions[thing.key]})

    def delete(self, thing: Thing) -> None:
        """Delete a dashboard."""
        self._api.dashboard.delete_dashboard(thing.key)

    def _save(self, thing: Thing, model: dict[str, Any]) -> None:
        message = f"{_MESSAGE}{thing.state['content']}"
        saved = {
            "dashboard": model,
            "folderUid": thing.state["folder"],
            "message": message,
            "overwrite": False,
        }
        self._api.dashboard.update_dashboard(saved)

    def _content(self, key: str) -> str:
        """Return the digest of what was saved last, or that it was somebody else who did."""
        answer = server.found(self._api, f"/dashboards/uid/{key}/versions?limit=1")
        versions = answer["versions"] if isinstance(answer, dict) else answer  # a list before Grafana 11.3
        message = str(versions[0].get("message", "")) if versions else ""
        return message.removeprefix(_MESSAGE) if message.startswith(_MESSAGE) else "changed by hand"

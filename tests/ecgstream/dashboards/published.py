"""A server that answers as Grafana's HTTP API is published to, as far as dashboards, folders, teams go.

Source: Grafana 12's documentation, "HTTP API": dashboard, dashboard versions, folder, folder permissions,
folder/dashboard search, team, data source, data source permissions, organization, RBAC.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

TOKEN = "glsa_of-the-tests"  # noqa: S105 - of no server
PERMISSIONS = {1: "View", 2: "Edit", 4: "Admin"}


class Refused(Exception):  # noqa: N818 - an answer
    """An answer that is no success."""

    def __init__(self, code: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.code, self.body = code, {"message": message, **more}


class Published:
    """What the server holds, of one organisation.

    Args:
        enterprise: whether data sources have permissions.
        users: login to id.
    """

    def __init__(self, *, enterprise: bool = False, users: dict[str, int] | None = None) -> None:
        self.enterprise = enterprise
        self.users = {"li": 2, "wang": 3, "admin": 1} if users is None else users
        self.folders: dict[str, dict[str, Any]] = {}
        self.rights: dict[str, list[dict[str, Any]]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.teams: dict[int, dict[str, Any]] = {}
        self.members: dict[int, set[int]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.source_rights: dict[str, list[dict[str, Any]]] = {}
        self.writes: list[str] = []
        self._ids = itertools.count(10)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        for verb, pattern, handler in ROUTES:
            matched = re.fullmatch(pattern, path)
            if verb == method and matched:
                if method != "GET":
                    self.writes.append(f"{method} {path}")
                return handler(
                    self, *matched.groups(), **({"query": query} if method == "GET" else {"body": body})
                )
        raise Refused(404, "Not found")

    # --- folders

    def folder(self, uid: str, query: dict[str, str]) -> Any:
        return _there(self.folders, uid, "folder not found")

    def add_folder(self, body: Any) -> Any:
        if not body.get("title"):
            raise Refused(400, "folder title cannot be empty")
        if body["uid"] in self.folders:
            raise Refused(409, "a folder with that uid already exists")
        _fits(body["uid"])
        found = {"id": next(self._ids), "uid": body["uid"], "title": body["title"], "version": 1}
        self.folders[body["uid"]] = found
        self.rights[body["uid"]] = [_right(role="Viewer", permission=1), _right(role="Editor", permission=2)]
        return found

    def set_folder(self, uid: str, body: Any) -> Any:
        found = _there(self.folders, uid, "folder not found")
        if not body.get("overwrite") and body.get("version") != found["version"]:
            raise Refused(412, "the folder has been changed by someone else", status="version-mismatch")
        found |= {"title": body["title"], "version": found["version"] + 1}
        return found

    def remove_folder(self, uid: str, body: Any) -> Any:
        _there(self.folders, uid, "folder not found")
        del self.folders[uid]
        self.dashboards = {key: d for key, d in self.dashboards.items() if d["folder"] != uid}
        return {"message": "Folder deleted"}

    def folder_rights(self, uid: str, query: dict[str, str]) -> Any:
        return _there(self.rights, uid, "folder not found")

    def set_folder_rights(self, uid: str, body: Any) -> Any:
        _there(self.folders, uid, "folder not found")
        if any(item.get("teamId") not in self.teams for item in body["items"] if "teamId" in item):
            raise Refused(400, "team not found")
        self.rights[uid] = [
            _right(**item, team=self.teams.get(item.get("teamId"), {}).get("name", ""))
            for item in body["items"]
        ]
        return {"message": "Folder permissions updated"}

    # --- dashboards

    def dashboard(self, uid: str, query: dict[str, str]) -> Any:
        found = _there(self.dashboards, uid, "Dashboard not found")
        newest = found["versions"][-1]
        model = {**newest["data"], "id": found["id"], "version": newest["version"], "schemaVersion": 42}
        return {"dashboard": model, "meta": {"folderUid": found["folder"], "version": newest["version"]}}

    def versions(self, uid: str, query: dict[str, str]) -> Any:
        found = _there(self.dashboards, uid, "Dashboard not found")["versions"]
        told = [{name: version[name] for name in ("version", "message")} for version in reversed(found)]
        return {"continueToken": "", "versions": told[: int(query.get("limit", 1000))]}

    def save_dashboard(self, body: Any) -> Any:
        model, folder = body["dashboard"], body.get("folderUid", "")
        uid = model["uid"]
        _fits(uid)
        if folder:
            _there(self.folders, folder, "folder not found", status=400)
        there = self.dashboards.get(uid)
        if there and not body.get("overwrite") and model.get("version") != there["versions"][-1]["version"]:
            said = "The dashboard has been changed by someone else"
            raise Refused(412, said, status="version-mismatch")
        found = there or {"id": next(self._ids), "versions": []}
        version = len(found["versions"]) + 1
        found["versions"].append({"version": version, "message": body.get("message", ""), "data": model})
        self.dashboards[uid] = found | {"folder": folder}
        return {"id": found["id"], "uid": uid, "status": "success", "version": version}

    def remove_dashboard(self, uid: str, body: Any) -> Any:
        _there(self.dashboards, uid, "Dashboard not found")
        return {"title": self.dashboards.pop(uid)["versions"][-1]["data"]["title"]}

    def search(self, query: dict[str, str]) -> Any:
        found = []
        if query.get("type") != "dash-db" and "folderUIDs" not in query:
            found += [
                {"uid": uid, "title": f["title"], "type": "dash-folder"} for uid, f in self.folders.items()
            ]
        for uid, there in self.dashboards.items() if query.get("type") != "dash-folder" else ():
            model = there["versions"][-1]["data"]
            tagged = query.get("tag") in (None, *model.get("tags", ()))
            if tagged and query.get("folderUIDs") in (None, there["folder"]):
                found.append({"uid": uid, "title": model["title"], "folderUid": there["folder"]})
        return _page(found, query, "limit")

    # --- teams and people

    def org_users(self, query: dict[str, str]) -> Any:
        return [{"userId": number, "login": login, "role": "Viewer"} for login, number in self.users.items()]

    def search_teams(self, query: dict[str, str]) -> Any:
        found = [team for team in self.teams.values() if query.get("query", "") in team["name"]]
        return {"totalCount": len(found), "teams": _page(found, query, "perpage"), "page": 1, "perPage": 1000}

    def add_team(self, body: Any) -> Any:
        if any(team["name"] == body["name"] for team in self.teams.values()):
            raise Refused(409, "Team name taken")
        number = next(self._ids)
        self.teams[number] = {"id": number, "name": body["name"], "email": body.get("email", "")}
        self.members[number] = {self.users["admin"]} if "admin" in self.users else set()  # who makes it
        return {"message": "Team created", "teamId": number}

    def remove_team(self, number: str, body: Any) -> Any:
        _there(self.teams, int(number), "Team not found")
        del self.teams[int(number)], self.members[int(number)]
        self.rights = {uid: [r for r in rs if r["teamId"] != int(number)] for uid, rs in self.rights.items()}
        return {"message": "Team deleted"}

    def team_members(self, number: str, query: dict[str, str]) -> Any:
        logins = {user: login for login, user in self.users.items()}
        members = _there(self.members, int(number), "Team not found")
        return [{"teamId": int(number), "userId": user, "login": logins[user]} for user in members]

    def add_member(self, number: str, body: Any) -> Any:
        members = _there(self.members, int(number), "Team not found")
        if body["userId"] in members:
            raise Refused(400, "User is already added to this team")
        members.add(body["userId"])
        return {"message": "Member added to Team"}

    def remove_member(self, number: str, user: str, body: Any) -> Any:
        members = _there(self.members, int(number), "Team not found")
        if int(user) not in members:
            raise Refused(404, "Team member not found")
        members.remove(int(user))
        return {"message": "Team Member removed"}

    # --- data sources

    def list_sources(self, query: dict[str, str]) -> Any:
        return [{k: v for k, v in s.items() if not k.startswith("secure")} for s in self.sources.values()]

    def source(self, uid: str, query: dict[str, str]) -> Any:
        found = dict(_there(self.sources, uid, "Data source not found"))
        found["secureJsonFields"] = dict.fromkeys(found.pop("secureJsonData", {}), True)
        return found

    def add_source(self, body: Any) -> Any:
        if body["uid"] in self.sources or any(s["name"] == body["name"] for s in self.sources.values()):
            raise Refused(409, "data source with the same name already exists")
        _fits(body["uid"])
        self.sources[body["uid"]] = {"id": next(self._ids), "readOnly": False, **body}
        self.source_rights[body["uid"]] = [_right(builtInRole="Viewer"), _right(builtInRole="Editor")]
        return {"message": "Datasource added", "name": body["name"]}

    def set_source(self, uid: str, body: Any) -> Any:
        found = _there(self.sources, uid, "Data source not found")
        kept = {**found.get("secureJsonData", {}), **body.get("secureJsonData", {})}
        self.sources[uid] = {**found, **body, "secureJsonData": kept}
        return {"message": "Datasource updated"}

    def remove_source(self, uid: str, body: Any) -> Any:
        _there(self.sources, uid, "Data source not found")
        del self.sources[uid]
        return {"message": "Data source deleted"}

    def access_status(self, query: dict[str, str]) -> Any:
        if not self.enterprise:
            raise Refused(404, "Not found")
        return {"enabled": True}

    def rights_of_source(self, uid: str, query: dict[str, str]) -> Any:
        self.access_status({})
        return _there(self.source_rights, uid, "Data source not found")

    def set_rights_of_source(self, uid: str, what: str, who: str, body: Any) -> Any:
        self.access_status({})
        key, value = ("builtInRole", who) if what == "builtInRoles" else ("teamId", int(who))
        rights = [right for right in self.source_rights[uid] if right.get(key) != value]
        if body["permission"]:
            named = {"team": self.teams[int(who)]["name"]} if what == "teams" else {}
            rights.append(_right(**{key: value}, **named))
        self.source_rights[uid] = rights
        return {"message": "Permission updated"}


UID = r"([\w-]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/api/search", Published.search),
    ("GET", f"/api/folders/{UID}", Published.folder),
    ("POST", "/api/folders", Published.add_folder),
    ("PUT", f"/api/folders/{UID}", Published.set_folder),
    ("DELETE", f"/api/folders/{UID}", Published.remove_folder),
    ("GET", f"/api/folders/{UID}/permissions", Published.folder_rights),
    ("POST", f"/api/folders/{UID}/permissions", Published.set_folder_rights),
    ("POST", "/api/dashboards/db", Published.save_dashboard),
    ("GET", f"/api/dashboards/uid/{UID}", Published.dashboard),
    ("GET", f"/api/dashboards/uid/{UID}/versions", Published.versions),
    ("DELETE", f"/api/dashboards/uid/{UID}", Published.remove_dashboard),
    ("GET", "/api/org/users", Published.org_users),
    ("GET", "/api/teams/search", Published.search_teams),
    ("POST", "/api/teams", Published.add_team),
    ("DELETE", r"/api/teams/(\d+)", Published.remove_team),
    ("GET", r"/api/teams/(\d+)/members", Published.team_members),
    ("POST", r"/api/teams/(\d+)/members", Published.add_member),
    ("DELETE", r"/api/teams/(\d+)/members/(\d+)", Published.remove_member),
    ("GET", "/api/datasources", Published.list_sources),
    ("GET", f"/api/datasources/uid/{UID}", Published.source),
    ("POST", "/api/datasources", Published.add_source),
    ("PUT", f"/api/datasources/uid/{UID}", Published.set_source),
    ("DELETE", f"/api/datasources/uid/{UID}", Published.remove_source),
    ("GET", "/api/access-control/status", Published.access_status),
    ("GET", f"/api/access-control/datasources/{UID}", Published.rights_of_source),
    (
        "POST",
        f"/api/access-control/datasources/{UID}/(teams|builtInRoles)/(\\w+)",
        Published.set_rights_of_source,
    ),
)


def _there(things: dict[Any, Any], key: Any, message: str, *, status: int = 404) -> Any:
    if key not in things:
        raise Refused(status, message)
    return things[key]


def _fits(uid: str) -> None:
    if len(uid) > 40 or not re.fullmatch(r"[\w-]+", uid):
        raise Refused(400, "uid too long, or contains illegal characters")


def _right(permission: int = 1, **who: Any) -> dict[str, Any]:
    nobody = {"teamId": 0, "team": "", "userId": 0, "userLogin": "", "role": "", "builtInRole": ""}
    return {
        **nobody,
        **who,
        "permission": permission,
        "permissionName": PERMISSIONS[permission],
        "inherited": False,
    }


def _page(found: list[Any], query: dict[str, str], size: str) -> list[Any]:
    n, page = int(query.get(size, 1000)), int(query.get("page", 1))
    return found[n * (page - 1) : n * page]


class _Handler(BaseHTTPRequestHandler):
    holds: ClassVar[Published]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            status, said = 200, self._let_in().answer(self.command, url.path, query, body)
        except Refused as refused:
            status, said = refused.code, refused.body
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _let_in(self) -> Published:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "Invalid API key")
        return self.holds

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def served(holds: Published) -> Iterator[str]:
    """Serve what is published on a free port of this machine; give its address."""
    handler = type("Handler", (_Handler,), {"holds": holds})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()

"""Screens that stand unattended, as walls: who left them, what they show, and when they end.

A wall's cookie opens the wall's page and its socket, and nothing else. The database keeps its digest, so that
a wall lives through restarts; it knows when one ends, and who may end it (docs/access.md).
"""

import hashlib
import secrets
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from starlette.requests import HTTPConnection
from starlette.responses import Response

from ecgstream.monitor.guard import Guard
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.viewer import Viewer, Wall
from ecgstream.monitor.wording import language_of

_LIST: LiteralString = """
SELECT w.id, w.account, w.name, w.facility, f.name_en, f.name_zh, w.until, w.said_at, w.seen_at,
    w.account = %(account)s OR EXISTS (
        SELECT FROM api.positions AS p JOIN api.facilities AS g ON g.code = p.facility
        WHERE p.account = %(account)s AND p.kind = 'operator' AND f.path <@ g.path) AS may_end
FROM api.walls AS w JOIN api.facilities AS f ON f.code = w.facility
WHERE w.revoked_at IS NULL AND w.until > clock_timestamp()
ORDER BY f.path, w.name, w.id
"""
_PLACES: LiteralString = """
SELECT f.code, f.name_en, f.name_zh FROM api.facilities AS f
WHERE EXISTS (SELECT FROM api.positions AS p JOIN api.facilities AS g ON g.code = p.facility
              WHERE p.account = %s AND p.kind IN ('clinic', 'cardiologist', 'auditor') AND f.path <@ g.path)
ORDER BY f.path
"""


class Standing(NamedTuple):
    """A wall that stands, as it is listed; ``seen_at``: when its screen last asked, None: never."""

    id: UUID
    account: str
    name: str
    facility: str
    name_en: str
    name_zh: str
    until: datetime
    said_at: datetime
    seen_at: datetime | None
    may_end: bool


def standing(connection: psycopg.Connection, account: str) -> list[Standing]:
    """Return the walls that somebody may know of."""
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(_LIST, {"account": account}).fetchall()


def places(connection: psycopg.Connection, account: str) -> list[tuple[str, str, str]]:
    """Return code and names of the facilities of which somebody may leave a wall."""
    return connection.execute(_PLACES, (account,)).fetchall()


class Walls:
    """The walls' cookies.

    Args:
        guard: lets those in who have logged in, who come first.
        stored: keeps the walls.
    """

    def __init__(self, guard: Guard, stored: Stored) -> None:
        self._guard = guard
        self._stored = stored
        self._cookie = "__Host-wall" if guard.cookie_flags["secure"] else "wall"

    def watcher_of(self, connection: HTTPConnection) -> Viewer | None:
        """Return who looks at a wall: somebody who has logged in, or whose screen this is; None: nobody.

        Raises:
            psycopg.OperationalError: the database cannot be reached.
        """
        viewer = self._guard.viewer_of(connection)
        cookie = connection.cookies.get(self._cookie)
        if viewer is not None or not cookie:
            return viewer
        with self._stored.as_web() as database:
            found = database.execute("SELECT * FROM api.wall(%s)", (_digest(cookie),)).fetchone()
        if found is None:
            return None
        wall = Wall(*found)
        return Viewer(wall.account, language_of(connection), wall=wall)

    def begin(
        self, response: Response, account: str, name: str, facility: str, sectors: int, days: int
    ) -> bool:
        """Make the screen that takes the response a wall; False: the account may not do this there."""
        cookie = secrets.token_urlsafe(32)
        said = (account, name, facility, sectors, _digest(cookie), days)
        with self._stored.as_web() as database:
            done = database.execute("SELECT api.begin_wall(%s, %s, %s, %s, %s, %s)", said).fetchone()
        if not done or not done[0]:
            return False
        response.set_cookie(self._cookie, cookie, max_age=days * 86_400, **self._guard.cookie_flags)
        return True

    def end(self, wall: UUID, account: str) -> bool:
        """End a wall; False: there is none that stands, or the account may not."""
        with self._stored.as_web() as database:
            done = database.execute("SELECT api.end_wall(%s, %s)", (wall, account)).fetchone()
        return bool(done and done[0])


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()

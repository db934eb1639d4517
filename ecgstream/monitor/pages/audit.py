"""The audit log, for auditors: who did, read and changed what, and how its chain stands."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute

from ecgstream.monitor.guard import Asked
from ecgstream.monitor.read import audit
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored

DAYS = (1, 7, 30, 365)
ACTIONS = (
    *("read", "change", "refused", "login", "alert", "page", "answer", "judge"),
    *("start", "delete", "migrate", "unread", "begin", "key"),
)
UNSIGNED_S = 180.0
"""A head that is older is shown as old: the sealer signs every minute."""
_TEXTS = ("who", "kind", "object")
_LONGEST = 200


class AuditLog:
    """The page."""

    def __init__(self, shell: Shell, stored: Stored) -> None:
        self._shell = shell
        self._stored = stored

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        return [self._shell.guard.page("/audit", self._page, shows="audit")]

    def _page(self, asked: Asked) -> Response:
        query = asked.query
        days = next((n for n in DAYS if str(n) == query.get("days", "")), DAYS[1])
        wanted = {name: query.get(name, "").strip()[:_LONGEST] for name in _TEXTS}
        wanted["action"] = query.get("action", "") if query.get("action", "") in ACTIONS else ""
        before = query.get("before", "")
        first = (
            int(before) if before.isascii() and before.isdigit() and len(before) < len(str(2**63)) else None
        )
        now = datetime.now(UTC)
        with self._stored.as_person(asked.viewer.account) as connection:
            found = audit.entries(connection, now - timedelta(days=days), first, wanted)
            standing = audit.standing(connection)
        filters = {"days": days, **{name: value for name, value in wanted.items() if value}}
        older = urlencode(filters | {"before": found[-1].seq}) if len(found) == audit.MOST else ""
        return self._shell.draw(
            asked,
            "audit.html",
            entries=found,
            standing=standing,
            wanted=wanted,
            days=days,
            choices=DAYS,
            actions=ACTIONS,
            newest="" if first is None else urlencode(filters),
            older=older,
            unsigned_s=UNSIGNED_S,
            now=now,
        )

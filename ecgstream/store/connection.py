"""Connections to the database, as all services of the centre open them."""

from typing import Any

import psycopg

SESSION: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c TimeZone=UTC",
}
"""Of every session: it speaks UTC, and a host that is gone is noticed within half a minute, not two hours."""


def connect(
    url: str, *, autocommit: bool = False, name: str = "ecgstream", role: str = ""
) -> psycopg.Connection:
    """Return a connection as ``SESSION`` says; ``name`` is what the server's own views show.

    ``role``: the role to act in from the start, of which the login must be a member: with its rights only,
    whatever else the login may do.
    """
    options = SESSION["options"] + (f" -c role={role}" if role else "")
    more = SESSION | {"options": options, "application_name": name}
    return psycopg.connect(url, autocommit=autocommit, **more)

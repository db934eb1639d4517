"""Connections to the database, as all services of the centre open them."""

import psycopg


def connect(
    url: str, *, autocommit: bool = False, name: str = "ecgstream", role: str = ""
) -> psycopg.Connection:
    """Return a connection whose session speaks UTC; ``name`` is what the server's own views show.

    ``role``: the role to act in from the start, of which the login must be a member: with its rights only,
    whatever else the login may do. A database host that is gone is noticed within half a minute, not after
    TCP's two hours.
    """
    return psycopg.connect(
        url,
        autocommit=autocommit,
        application_name=name,
        options="-c TimeZone=UTC" + (f" -c role={role}" if role else ""),
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=20_000,
    )

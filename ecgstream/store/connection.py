"""Connections to the database, as all services of the centre open them."""

import psycopg

_OPTIONS = {
    "connect_timeout": "5",
    # A database host that is gone is noticed within half a minute, not after TCP's two hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


def connect(url: str, *, autocommit: bool = False, name: str = "ecgstream") -> psycopg.Connection:
    """Return a connection whose session speaks UTC; ``name`` is what the server's own views show."""
    return psycopg.connect(
        url, autocommit=autocommit, application_name=name, options="-c TimeZone=UTC", **_OPTIONS
    )

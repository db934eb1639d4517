"""Databases of a server in which we may make them, and a restart of that server.

Our own means would not reach a server on another machine, so all is asked for in SQL, by a superuser.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ecgstream.chaos.line import Line

_PATIENCE_S = 240.0
# The program's parent is the connection's own backend. PostgreSQL answers the death of one backend by ending
# all of them, throwing its shared memory away and recovering from its log: it starts anew.
_CRASH = "COPY (SELECT) TO PROGRAM 'kill -9 $PPID'"


class DatabaseError(RuntimeError):
    """The server does not let us do what the faults need."""


class Server:
    """A PostgreSQL server with or without TimescaleDB.

    Args:
        url: of a superuser.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []
        try:
            with self._connection() as connection:
                found = connection.execute("SELECT current_setting('is_superuser')").fetchone()
        except psycopg.OperationalError as error:
            raise DatabaseError(f"the database cannot be reached: {error}") from error
        if found != ("on",):
            raise DatabaseError(
                "the database's login is no superuser: chaos makes databases and restarts the server, "
                "so give it a server of its own (or none: then it brings one)"
            )

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database and return its URL; one of that name is dropped before."""
        self.drop(name)
        self._made.append(name)
        with self._connection() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return make_conninfo(self._url, dbname=name)

    def close_to_all(self, name: str) -> None:
        """Let nobody into a database any more, so that it can be a template; TimescaleDB's workers too."""
        with self._connection() as connection:
            database = sql.Identifier(name)
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(database))
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", (name,)
            )

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        with self._connection() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def drop_all(self) -> None:
        """Drop what was made."""
        for name in self._made:
            self.drop(name)
        self._made.clear()

    def restart(self) -> None:
        """Let the server crash and start anew; return when it serves again.

        Raises:
            DatabaseError: it does not.
        """
        before = self._started_at()
        with suppress(psycopg.OperationalError), self._connection() as connection:
            connection.execute(_CRASH)
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                if self._started_at() > before:
                    return
            time.sleep(0.05)
        raise DatabaseError("the database's server has not come back")

    def _started_at(self) -> float:
        """Return when the server's recovery was last over: a crash leaves the postmaster itself alive."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT extract(epoch FROM min(backend_start)) FROM pg_stat_activity"
                " WHERE backend_type = 'checkpointer'"
            ).fetchone()
        return float(row[0]) if row and row[0] is not None else 0.0

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(self._url, autocommit=True, connect_timeout=5)


@contextmanager
def behind_a_line(url: str, folder: Path) -> Iterator[tuple[str, Line]]:
    """Give a database's URL that leads through a line, and the line.

    A unix socket stays one, in ``folder``, so that nobody else of this machine gets in by the line.
    """
    with psycopg.connect(url) as connection:
        host, port = connection.info.host, connection.info.port
    if host.startswith("/"):
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f".s.PGSQL.{port}"
        with Line(f"{host}/{name}", at=folder / name) as line:
            yield make_conninfo(url, host=str(folder)), line
    else:
        # hostaddr leaves the name as it is, which a certificate may have to bear out.
        with Line((host, port)) as line:
            yield make_conninfo(url, hostaddr="127.0.0.1", port=line.port), line

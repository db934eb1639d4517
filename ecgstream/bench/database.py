"""A database of a bench's own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ecgstream.bench.measure import CannotMeasureError
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.store.connection import connect


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Give a new database, on the server with this URL or, where it is empty, on one of our own; remove it.

    Raises:
        CannotMeasureError: there is no such server.
    """
    try:
        with ExitStack() as stack:
            if not server:
                directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecgstream-bench-"))
                server = stack.enter_context(EmbeddedPostgres(Path(directory))).url
            owner = stack.enter_context(connect(server, autocommit=True))
            database = f"ecgstream_bench_{os.getpid()}"
            name = sql.Identifier(database)
            owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
            stack.callback(owner.execute, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            keep = stack.pop_all()
    except (ServiceUnavailableError, psycopg.OperationalError) as error:
        raise CannotMeasureError(str(error)) from None
    with keep:
        yield make_conninfo(server, dbname=database)

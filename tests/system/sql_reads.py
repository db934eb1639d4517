"""A database whose server logs what is read with SQL, the people who read there, and the witness."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecgstream.audit import read
from ecgstream.audit.sealer import ROLE as SEALER
from ecgstream.audit.sealer import Chain
from ecgstream.audit.witness import ROLE, Witness
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.people import person
from tests.system.timescale import log_folder

SETTINGS = (Path(__file__).resolve().parents[2] / "deploy" / "postgres" / "pgaudit.sql").read_text("utf-8")


def read_by(url: str, command: str) -> list[tuple[str, str, str]]:
    """Return who has read what with a command, as the audit log has it; also what is not chained yet."""
    with connect(url) as owner:
        return owner.execute(
            "SELECT who, kind, object FROM ("
            " SELECT seq, who, action, kind, object, content::jsonb -> 'detail' AS detail FROM ecg.audit"
            " UNION ALL SELECT id + 1000000000, who, action, kind, object, detail FROM ecg.audit_inbox) AS e"
            " WHERE action = 'read' AND detail ->> 'command' = %s ORDER BY seq",
            (command,),
        ).fetchall()


class Place:
    """A migrated database of a server with pgaudit, a login of the witness' and one of a person's.

    Args:
        url: of a superuser, on TimescaleDB.
        kind: of the person's position.
    """

    def __init__(self, url: str, kind: str = "clinic") -> None:
        self.url = url
        self.folder = log_folder(url)
        migrate(url)
        mark = secrets.token_hex(4)
        self.account = f"sql_{mark}"
        self._password = secrets.token_urlsafe()
        self._roles = [f"witness_{mark}", person(url, kind, account=self.account)]
        with connect(url, autocommit=True) as owner:
            owner.execute(
                sql.SQL("CREATE ROLE {} IN ROLE ecg_witness").format(sql.Identifier(self._roles[0]))
            )
            for role in self._roles:
                let_in = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
                owner.execute(let_in.format(sql.Identifier(role), sql.Literal(self._password)))
            owner.execute(SETTINGS)
        self.witness_url, self.person_url = map(self._of, self._roles)

    def _of(self, role: str) -> str:
        return make_conninfo(**conninfo_to_dict(self.url) | {"user": role, "password": self._password})

    def close(self) -> None:
        with connect(self.url, autocommit=True) as owner:
            for role in self._roles:
                owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

    @contextmanager
    def witness(self, folder: Path | None = None) -> Iterator[Witness]:
        with connect(self.witness_url, autocommit=True, role=ROLE) as connection:
            yield Witness(connection, folder or self.folder)

    def person(self) -> psycopg.Connection:
        return psycopg.connect(self.person_url, autocommit=True)

    def logged(self) -> None:
        """Wait until the server has written all that it was told: it comes through a pipe, in order."""
        mark = secrets.token_hex(8)
        with connect(self.url) as owner:
            owner.execute(sql.SQL("DO $$BEGIN RAISE LOG {}; END$$").format(sql.Literal(mark)))
        deadline = time.monotonic() + 60
        while not any(mark.encode() in file.read_bytes() for file in self.folder.glob("*.json")):
            assert time.monotonic() < deadline, "the server's log stands still"
            time.sleep(0.01)

    def carried(self, folder: Path | None = None) -> list[dict[str, Any]]:
        """Let a new witness carry what is there; return what the chain has of the person."""
        self.logged()
        with self.witness(folder) as witness:
            witness.look()
        return self.entries()

    def entries(self, who: str = "") -> list[dict[str, Any]]:
        with connect(self.url, autocommit=True, role=SEALER) as sealer:
            Chain(sealer).seal()
        with connect(self.url, role=SEALER) as sealer:
            return [e.said for e in read.entries(sealer) if e.who == (who or self.account)]

    def objects(self) -> list[str]:
        return [entry["object"] for entry in self.carried()]


@contextmanager
def made_place(url: str, kind: str = "clinic") -> Iterator[Place]:
    with ExitStack() as stack:
        place = Place(url, kind)
        stack.callback(place.close)
        yield place

"""A database with an audit log of a few entries, its key, and who tampers with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from ecgstream.audit import keys, read
from ecgstream.audit.check import Fault
from ecgstream.audit.keys import SigningKey
from ecgstream.audit.sealer import ROLE, Chain
from ecgstream.audit.verify import verify
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from schemas.audit import AuditHead

WORDS = "王伟's neighbour مريض 🏥"


class Site:
    """A migrated database with an audit log of a few entries, and its key."""

    def __init__(self, url: str, folder: Path) -> None:
        migrate(url)
        self.url = url
        self.file = folder / "audit.key"
        keys.create(self.file)
        self.owner = connect(url, autocommit=True)
        self.sealer = connect(url, autocommit=True, role=ROLE)
        self.chain = Chain(self.sealer)

    @property
    def keys(self) -> list[SigningKey]:
        return keys.load(self.file)

    def close(self) -> None:
        self.owner.close()
        self.sealer.close()

    def say(self, n: int) -> None:
        with connect(self.url, role="ecg_registry") as registry:
            for i in range(n):
                said = (f"li_{i}", f"P-{i}", Jsonb({"note": WORDS, "i": i}))
                registry.execute("SELECT ecg.note(%s, 'read', 'patient', %s, %s)", said)

    def grow(self) -> list[AuditHead]:
        """Let the log grow, signed a few times; return the heads as Kafka would have them."""
        heads = []
        for _ in range(3):
            self.say(4)
            self.chain.seal()
            heads.append(self.chain.sign(self.keys))
        return heads

    def faults(self, copied: list[AuditHead] | None = None) -> list[Fault]:
        with connect(self.url, role=ROLE) as sealer:
            kept = read.heads(sealer)
            return verify(read.entries(sealer), kept, copied or []).faults

    @contextmanager
    def by_force(self) -> Iterator[psycopg.Connection]:
        """Give what a superuser has who takes the triggers away."""
        with connect(self.url) as owner:
            owner.execute("SET session_replication_role = replica")
            yield owner

    def contents(self, *actions: str) -> list[dict[str, Any]]:
        self.chain.seal()
        with connect(self.url, role=ROLE) as sealer:
            return [e.said for e in read.entries(sealer) if e.action in actions]

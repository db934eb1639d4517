"""A village clinic with a patient, its township, county and province; people, and reports that can be signed.

P ── C ── T ── V      li and hu are a clinic's at V; wang is an expert at T, zhao a clinic's there; sun and
gu are experts at C; qian is a cardiologist at P. P-1 wears d-1 at V for the whole day.
"""

from __future__ import annotations

import json
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from psycopg import sql

from ecgstream.consulting import store
from ecgstream.consulting.store import Asking, Kept, Terms, Urgency
from ecgstream.registry import people, roles
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind as At
from ecgstream.reports.kind import Kind
from ecgstream.store.connection import connect
from tests.system.access_world import insert

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
SINCE, UNTIL = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
WAY = {"P": None, "C": "P", "T": "C", "V": "T"}
STAND = {
    "li": (At.CLINIC, "V"),
    "hu": (At.CLINIC, "V"),
    "wang": (At.EXPERT, "T"),
    "zhao": (At.CLINIC, "T"),
    "sun": (At.EXPERT, "C"),
    "gu": (At.EXPERT, "C"),
    "qian": (At.CARDIOLOGIST, "P"),
    "auditor": (At.AUDITOR, "P"),
}
KEEP = "SELECT api.keep_report(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
QUESTION = "停搏? Pauses at night: a pacemaker?"


class Village:
    """The database with its people."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.mark = secrets.token_hex(3)  # roles belong to the whole server
        with connect(url, role="ecg_registry") as registry:
            path = ""
            for level, (code, parent) in enumerate(WAY.items(), 3):
                path = f"{path}.{code}".lstrip(".")
                names = {"name_en": code, "name_zh": "", "time_zone": "Asia/Shanghai", "kind": "hospital"}
                where = {"code": code, "parent": parent, "path": path, "level": level}
                insert(registry, "facility", **where, **names, changed_by="test")
            persons = [Person(self.account(n), "医生 One", (Position(*at),)) for n, at in STAND.items()]
            people.add(registry, persons, "test")
            for n in ("1", "2"):
                insert(registry, "patient", patient=f"P-{n}", facility="V", changed_by="test")
            what = {"kind": "monitor", "shard": 1, "key_digest": secrets.token_bytes(32)}
            insert(registry, "enrolment", device="d-1", facility="V", **what, changed_by="test")
            self.worn = uuid.uuid4()
            worn = {"device": "d-1", "patient": "P-1", "place_kind": "bed", "since": NOW - timedelta(days=1)}
            insert(registry, "association", id=self.worn, **worn, said_by="test")
        with connect(url, role="ecg_sink") as sink:
            insert(sink, "device", device="d-1", gateway="g", session=1, first_seen_ns=1, last_seen_ns=1)
            for minutes in range(0, 180, 10):
                time = NOW - timedelta(minutes=minutes)
                ns = int(time.timestamp()) * 10**9
                by = {"session": 1, "generation": 1, "source_offset": 1, "version": "1"}
                at = {"sample": ns, "time": time, "time_ns": ns}
                insert(sink, "beat", device="d-1", **by, **at, code="N", rr_s=1, hr_bpm=60)

    def account(self, name: str) -> str:
        return f"t{self.mark}_{name}"

    def drop_roles(self) -> None:
        with connect(self.url, autocommit=True) as owner:
            for name in STAND:
                role = sql.Identifier(roles.role_of(self.account(name)))
                owner.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))

    def beats(self, name: str) -> int:
        """How many beats of the patient's device somebody sees."""
        with connect(self.url, role=roles.role_of(self.account(name))) as reader:
            return reader.execute("SELECT FROM api.beats WHERE device = 'd-1'").rowcount

    def seen(self, name: str) -> list[tuple[UUID, str]]:
        """Cases that somebody sees."""
        with connect(self.url, role=roles.role_of(self.account(name))) as reader:
            rows = reader.execute("SELECT consultation, state FROM api.consultations").fetchall()
            return [(row[0], str(row[1])) for row in rows]

    def ask(
        self, name: str = "li", asked: str = "T", urgency: Urgency = Urgency.URGENT, **changed: object
    ) -> UUID:
        asking = Asking(uuid.uuid4(), self.account(name), "P-1", SINCE, UNTIL, "V", asked, urgency, QUESTION)
        asking = asking._replace(**changed)
        with connect(self.url, role="ecg_registry") as registry:
            refused = store.ask(registry, asking, Terms())
        assert refused == "", refused
        return asking.id

    def kept(self, case: UUID) -> Kept:
        with connect(self.url, role="ecg_registry") as registry:
            (found,) = store.load(registry, id=case, all=True)
            return found

    def report(
        self,
        name: str,
        *,
        signed: bool = True,
        since: datetime = SINCE,
        until: datetime = UNTIL,
        kind: Kind = Kind.STRETCH,
        amends: UUID | None = None,
    ) -> UUID:
        """Make a report of the stretch by somebody who sees it, and sign it."""
        id_, document = uuid.uuid4(), json.dumps({"of": "test", "n": secrets.token_hex(4)}).encode()
        with connect(self.url, role="ecg_web") as web:
            of = (self.account(name), id_, str(kind), "P-1", since, until, [self.worn])
            row = web.execute(KEEP, (*of, document, "0", ["d"], amends)).fetchone()
            assert row == ("",), row
            if signed:
                query = "SELECT api.sign_report(%s, %s, sha256(%s::bytea), 'sinus rhythm, pauses')"
                assert web.execute(query, (self.account(name), id_, document)).fetchone() == ("",)
        return id_

    def correct(self) -> None:
        """The device was another patient's all the time."""
        with connect(self.url, role="ecg_registry") as registry:
            worn = {"device": "d-1", "patient": "P-2", "place_kind": "bed", "since": NOW - timedelta(days=1)}
            insert(registry, "association", **worn, replaces=self.worn, reason="wrong bed", said_by="test")


def entries(owner: psycopg.Connection, case: UUID) -> list[tuple[str, str, dict[str, str]]]:
    query = (
        "SELECT who, action, detail FROM ecg.audit_inbox"
        " WHERE kind = 'consultation' AND object = %s ORDER BY id"
    )
    return owner.execute(query, (str(case),)).fetchall()

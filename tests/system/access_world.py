"""A small network of hospitals with everything in it that access rules tell apart.

    W (root) ─┬─ P ─┬─ H ─── C      the people stand at H, their own facility; C is its child, S its sibling,
              │     └─ S            P its parent. Q is far away. Six more people stand at W.
              └─ Q

Each *relation* is a stretch of data that stands to H as its name says, with a device, a patient and moments
of its own. Every moment of a stretch has one row in each table of measurements, on several days, so that
hypertables have several chunks.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb

from ecgstream.registry import people, roles
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from ecgstream.store.migrate import Edition, detect, migrate
from tests.system.conftest import in_database

OWN, ROOT = "H", "W"
PARENTS = {"W": None, "P": "W", "Q": "W", "H": "P", "S": "P", "C": "H"}

# Midnight, so that a minute's trend has a time that is a whole minute.
NOW = datetime.now(UTC)
DAY0 = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=20)
MOVE = DAY0 + timedelta(days=4)
DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
END = DAY0 + 8 * DAY
"""Of what shares open."""
GIVEN_ON = DAY0 + 7 * DAY
"""When somebody else gets a device whose wearer's data are shared."""


@dataclass(frozen=True)
class Stretch:
    """Data of one relation."""

    relation: str
    device: str
    facility: str  # where the device stands; empty: nowhere
    patient: str = ""
    home: str = "Q"  # of the patient
    moments: tuple[datetime, ...] = (DAY0 + 3 * DAY, DAY0 + 5 * DAY, DAY0 + 6 * DAY)
    since: datetime | None = None  # of the association
    until: datetime | None = None

    @property
    def is_now(self) -> bool:
        """Whether a device shows by this stretch to where it stands now."""
        return self.since is not None or self.until is None


BEFORE = (DAY0 + DAY, DAY0 + 2 * DAY)
AFTER = (DAY0 + 5 * DAY, DAY0 + 6 * DAY)

STRETCHES = (
    Stretch("own", "d-own", "H", "p-own", "H"),
    Stretch("child", "d-child", "C", "p-child", "C"),
    Stretch("sibling", "d-sibling", "S", "p-sibling", "S"),
    Stretch("parent", "d-parent", "P", "p-parent", "P"),
    Stretch("nobody's", "d-nobody", "H"),
    Stretch("mistaken", "d-mistaken", "H", "p-mistaken"),
    Stretch("home", "d-home", "S", "p-home", "H"),
    Stretch("away, before", "d-away", "H", "p-away-1", moments=BEFORE, until=MOVE),
    Stretch("away, after", "d-away", "H", "p-away-2", moments=AFTER, since=MOVE),
    Stretch("here, before", "d-here", "S", "p-here-1", moments=BEFORE, until=MOVE),
    Stretch("here, after", "d-here", "S", "p-here-2", moments=AFTER, since=MOVE),
    Stretch("shared", "d-shared", "S", "p-shared"),
    Stretch("shared, at its end", "d-shared", "S", "p-shared", moments=(END - 5 * SECOND,)),
    Stretch("shared, other time", "d-shared", "S", "p-shared", moments=(DAY0 + DAY, END, END + DAY)),
    Stretch("shared with H", "d-shared-h", "S", "p-shared-h", until=GIVEN_ON),
    Stretch(
        "shared, other patient", "d-shared-h", "S", "p-next", moments=(GIVEN_ON + DAY / 2,), since=GIVEN_ON
    ),
    Stretch("shared, mistaken", "d-shared-m", "S", "p-shared-m"),
    Stretch("expired", "d-expired", "S", "p-expired"),
    Stretch("revoked", "d-revoked", "S", "p-revoked"),
    Stretch("unplaced", "d-unplaced", ""),
)
DEVICES = tuple(dict.fromkeys(s.device for s in STRETCHES))
MOVED = {"d-away": "S", "d-here": "H"}


@contextmanager
def made_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Make the network in a new database of the server that a fixture's parameter names."""
    server = request.getfixturevalue(
        {"plain": "plain_postgres_url", "timescale": "timescale_url"}[request.param]
    )
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            migrate(in_database(server, name))
            world = World(in_database(server, name))
            yield world
            world.drop_roles()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class World:
    """A database with this network in it, and logins of its people; of an earlier version, too."""

    def __init__(self, url: str, *, sql_logins: bool = True) -> None:
        self.url = url
        self.mark = secrets.token_hex(3)  # roles belong to the whole server
        self.password = secrets.token_urlsafe()
        with connect(url) as owner:
            self.has_chunks = detect(owner) is not Edition.PLAIN
        with connect(url, role="ecg_registry") as registry:
            self._facilities(registry)
            self._people(registry, sql_logins)
            self._devices(registry)
            self._patients(registry)
            self._shares(registry)
        with connect(url, role="ecg_sink") as sink:
            self._measurements(sink)
            has_hours = has_table(sink, "trend_hour")
        with connect(url) as owner:
            if has_table(owner, "judgement"):
                self._judgements(owner)
            if has_table(owner, "report"):
                self._reports(owner)
            if has_table(owner, "consultation"):
                self._case(owner)
        if has_hours:
            with connect(url, role="ecg_housekeeping") as housekeeping:
                for s, moment, _ in _moments():
                    hour = {"time": moment, "code": 147842, "parts": 60, "n": 60, "mean": 70}
                    insert(housekeeping, "trend_hour", device=s.device, **hour)

    def account(self, kind: Kind | str, at: str = OWN) -> str:
        return f"t{self.mark}_{kind}_{at.lower()}"

    def role(self, kind: Kind | str, at: str = OWN) -> str:
        return roles.role_of(self.account(kind, at))

    def login(self, kind: Kind | str, at: str = OWN) -> psycopg.Connection:
        """Log in as one of the people, with the password where the server asks for one."""
        return self.login_as(self.role(kind, at))

    def login_as(self, user: str) -> psycopg.Connection:
        """Log in; the server may still be ending logins of this role that were closed a moment ago."""
        parts = conninfo_to_dict(self.url) | {"user": user, "password": self.password}
        deadline = time.monotonic() + 10.0
        while True:
            try:
                return psycopg.connect(make_conninfo(**parts), autocommit=True, connect_timeout=5)
            except psycopg.OperationalError as error:
                if "too many connections for role" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def drop_roles(self) -> None:
        """Remove the roles of its people, which would outlive the database."""
        with connect(self.url, autocommit=True) as owner:
            for (account,) in owner.execute("SELECT account FROM ecg.person").fetchall():
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(roles.role_of(account))))

    def _facilities(self, registry: psycopg.Connection) -> None:
        path: dict[str | None, str] = {}
        for level, (code, parent) in enumerate(PARENTS.items(), 1):
            path[code] = code if parent is None else f"{path[parent]}.{code}"
            place = {"code": code, "parent": parent, "path": path[code], "level": level}
            names = {"name_en": f"Facility {code}", "name_zh": "", "time_zone": "Asia/Shanghai"}
            insert(registry, "facility", **place, **names, kind="hospital", changed_by="test")

    def _people(self, registry: psycopg.Connection, sql_logins: bool) -> None:
        made = [Person(self.account(k, at), "One", (Position(k, at),)) for k in Kind for at in (OWN, ROOT)]
        clinic = Kind.CLINIC
        made += [
            Person(self.account(clinic, at), "One", (Position(clinic, at),)) for at in ("C", "S", "P", "Q")
        ]
        made.append(Person(self.account("nowhere"), "One"))
        people.add(registry, made, "test")
        for kind in Kind if sql_logins else ():
            for at in (OWN, ROOT):
                people.open_sql(registry, self.account(kind, at), self.password, "test")

    def _devices(self, registry: psycopg.Connection) -> None:
        places = {s.device: s.facility for s in STRETCHES if s.facility}
        for shard, (device, facility) in enumerate(places.items()):
            what = {"kind": "monitor", "shard": shard, "key_digest": shard.to_bytes(32, "big")}
            insert(registry, "enrolment", device=device, facility=facility, **what, changed_by="test")
        for device, facility in MOVED.items():
            registry.execute(
                "UPDATE ecg.enrolment SET facility = %s, placed_since = %s WHERE device = %s",
                (facility, MOVE, device),
            )

    def _patients(self, registry: psycopg.Connection) -> None:
        for patient, home in {s.patient: s.home for s in STRETCHES if s.patient}.items():
            insert(registry, "patient", patient=patient, facility=home, changed_by="test")
            sealed = {"kind": "name", "search": bytes(32), "sealed": b"sealed", "key": "key"}
            insert(registry, "identifier", patient=patient, **sealed, changed_by="test")
            for code, said_at in ((1, DAY0 + DAY), (2, END + DAY)):
                said = {"said_by": "test", "said_at": said_at}
                insert(registry, "limit_change", patient=patient, code=code, low=40, high=120, **said)
        for s in {(s.device, s.patient): s for s in STRETCHES if s.patient}.values():
            times = {"since": s.since or "-infinity", "until": s.until or "infinity"}
            worn = {"device": s.device, "patient": s.patient, "place_kind": "bed", "said_by": "test"}
            insert(registry, "association", **worn, **times)
        registry.execute(
            "INSERT INTO ecg.association (device, patient, since, place_kind, replaces, said_by)"
            " SELECT device, NULL, since, place_kind, id, 'test' FROM ecg.association"
            " WHERE patient IN ('p-mistaken', 'p-shared-m')"
        )

    def _shares(self, registry: psycopg.Connection) -> None:
        def share(patient: str, expires: datetime, **to: str) -> None:
            opened = {"patient": patient, "since": BEFORE[1], "until": END, "expires": expires}
            insert(registry, "share", **opened, **to, reason="test", said_by="test")

        later, over = NOW + 30 * DAY, NOW - DAY
        for kind in Kind:  # by hand: the command refuses some of these
            for patient, expires in (("p-shared", later), ("p-expired", over), ("p-revoked", later)):
                share(patient, expires, account=self.account(kind))
        for patient in ("p-shared-h", "p-shared-m"):
            share(patient, later, facility=OWN)
        share("p-expired", over, facility=OWN)
        share("p-revoked", later, facility=OWN)
        for patient in {s.patient for s in STRETCHES if s.patient} - {"p-shared", "p-shared-h", "p-shared-m"}:
            share(patient, later, facility="Q")  # of which they see those of patients whom they see
        registry.execute(
            "UPDATE ecg.share SET revoked_by = 'test', revoked_at = clock_timestamp()"
            " WHERE patient = 'p-revoked' AND facility IS DISTINCT FROM 'Q'"
        )

    def _measurements(self, sink: psycopg.Connection) -> None:
        for device in DEVICES:
            seen = {"session": 1, "first_seen_ns": 1, "last_seen_ns": 2}
            insert(sink, "device", device=device, gateway="g", **seen)
        for s, moment, n in _moments():
            for table, row in _rows(s, moment, n):
                if has_table(sink, table):
                    insert(sink, table, device=s.device, session=1, **row)
            if has_table(sink, "control"):
                said = {"kind": "Association", "record": b"", "issued_ns": int(moment.timestamp()) * 10**9}
                insert(sink, "control", device=s.device, time=moment, source_offset=n, **said)

    def _judgements(self, owner: psycopg.Connection) -> None:
        for s, moment, _ in _moments():
            said = {"alert": uuid.uuid4(), "verdict": "false", "said_by": "test"}
            insert(owner, "judgement", device=s.device, onset=moment, **said)

    def _case(self, owner: psycopg.Connection) -> None:
        """A case that C has withdrawn, so that its share opens nothing; and one for teaching."""
        who, id_ = self.account(Kind.CLINIC, "C"), uuid.uuid4()
        times = (DAY0 + 3 * DAY, DAY0 + 3 * DAY + MINUTE, "C", "P", "routine", DAY, DAY, "q")
        asked = "SELECT api.ask_consultation(%s, %s, 'p-child', %s, %s, %s, %s, %s, %s, %s, %s)"
        owner.execute(asked, (who, id_, *times))
        newest = "(SELECT max(id) FROM ecg.consultation_step)"
        owner.execute(f"SELECT api.consult(%s, %s, {newest}, 'withdrawn', '', NULL, NULL)", (who, id_))
        said = {"category": "ADULT", "question": "q", "answer": "a", "leads": ["II"], "seconds": 60}
        insert(owner, "teaching_case", teaching=uuid.uuid4(), **said, record=b"zip", sha256=bytes(32))

    def _reports(self, owner: psycopg.Connection) -> None:
        """A report of a minute from each moment on, as it was made when that was the patient's."""
        id_ = None
        for s, moment, _ in _moments():
            if not s.patient:
                continue
            id_, until = uuid.uuid4(), moment + MINUTE
            worn = Jsonb([[s.device, moment.timestamp(), until.timestamp()]])
            what = {"kind": "stretch", "document": b"{}", "sha256": bytes(32), "software": "1"}
            of = {"patient": s.patient, "since": moment, "until": until, "worn": worn, "made_by": "test"}
            insert(owner, "report", report=id_, **of, **what, detectors=["1"])
        signed = {"sha256": bytes(32), "conclusion": "c", "signed_by": "test", "signer": "One"}
        insert(owner, "report_signature", report=id_, **signed)
        insert(owner, "report_withdrawal", report=id_, reason="test", said_by="test")


def _moments() -> Iterator[tuple[Stretch, datetime, int]]:
    """Every moment of every stretch, with a number of its own."""
    for number, s in enumerate(STRETCHES):
        for moment in s.moments:
            yield s, moment, 1000 * number + (moment - DAY0).days


def _rows(s: Stretch, at: datetime, n: int) -> Iterator[tuple[str, dict[str, object]]]:
    """One row for each table, all of one moment."""
    ns = int(at.timestamp()) * 10**9
    decided = {"generation": 1, "source_offset": n}
    by = decided | {"version": "1"}
    packets = {key: [] for key in ("packet_seq", "packet_first", "packet_ns", "packet_lead_off", "pace")}
    wave = {"code": 131328, "kind": 0, "unit": 0, "rate": 250, "gain": 1, "offset": 0}
    ten_s = {"n": 2500, "codec": "x", "data": b""}
    yield "trace", {"channel": 0, "first_sample": n, "time": at, **wave, **ten_s, **packets}
    yield "beat", {"sample": n, "time_ns": ns, "time": at, "code": "N", "rr_s": 1, "hr_bpm": 60, **by}
    yield "rhythm", {"sample": n, "time_ns": ns, "time": at, "rhythm": "N", **by}
    yield "vital", {"code": 150456, "time_ns": ns, "time": at, "value": 97, **decided}
    ran = {"lane": "LIVE", "from_sample": n, "from_ns": ns, "time": at, "start": "COLD", "settings": "{}"}
    yield "segment", {**ran, **by}
    yield "trend", {"minute_ns": ns, "time": at, "code": 147842, "n": 60, "mean": 70, **by}
    yield "clock_correction", {"from_sample": n, "since_ns": ns, "time": at, "ahead_ns": 1, "gateway": "gw"}
    onset = {
        "onset_sample": n,
        "onset_ns": ns,
        "onset": at,
        "decided_sample": n,
        "decided_ns": ns,
        "delay_s": 1,
    }
    event = {"id": uuid.uuid4(), "patient": s.patient, **onset, "evidence": "{}", "published_ns": 1}
    yield "condition", {**event, "code": "AFIB", "phase": "ONSET", "sample": n, "time_ns": ns, **by}
    told = {"priority": "HIGH", "state": "ACTIVE", "raised_ns": 1, "updated_ns": 1, "source_offset": n}
    yield "alert", {**event, "condition": "AFIB", **told}


def has_table(connection: psycopg.Connection, table: str) -> bool:
    """Say whether the database has come to the version that makes a base table."""
    return connection.execute("SELECT to_regclass(%s)", (f"ecg.{table}",)).fetchone() != (None,)


def insert(connection: psycopg.Connection, table: str, **values: object) -> None:
    """Insert a row into a base table."""
    statement = sql.SQL("INSERT INTO ecg.{} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
    )
    connection.execute(statement, list(values.values()))

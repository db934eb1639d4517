"""Two clinics with the same in them, for dashboards: what one of them sees must not depend on the other.

W stands above H and S. Each clinic has a device that somebody wears and one that is disabled, two hours of
findings, and an account that reads them by SQL.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecgstream.registry import people, roles
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from schemas import mdc
from tests.system.access_world import insert

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SINCE = NOW - timedelta(hours=12)
PARENTS: dict[str, str | None] = {"W": None, "H": "W", "S": "W"}
"""Facility to the one above it."""
NUMBERS = (
    mdc.HEART_RATE,
    mdc.SPO2,
    mdc.RESP_RATE,
    mdc.PULSE_RATE,
    mdc.NIBP_SYS,
    mdc.NIBP_MEAN,
    mdc.NIBP_DIA,
    mdc.TEMPERATURE,
    mdc.NEWS2,
    mdc.VPC_RATE,
    mdc.ECG_ANALYSED,
    *mdc.ST_LEADS.values(),
)


class Clinics:
    """A migrated database with clinics in it.

    Args:
        url: of the database, as its superuser.
        clinics: of H and S, those that have anything.
    """

    def __init__(self, url: str, clinics: Collection[str]) -> None:
        self.url = url
        self.clinics = clinics
        self.mark = secrets.token_hex(3)  # roles belong to the whole server
        self.password = secrets.token_urlsafe()
        with connect(url, role="ecg_registry") as registry:
            self._registry(registry)
        with connect(url, role="ecg_sink") as sink:
            for code in clinics:
                _findings(sink, code)
        with connect(url) as owner:  # as the function does that people call
            owner.execute(
                "INSERT INTO ecg.judgement (alert, device, onset, verdict, said_by)"
                " SELECT id, device, onset, 'false', 'li' FROM ecg.alert WHERE calls > 0"
            )
        with connect(url, role="ecg_housekeeping") as housekeeping:
            for code in clinics:
                hour = {"code": mdc.HEART_RATE, "parts": 60, "n": 60, "mean": 70, "low": 60, "high": 80}
                at = NOW.replace(minute=0) - 5 * HOUR
                insert(housekeeping, "trend_hour", device=f"d-{code}", time=at, **hour)

    def account(self, code: str) -> str:
        return f"grafana_{code.lower()}_{self.mark}"

    def login(self, code: str) -> psycopg.Connection:
        """Log in as the account of a facility, as Grafana does."""
        return self.login_as(roles.role_of(self.account(code)), self.password)

    def login_as(self, user: str, password: str) -> psycopg.Connection:
        parts = conninfo_to_dict(self.url) | {"user": user, "password": password}
        return psycopg.connect(make_conninfo(**parts), autocommit=True, connect_timeout=5)

    def drop_roles(self) -> None:
        """Remove the roles of its people, which would outlive the database."""
        with connect(self.url, autocommit=True) as owner:
            for (account,) in owner.execute("SELECT account FROM ecg.person").fetchall():
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(roles.role_of(account))))

    def _registry(self, registry: psycopg.Connection) -> None:
        by = {"changed_by": "test"}
        for level, (code, parent) in enumerate(PARENTS.items(), 1):
            place = {"code": code, "parent": parent, "path": f"{parent}.{code}" if parent else code}
            names = {"name_en": f"Facility {code}", "name_zh": f"机构 {code}", "time_zone": "Asia/Shanghai"}
            insert(registry, "facility", **place, **names, level=level, kind="hospital", **by)
        accounts = [Person(self.account(code), "x", (Position(Kind.CLINIC, code),)) for code in PARENTS]
        carers = [
            Person(f"li_{code.lower()}_{self.mark}", "x", (Position(Kind.CLINIC, code),)) for code in PARENTS
        ]
        people.add(registry, [*accounts, *carers], "test")
        for person in accounts:
            people.open_sql(registry, person.account, self.password, "test")
        for shard, code in enumerate(self.clinics):
            for n, (device, disabled) in enumerate(((f"d-{code}", False), (f"off-{code}", True))):
                what = {"kind": "bedside_monitor", "shard": shard, "key_digest": bytes([shard, n] * 16)}
                insert(registry, "enrolment", device=device, facility=code, disabled=disabled, **what, **by)
            insert(registry, "patient", patient=f"p-{code}", facility=code, **by)
            worn = {"since": NOW - 10 * HOUR, "place_kind": "bed", "place": f"bed {code}", "said_by": "test"}
            insert(registry, "association", device=f"d-{code}", patient=f"p-{code}", **worn)


def _ns(at: datetime) -> int:
    return int(at.timestamp()) * 10**9


def _findings(sink: psycopg.Connection, code: str) -> None:
    device = f"d-{code}"
    seen = {"gateway": f"g-{code}", "session": 1, "first_seen_ns": 1, "last_seen_ns": _ns(NOW + HOUR)}
    state = {"skew_ms": 3000, "battery_ns": 1, "battery_percent": 15, "rhythm": "AFIB", "rhythm_ns": 1}
    state |= {"clock_ns": 1, "clock_ahead_ns": 2 * 10**9}
    insert(sink, "device", device=device, **seen, **state)
    for table, row in _rows(code):
        insert(sink, table, device=device, session=1, **row)


def _rows(code: str) -> Iterator[tuple[str, dict[str, object]]]:
    by = {"generation": 1, "source_offset": 1, "version": "1"}
    at = NOW - HOUR
    for number in NUMBERS:
        minute = {
            "minute_ns": _ns(at),
            "time": at,
            "code": number,
            "n": 60,
            "mean": 70,
            "low": 60,
            "high": 80,
        }
        yield "trend", {**minute, **by}
    for n, (ago, rhythm) in enumerate(((11 * HOUR, "VT"), (9 * HOUR, "AFIB"), (HOUR, "N"))):
        yield "rhythm", {"sample": n, "time": NOW - ago, "time_ns": _ns(NOW - ago), "rhythm": rhythm, **by}
    for n, condition in enumerate(("ASYSTOLE", "ATRIAL_FIBRILLATION", "LEAD_OFF", "ECG_NOISY", "LINK_LOST")):
        onset, end = at + n * MINUTE, at + n * MINUTE + 30 * timedelta(seconds=1)
        began = {"onset": onset, "onset_ns": _ns(onset), "onset_sample": n, "patient": f"p-{code}"}
        decided = {"decided_sample": n, "decided_ns": _ns(onset), "delay_s": 1, "end_ns": _ns(end)}
        event = {"id": uuid.uuid4(), "evidence": "{}", "published_ns": _ns(onset), **began, **decided}
        newest = {"phase": "END", "sample": n, "time_ns": _ns(end), **by}
        yield "condition", {**event, "code": condition, **newest}
        told = {"condition": condition, "raised_ns": _ns(onset), "updated_ns": _ns(end), "source_offset": n}
        yield "alert", {**event, **told, **_FATES[n]}


_FATES: tuple[dict[str, object], ...] = (
    {"priority": "HIGH", "state": "LATCHED", "calls": 1},
    {
        "priority": "MEDIUM",
        "state": "ACKNOWLEDGED",
        "calls": 2,
        "acknowledged_ns": _ns(NOW),
        "acknowledged_by": "li",
    },
    {"priority": "LOW", "state": "ENDED", "joined": "another"},
    {"priority": "MEDIUM", "state": "ENDED", "inhibited_by": "another", "grouped": "another"},
    {"priority": "HIGH", "state": "ENDED"},
)
"""What became of each alert: between them, everything that statistics count."""

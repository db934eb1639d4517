"""Two clinics on a real database, with HTML in every text that somebody can type, and a monitor before them.

    R ─┬─ A     clinics; whoever stands at one sees nothing of the other
       └─ B

It is about noon where they stand, so that three hours of data are of today.
"""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from psycopg import sql
from starlette.types import ASGIApp

from alerts.roster.read import parse, tables_of, to_json, version_of
from ecgstream.monitor.app import make_app
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.progress import Group, Seen
from ecgstream.monitor.service import Sources, routes
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.workshop import Workshop
from ecgstream.registry import people, roles
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from schemas import mdc
from schemas.records import Act, Alert, AlertState, GatewayStatus, Priority, Turn
from schemas.records import Roster as Told
from tests.ecgstream.web.served import served
from tests.system.access_world import insert
from tests.system.conftest import in_database

PASSWORD = "correct horse battery staple"  # noqa: S105
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
MINUTES = 180
AF_MINUTES = 30
SECOND_NS = 10**9
_NOON = NOW.hour - 12
ZONE = f"Etc/GMT{'+' if _NOON >= 0 else '-'}{abs(_NOON)}"  # POSIX's sign: behind Greenwich is plus
NAMES = {
    "R": ("Root", "中心"),
    "A": ("<script>alert('A')</script>", "甲医院<b onload=x>"),
    "B": ("مستشفى الشرق 🏥", "乙医院"),
}
PLACES = {"A": "<img src=x onerror=alert(1)> 床 3 🛏", "B": "سرير ٣"}
DEVICES = {"A": "<d-a>/1", "B": "d-b"}
PATIENTS = {"A": "<p-a>/1", "B": "p-b"}
EMPTY = "p-empty"
REASON = '<i>known</i> & "seen" 已知 🩺'
ROSTER = """
version = 1
fallback = "Centre <b>"

[[person]]
account = "li"

[[person]]
account = "wang"

[[person]]
account = "zhao"

[[team]]
name = "Centre <b>"
region = "R"
zone = "Asia/Shanghai"
members = ["li", "wang"]

[[team]]
name = "West 乙"
region = "B"
zone = "Asia/Shanghai"
members = ["zhao"]

[[weekly]]
team = "Centre <b>"
person = "li"
backup = "wang"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
"""
HTML = re.compile(r"<script>alert|<b onload|<img|<i>known|<d-a>|<p-a>|<b>|<g>")


NOBODY_LIVE = Hub(lambda: pytest.fail("nobody reads Kafka here"), 1)


class Following:
    """A board that a test lays out."""

    def __init__(self) -> None:
        self.found: dict[str, Alert] = {}
        self.is_current = True

    def alert(self, id_: str) -> Alert | None:
        return self.found.get(id_)

    def alerts(self) -> list[Alert]:
        return list(self.found.values())


class House:
    """The database with its people, and what was said of alerts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.mark = secrets.token_hex(3)  # roles belong to the whole server
        self.board = Following()
        self.said: list[tuple[str, str, str, Act, float]] = []
        self.tested: list[tuple[str, str]] = []
        self.login = self._login()
        with connect(url, role="ecg_registry") as registry:
            self._places(registry)
            self._people(registry)
            for site in ("A", "B"):
                self._patient(registry, site)
            self._device(registry, "d-empty", "A", EMPTY, "")
        with connect(url, role="ecg_sink") as sink:
            for site in ("A", "B"):
                self._measured(sink, site)

    @property
    def sources(self) -> Sources:
        roster = parse(tables_of(ROSTER))
        told = Told(version_of(roster), to_json(roster), 1, "<b>planner</b>")
        return Sources(self.board, NOBODY_LIVE, self.say, lambda: told, self.test, self.seen)

    def seen(self) -> Seen:
        now_ns = time.time_ns()
        said = [
            GatewayStatus(gateway, now_ns - age_s * SECOND_NS, 3, 5, 2_000_000, now_ns, 0, 0, 10**10, "0.1.0")
            for gateway, age_s in (("g", 1), ("<g>", 3600))
        ]
        groups = [Group("worker", 2, 0), Group("pager", 0, 12), Group("sink", 1, 1234)]
        return Seen(time.time(), reached=True, groups=groups, gateways=said)

    def account(self, name: str) -> str:
        return f"t{self.mark}_{name}"

    def _login(self) -> str:
        """Make a login as docs/access.md shows it, and return its URL."""
        name, password = f"web_{self.mark}", secrets.token_urlsafe()
        with connect(self.url, autocommit=True) as owner:
            statement = "CREATE ROLE {} LOGIN PASSWORD {} IN ROLE ecg_web"
            owner.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(password)))
        return re.sub(r"//[^@/]*@", f"//{name}:{password}@", self.url)

    def drop_roles(self) -> None:
        with connect(self.url, autocommit=True) as owner:
            accounts = [row[0] for row in owner.execute("SELECT account FROM ecg.person")]
            for role in [*map(roles.role_of, accounts), f"web_{self.mark}"]:
                owner.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))

    def say(self, alert: Alert, by: str, reason: str, act: Act, silent_s: float) -> Alert | None:
        self.said.append((alert.id, by, reason, act, silent_s))
        now_ns = alert.updated_ns + SECOND_NS
        turn = Turn(now_ns, by, "ACKNOWLEDGED", reason)
        taken = {"acknowledged_ns": now_ns, "acknowledged_by": by, "reason": reason}
        told = replace(alert, state=AlertState.ACKNOWLEDGED, **taken, history=(*alert.history, turn))
        self.board.found[alert.id] = told
        return told

    def test(self, team: str, by: str) -> Alert | None:
        self.tested.append((team, by))
        return None

    def open_alert(self, site: str, condition: str = "ASYSTOLE") -> Alert:
        """Put an open alert on the board that the database does not know yet."""
        onset_ns = int(NOW.timestamp()) * SECOND_NS
        alert = Alert(
            id=str(uuid.uuid4()),
            device=DEVICES[site],
            patient=PATIENTS[site],
            session=1,
            condition=condition,
            priority=Priority.HIGH,
            state=AlertState.ACTIVE,
            onset_sample=0,
            onset_ns=onset_ns,
            decided_sample=0,
            decided_ns=onset_ns,
            delay_s=4.0,
            end_ns=None,
            evidence={"hr_bpm": 0.0, "pause_s": 4.0},
            published_ns=onset_ns,
            raised_ns=onset_ns,
            updated_ns=onset_ns,
            partition=0,
            offset=0,
            facility=f"R.{site}",
            history=(Turn(onset_ns, "", "ACTIVE", REASON),),
        )
        self.board.found[alert.id] = alert
        return alert

    def _places(self, registry: psycopg.Connection) -> None:
        for code, (name_en, name_zh) in NAMES.items():
            parent = None if code == "R" else "R"
            path, level = (code, 3) if parent is None else (f"R.{code}", 4)
            where = {"code": code, "parent": parent, "path": path, "level": level, "time_zone": ZONE}
            names = {"name_en": name_en, "name_zh": name_zh}
            insert(registry, "facility", **where, **names, kind="hospital", changed_by="test")

    def _people(self, registry: psycopg.Connection) -> None:
        stand = {
            "clinic_a": (Kind.CLINIC, "A"),
            "clinic_b": (Kind.CLINIC, "B"),
            "cardiologist": (Kind.CARDIOLOGIST, "R"),
            "auditor_a": (Kind.AUDITOR, "A"),
            "operator_a": (Kind.OPERATOR, "A"),
            "service_a": (Kind.SERVICE, "A"),
            "expert": (Kind.EXPERT, "A"),
            "leaver": (Kind.CLINIC, "A"),
        }
        persons = [Person(self.account(n), "<u>One</u>", (Position(*at),)) for n, at in stand.items()]
        people.add(registry, [*persons, Person(self.account("nowhere"), "One")], "test")
        for name in (*stand, "nowhere"):
            people.set_password(registry, self.account(name), PASSWORD, "test")

    def _device(self, registry: psycopg.Connection, device: str, site: str, patient: str, place: str) -> None:
        what = {"kind": "monitor", "shard": 1, "key_digest": secrets.token_bytes(32)}
        insert(registry, "enrolment", device=device, facility=site, **what, changed_by="test")
        insert(registry, "patient", patient=patient, facility=site, changed_by="test")
        worn = {"device": device, "patient": patient, "place_kind": "bed", "place": place}
        insert(registry, "association", **worn, since=NOW - timedelta(days=2), said_by="test")

    def _patient(self, registry: psycopg.Connection, site: str) -> None:
        self._device(registry, DEVICES[site], site, PATIENTS[site], PLACES[site])
        said = {"said_by": "test", "reason": REASON, "code": mdc.HEART_RATE, "low": 65, "high": 111}
        insert(registry, "limit_change", patient=PATIENTS[site], **said)

    def _measured(self, sink: psycopg.Connection, site: str) -> None:
        device, fresh = DEVICES[site], datetime.now(UTC).replace(second=0, microsecond=0)
        seen_ns = int(fresh.timestamp()) * SECOND_NS
        seen = {"session": 1, "first_seen_ns": 1, "last_seen_ns": seen_ns}
        insert(sink, "device", device=device, gateway="g", **seen)
        by = {"device": device, "session": 1, "generation": 1, "source_offset": 1}
        for n in range(MINUTES):
            time = NOW - timedelta(minutes=MINUTES - n)
            at = {"time": time, "minute_ns": int(time.timestamp()) * SECOND_NS, "version": "1"}
            for code, count, mean, reach in (
                (mdc.HEART_RATE, 60, 60.0, 5.0),
                (mdc.VPC_RATE, 60, 6.0, 5.0),
                (mdc.ECG_ANALYSED, 60, 100.0, 5.0),
                (mdc.ST_LEADS["II"], 6, -0.12, 0.03),
            ):
                row = {"code": code, "n": count, "mean": mean, "low": mean - reach, "high": mean + reach}
                insert(sink, "trend", **by, **at, **row)
        sink.execute(  # as the sink notes which hours are to be made
            "INSERT INTO ecg.hour_due SELECT DISTINCT device, date_trunc('hour', time, 'UTC') FROM ecg.trend"
            " WHERE device = %s",
            (device,),
        )
        for minutes, rhythm in ((MINUTES, "N"), (60, "AFIB"), (60 - AF_MINUTES, "N")):
            time = NOW - timedelta(minutes=minutes)
            ns = int(time.timestamp()) * SECOND_NS
            at = {"time": time, "time_ns": ns, "sample": 10_000 - minutes, "version": "1"}
            insert(sink, "rhythm", **by, **at, rhythm=rhythm)
        insert(sink, "vital", **by, code=mdc.SPO2, time_ns=seen_ns, time=fresh, value=88)
        for n, (priority, state, condition) in enumerate(
            (("HIGH", "LATCHED", "VENTRICULAR_TACHYCARDIA"), ("LOW", "ENDED", "VENTRICULAR_COUPLET"))
        ):
            self._alert(sink, site, NOW - timedelta(minutes=20 + n), priority, state, condition)

    def _alert(
        self, sink: psycopg.Connection, site: str, at: datetime, priority: str, state: str, condition: str
    ) -> None:
        ns = int(at.timestamp()) * SECOND_NS
        onset = {"onset_sample": 1, "onset_ns": ns, "onset": at, "decided_sample": 1, "decided_ns": ns}
        told = {"priority": priority, "state": state, "raised_ns": ns, "updated_ns": ns, "published_ns": ns}
        answered = {"acknowledged_ns": ns + 30 * SECOND_NS, "acknowledged_by": "li", "reason": REASON}
        row = {"id": uuid.uuid4(), "device": DEVICES[site], "patient": PATIENTS[site], "session": 1}
        more = {"condition": condition, "delay_s": 4, "evidence": "{}", "source_offset": 1, "end_ns": ns}
        insert(sink, "alert", **row, **onset, **told, **more, **(answered if state == "ENDED" else {}))


@contextmanager
def made_house(request: pytest.FixtureRequest) -> Iterator[tuple[House, ASGIApp]]:
    """Make the house in a new database of the server that a fixture's parameter names, and its monitor."""
    server = request.getfixturevalue(
        {"plain": "plain_postgres_url", "timescale": "timescale_url"}[request.param]
    )
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = in_database(server, name)
        try:
            migrate(url)
            house = House(url)
            with closing(Stored(house.login)) as stored, closing(Workshop(house.login)) as workshop:
                yield house, make_app(routes("", stored, house.sources, workshop))
            house.drop_roles()
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def log_in(client: httpx.Client, account: str) -> httpx.Client:
    """Log in, in English."""
    client.cookies.clear()
    token = re.findall(r'"token" value="([^"]+)"', client.get("/login").text)[0]
    form = {"account": account, "password": PASSWORD, "to": "/clinic", "token": token}
    assert client.post("/login", data=form).status_code == 303
    return client


def csrf_of(page: httpx.Response) -> str:
    return re.findall(r'"csrf" value="([^"]+)"', page.text)[0]


__all__ = ["House", "csrf_of", "log_in", "made_house", "served"]

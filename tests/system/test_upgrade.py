"""A database of the version before, full of data, is brought to this one: nothing is lost, none sees less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ecgstream.registry.roles import Kind
from ecgstream.store import rows
from ecgstream.store.connection import connect
from ecgstream.store.migrate import Edition, migrate, migrations
from ecgstream.store.writer import Writer
from schemas import topics
from tests.system import made
from tests.system.access_world import DAY0, World, insert
from tests.system.contents import content, relations, visible

BEFORE = [m for m in migrations() if m.number < 5]
UNKINDED = [m for m in migrations() if m.number < 22]
SINCE = [m for m in migrations() if m.number >= 5]
NEW = {"segment", "trend_hour", "hour_due", "read_position", "judgement", "wall"}
NEW |= {"report", "report_signature", "report_withdrawal"}
NEW |= {"consultation", "consultation_step", "consultation_call", "teaching_case"}
NEW |= {"control", "clock_correction", "audit", "audit_head", "audit_inbox", "audit_position"}


class Upgrade:
    """The database, and what is to run on it."""

    def __init__(self, url: str, before: list[Edition], now: list[Edition]) -> None:
        self.url = url
        migrate(url, [m for m in BEFORE if m.needs in before])
        late = [m for m in BEFORE if m.needs not in before]
        self.wanted = [m.name for m in late + SINCE if m.needs in now]
        self.world = World(url, sql_logins=False)
        minute = made.trend("d-own")
        with connect(url) as owner:
            insert(owner, "session", device="d-own", session=1, origin_ns=5)
            insert(owner, "told", device="d-own", what="enrolment", digest=b"x")
            of = {"device": "d-own", "session": made.SESSION, "minute_ns": int(minute.minute_ns[0])}
            decided = {"generation": 1, "source_offset": 0, "version": "0"}
            at = {"time": DAY0.fromtimestamp(int(minute.minute_ns[0]) // 10**9, DAY0.tzinfo)}
            insert(owner, "trend", **of, **at, code=int(minute.code[0]), n=1, mean=1, **decided)


PLAIN, APACHE = [Edition.PLAIN], [Edition.PLAIN, Edition.APACHE]


@pytest.fixture(params=["plain", "timescale", "plain that becomes timescale"])
def upgrade(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> Iterator[Upgrade]:
    fixture = "plain_postgres_url" if request.param == "plain" else "timescale_url"
    url = new_database(request.getfixturevalue(fixture))
    before = APACHE if request.param == "timescale" else PLAIN
    found = Upgrade(url, before, PLAIN if request.param == "plain" else APACHE)
    yield found
    found.world.drop_roles()


def test_nothing_is_lost_and_nobody_sees_less(upgrade: Upgrade) -> None:
    with connect(upgrade.url) as owner:
        tables = [name for name in relations(owner, "ecg", "r") if name != "migration"]
        stored = content(owner, "ecg", tables)
    assert [name for name, (_, found) in stored.items() if not found] == []
    seen = visible(upgrade.world, upgrade.url)
    assert sum(len(found) for views in seen.values() for _, found in views.values()) > 500

    assert migrate(upgrade.url) == upgrade.wanted
    assert migrate(upgrade.url) == []

    with connect(upgrade.url) as owner:
        assert {*relations(owner, "ecg", "r")} == {*tables, *NEW, "migration"}
        assert (
            content(owner, "ecg", tables, {name: columns for name, (columns, _) in stored.items()}) == stored
        )
        assert {*owner.execute("SELECT DISTINCT lane FROM ecg.trend")} == {("LIVE",)}
        hours = "SELECT DISTINCT device, date_trunc('hour', time, 'UTC') FROM ecg.trend ORDER BY 1, 2"
        due = owner.execute("SELECT device, time FROM ecg.hour_due ORDER BY 1, 2").fetchall()
        assert due == owner.execute(hours).fetchall()
    old_columns = {
        role: {view: columns for view, (columns, _) in views.items()} for role, views in seen.items()
    }
    assert visible(upgrade.world, upgrade.url, old_columns) == seen


def test_what_comes_again_finds_the_rows_of_the_version_before(upgrade: Upgrade) -> None:
    migrate(upgrade.url)
    count = "SELECT count(*), max(n) FROM ecg.trend WHERE device = 'd-own' AND session = %s"
    with closing(Writer(connect(upgrade.url, role="ecg_sink"))) as writer:
        writer.write([rows.OF[topics.TRENDS.name](made.trend("d-own").encode())], ())
    with connect(upgrade.url) as owner:
        assert owner.execute(count, (made.SESSION,)).fetchone() == (1, 9)
    with connect(upgrade.url, role=upgrade.world.role(Kind.CLINIC)) as reader:
        hourly = reader.execute("SELECT device, n FROM api.trends_hourly WHERE n = 9").fetchall()
    assert hourly == [("d-own", 9)]


def test_a_report_of_the_version_before_is_of_the_kind_that_its_length_told(
    plain_postgres_url: str, new_database: Callable[[str], str]
) -> None:
    """And the rows are held again afterwards."""
    url = new_database(plain_postgres_url)
    migrate(url, [m for m in UNKINDED if m.needs is Edition.PLAIN])
    with connect(url) as owner:
        of = {"name_en": "Q", "name_zh": "", "time_zone": "UTC", "kind": "hospital", "changed_by": "test"}
        insert(owner, "facility", code="Q", path="Q", level=1, **of)
        insert(owner, "patient", patient="p", facility="Q", changed_by="test")
        for lasting in (10, 11, 60):
            times = {"since": DAY0, "until": DAY0 + timedelta(seconds=lasting)}
            what = {"worn": Jsonb([]), "document": b"{}", "sha256": bytes(32), "software": "1"}
            by = {"detectors": ["1"], "made_by": "test"}
            insert(owner, "report", report=uuid4(), patient="p", **times, **what, **by)
    migrate(url)
    with connect(url) as owner:
        found = owner.execute("SELECT kind FROM ecg.report ORDER BY until").fetchall()
        assert found == [("stretch",), ("resting",), ("stretch",)]
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="only added to"):
            owner.execute("UPDATE ecg.report SET kind = 'stretch'")

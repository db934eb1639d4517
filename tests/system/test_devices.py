"""Devices in a real database, through their commands."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ecgstream.commands.device import app
from ecgstream.registry import device_csv, device_store, facility_store
from ecgstream.registry.devices import Device, Kind, shard_of
from ecgstream.registry.facilities import plan
from ecgstream.registry.henan import henan
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from schemas import mdc
from tests.system import command as commands
from tests.system.people import person

A, B = "410100-H1", "410100-H2"
SECOND = 1_000_000_000
NASTY = (
    "'; DROP TABLE ecg.enrolment; --",
    "{{7*7}}${jndi:ldap://x/y}%s%(name)s\\N\\.",
    "<script>alert(1)</script>&\"quoted\"",
    "[bold]x[/bold]:smile:",
)  # fmt: skip


class Command(commands.Command):
    """``ecgstream device``, and what lies behind it."""

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type]

    def registry(self) -> AbstractContextManager[psycopg.Connection]:
        return connect(self.url, role="ecg_registry")


@pytest.fixture
def device(database_url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    migrate(database_url)
    with connect(database_url, role="ecg_registry") as connection:
        facility_store.apply(connection, plan([], henan()), "test")
    return Command(app, database_url, capsys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "devices.csv"


def enrol(device: Command, name: str = "mon-1", facility: str = A, *more: object) -> None:
    device("enrol", name, "--facility", facility, "--kind", "patch", "--leads", "I II", *more)


def made(n: int, facility: Callable[[int], str] = lambda _: A) -> list[Device]:
    leads = (mdc.LEADS["I"],)
    return [Device(f"dev-{i:05}", facility(i), Kind.HOLTER, leads, None, f"CN=dev-{i:05}") for i in range(n)]


def seen(device: Command, name: str, ago: timedelta, **more: object) -> None:
    """As the sink would write it."""
    at = int((datetime.now(UTC) - ago).timestamp()) * SECOND
    values = {"gateway": "gw", "session": 1, "first_seen_ns": at, "last_seen_ns": at, **more}
    with connect(device.url) as connection:
        connection.execute("DELETE FROM ecg.device WHERE device = %s", (name,))
        connection.execute(
            f"INSERT INTO ecg.device (device, {', '.join(values)})"  # type: ignore[arg-type] # noqa: S608
            f" VALUES (%s, {', '.join(['%s'] * len(values))})",
            (name, *values.values()),
        )


def test_enrolled_with_a_key_of_which_only_the_digest_is_kept(device: Command) -> None:
    out, said = device(
        "enrol", "mon-1", "--facility", A, "--kind", "patch", "--leads", "I v1", "--key", "--by", "li"
    )
    key = out.strip()
    assert len(key) == 43
    assert key not in said
    digest = hashlib.sha256(key.encode()).digest()
    (row,) = device.rows(
        "SELECT facility, kind, leads, shard, key_digest, disabled, changed_by FROM ecg.enrolment"
    )
    assert row == (A, "patch", [mdc.LEADS["I"], mdc.LEADS["V1"]], shard_of(A, 0), digest, False, "li")
    assert device.rows("SELECT device FROM ecg.tell") == [("mon-1",), ("mon-1",)]
    assert "has a key" in device.refused("key", "mon-1")
    assert device.rows("SELECT key_digest FROM ecg.enrolment") == [(digest,)]
    other = device("key", "mon-1", "--yes")[0].strip()
    assert device.rows("SELECT key_digest FROM ecg.enrolment") == [(hashlib.sha256(other.encode()).digest(),)]
    (kept,) = device.rows("SELECT string_agg(c::text, ' ') FROM ecg.change AS c")
    for secret in (key, other):
        assert secret not in kept[0]
        assert hashlib.sha256(secret.encode()).hexdigest() not in kept[0]


def test_set_and_what_is_not_there(device: Command) -> None:
    enrol(device, "mon-1", A, "--certificate-subject", "CN=mon-1")
    assert "enrolled already" in device.refused("enrol", "mon-1", "--facility", B, "--kind", "patch")
    _, said = device("set", "mon-1", "--kind", "telemetry", "--leads", "II V5", "--certificate-subject", "")
    assert said == (
        "mon-1: kind patch → telemetry\nmon-1: leads I II → II V5\n"
        "mon-1: certificate_subject CN=mon-1 → none\n"
    )  # fmt: skip
    assert device.rows("SELECT kind, certificate_subject FROM ecg.enrolment") == [("telemetry", None)]
    n = device.rows("SELECT count(*) FROM ecg.change")
    assert device("set", "mon-1", "--kind", "telemetry")[1] == "mon-1: nothing to change\n"
    assert device.rows("SELECT count(*) FROM ecg.change") == n
    for words in (
        ("set", "x", "--kind", "patch"),
        ("show", "x"),
        ("key", "x"),
        ("disable", "x"),
        ("move", "x", A),
    ):
        assert "there is no device 'x'" in device.refused(*words)
    assert "there is no facility H9" in device.refused("move", "mon-1", "H9")
    assert "there is no facility 'H9'" in device.refused("list", "--under", "H9")


def test_a_certificate_is_one_devices(device: Command) -> None:
    enrol(device, "mon-1", A, "--certificate-subject", "CN=a")
    said = device.refused(
        "enrol", "mon-2", "--facility", A, "--kind", "patch", "--certificate-subject", "CN=a"
    )
    assert "that of device mon-1" in said
    enrol(device, "mon-2")
    enrol(device, "mon-3")  # many have none


def test_disabling_is_asked_for_and_says_what_it_does(device: Command) -> None:
    enrol(device)
    seen(device, "mon-1", timedelta(0))
    with connect(device.url) as connection:
        connection.execute(
            "INSERT INTO ecg.patient (patient, facility, changed_by) VALUES ('P-1', %s, 't')", (A,)
        )
        connection.execute(
            "INSERT INTO ecg.association (device, patient, place_kind, said_by)"
            " VALUES ('mon-1', 'P-1', 'bed', 't')"
        )
    said = device.refused("disable", "mon-1")
    assert "(streaming, worn by P-1)? Its monitoring stops" in said
    assert "--yes" in said
    assert device.rows("SELECT disabled FROM ecg.enrolment") == [(False,)]
    device("disable", "mon-1", "--yes")
    assert [d["state"] for d in device.json("list")] == ["disabled"]
    device("enable", "mon-1")
    assert [(d["state"], d["patient"]) for d in device.json("list")] == [("streaming", "P-1")]


def test_how_devices_are(device: Command) -> None:
    for n, facility in enumerate([A, A, B, "410200-H1"]):
        enrol(device, f"mon-{n}", facility)
    seen(device, "mon-1", timedelta(minutes=5), skew_ms=-12.5, battery_percent=80.5, battery_ns=10 * SECOND)
    seen(device, "mon-2", timedelta(minutes=20))
    seen(device, "mon-3", timedelta(seconds=1))
    seen(device, "nobody-knows-me", timedelta(minutes=30))
    states = {d["device"]: d["state"] for d in device.json("list")}
    assert states == {"mon-0": "never seen", "mon-1": "silent", "mon-2": "silent", "mon-3": "streaming"}
    assert [d["device"] for d in device.json("list", "--under", "410100")] == ["mon-0", "mon-1", "mon-2"]
    assert [d["device"] for d in device.json("list", "--under", "410100", "--silent-for", "10m")] == ["mon-2"]
    assert [d["device"] for d in device.json("list", "--silent-for", "4m")] == ["mon-1", "mon-2"]
    device("disable", "mon-2", "--yes")
    assert device.json("list", "--silent-for", "10m") == []
    (shown,) = device.json("show", "mon-1")
    assert (shown["skew_ms"], shown["battery_percent"], shown["leads"]) == (-12.5, 80.5, ["I", "II"])
    assert shown["battery_at"] == "1970-01-01T00:00:10+00:00"
    assert shown["placements"] == [{"facility": A, "since": None, "until": None}]
    table, _ = device("list")
    assert "silent since 20" in table
    assert device("list", "--under", "410300")[0].split()[0] == "device"  # nothing but the head


def test_a_move_divides_the_data_at_its_moment_and_keeps_the_shard(device: Command) -> None:
    enrol(device)
    (shard,) = device.rows("SELECT shard FROM ecg.enrolment")
    moved = datetime(2026, 7, 1, tzinfo=UTC)
    just_before = moved - timedelta(microseconds=1)
    device("move", "mon-1", B, "--since", "2026-07-01T08:00:00+08:00")
    assert device.rows("SELECT shard FROM ecg.enrolment") == [shard]
    (shown,) = device.json("show", "mon-1")
    assert [(p["facility"], p["since"], p["until"]) for p in shown["placements"]] == [
        (A, None, moved.isoformat()),
        (B, moved.isoformat(), None),
    ]
    with connect(device.url) as connection:
        for n, at in enumerate((just_before, moved)):
            connection.execute(
                "INSERT INTO ecg.rhythm VALUES ('mon-1', 1, %s, 0, %s, 'N', 1, 1, '1')", (n, at)
            )
    for facility, at in ((A, just_before), (B, moved)):
        role = person(device.url, "clinic", facility, f"test_at_{facility.lower().replace('-', '_')}")
        with connect(device.url, role=role) as reader:
            assert reader.execute("SELECT time FROM api.rhythms").fetchall() == [(at,)]
    assert "nothing to change" in device("move", "mon-1", B)[1]
    for since in ("2026-07-01T00:00:00Z", "2026-06-30T23:59:59Z"):
        assert "cannot have moved before" in device.refused("move", "mon-1", A, "--since", since)
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert "in the future" in device.refused("move", "mon-1", A, "--since", later)
    assert "no offset" in device.refused("move", "mon-1", A, "--since", "2026-07-02T00:00:00")
    device("move", "mon-1", A)
    assert [row[0] for row in device.rows("SELECT facility FROM ecg.placement ORDER BY since")] == [A, B, A]


def test_the_shard_never_changes(device: Command, file: Path) -> None:
    enrol(device, "mon-1", A, "--shard", 77)
    device_csv.write(file, [Device("mon-1", B, Kind.PATCH, (), 78)])
    assert "is 77 and never changes" in device.refused("import", file)
    with device.registry() as connection, pytest.raises(psycopg.IntegrityError, match="never changes"):
        connection.execute("UPDATE ecg.enrolment SET shard = 78")
    device_csv.write(file, [Device("mon-1", B, Kind.PATCH, ())])
    device("import", file)
    assert device.rows("SELECT facility, shard FROM ecg.enrolment") == [(B, 77)]


def test_10_000_devices_in_and_out(device: Command, file: Path) -> None:
    codes = [facility.code for facility in henan()]
    wanted = made(10_000, lambda i: codes[i % len(codes)])
    device_csv.write(file, wanted)
    assert "10,000 added" in device("import", file, "--dry-run")[1]
    assert device.rows("SELECT count(*) FROM ecg.enrolment") == [(0,)]
    began = time.monotonic()
    assert device.json("import", file) == [{"added": 10_000, "changed": 0, "moved": 0, "unchanged": 0}]
    assert time.monotonic() - began < 30
    assert device.rows("SELECT count(*), count(DISTINCT device) FROM ecg.placement") == [(10_000, 10_000)]
    copy = file.with_name("copy.csv")
    device("export", copy)
    assert device.json("import", copy) == [{"added": 0, "changed": 0, "moved": 0, "unchanged": 10_000}]
    assert device.rows("SELECT count(*) FROM ecg.change WHERE object = 'enrolment'") == [(10_000,)]
    part = file.with_name("part.csv")
    assert "devices written" in device("export", part, "--under", "410100")[1]
    assert 0 < len(part.read_bytes().splitlines()) - 1 < 10_000


def test_a_file_is_done_as_a_whole_or_not_at_all(device: Command, file: Path) -> None:
    enrol(device)
    device_csv.write(
        file, [*made(100), Device("mon-1", B, Kind.PATCH, ()), Device("z", "NOWHERE", Kind.PATCH, ())]
    )
    assert "line 103: there is no facility NOWHERE" in device.refused("import", file)
    assert device.rows("SELECT device, facility FROM ecg.enrolment") == [("mon-1", A)]


def test_what_a_dry_run_lists(device: Command, file: Path) -> None:
    enrol(device)
    wanted = [Device("mon-1", B, Kind.PATCH, (), disabled=True), *made(1)]
    device_csv.write(file, wanted)
    rows = device.json("import", file, "--dry-run")
    assert [tuple(row.values()) for row in rows] == [
        ("added", "dev-00000", "", "", A),
        ("moved", "mon-1", "facility", A, B),
        ("changed", "mon-1", "leads", "I II", ""),
        ("changed", "mon-1", "disabled", "no", "yes"),
    ]
    assert "Disable 1 devices? Their monitoring stops" in device.refused("import", file)
    assert device.rows("SELECT device, facility, disabled FROM ecg.enrolment") == [("mon-1", A, False)]
    device("import", file, "--yes")
    assert device.rows("SELECT facility, disabled FROM ecg.enrolment ORDER BY device") == [
        (A, False),
        (B, True),
    ]


@pytest.mark.parametrize("name", NASTY)
def test_texts_are_texts(device: Command, file: Path, name: str) -> None:
    shown = name[:64].replace(" ", "_")
    enrol(device, shown, A, "--certificate-subject", "CN=监护仪🫀,O=مستشفى")
    assert [d["device"] for d in device.json("list")] == [shown]
    device("export", file)
    assert device.json("import", file) == [{"added": 0, "changed": 0, "moved": 0, "unchanged": 1}]
    device("list")
    device("show", shown)
    device("disable", shown, "--yes")
    assert device.rows("SELECT disabled FROM ecg.enrolment WHERE device = %s", shown) == [(True,)]


def test_bad_input_is_refused_and_not_repeated_at_length(device: Command, file: Path) -> None:
    long = "x" * 10_000
    for words in (
        ("enrol", long, "--facility", A, "--kind", "patch"),
        ("enrol", "监护仪", "--facility", A, "--kind", "patch"),
        ("enrol", "a", "--facility", long, "--kind", "patch"),
        ("enrol", "a", "--facility", A, "--kind", "patch", "--leads", long),
        ("enrol", "a", "--facility", A, "--kind", "patch", "--certificate-subject", long),
        ("enrol", "a", "--facility", A, "--kind", "patch", "--by", "Robert'); DROP TABLE"),
        ("show", long),
        ("move", "a", "🫀"),
        ("list", "--under", long),
    ):
        assert len(device.refused(*words)) < 600
    file.write_bytes("device,facility,kind,leads\n监,H,patch,\n".encode("gb18030"))
    assert "--encoding gb18030" in device.refused("import", file)
    assert device.rows("SELECT count(*) FROM ecg.enrolment") == [(0,)]


def test_two_imports_at_once_are_one_after_the_other(device: Command) -> None:
    """Both count the devices of a facility, and some are in both."""
    wanted = [made(150), made(200)[50:]]
    failed: list[Exception] = []

    def work(devices: list[Device]) -> None:
        try:
            with device.registry() as connection:
                device_store.lock(connection)
                found = device_store.planned(connection, devices, "test")
                time.sleep(0.2)
                device_store.apply(connection, found, "test")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(devices,)) for devices in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    shards = sorted(device.rows("SELECT shard, count(*) FROM ecg.enrolment GROUP BY shard"))
    assert shards == sorted((shard_of(A, n), min(64, 200 - n)) for n in (0, 64, 128, 192))


def test_who_is_no_operator_there_changes_nothing(device: Command) -> None:
    person(device.url, "operator", "410100", "test_li")
    enrol(device, "mon-1", A, "--by", "test_li")
    enrol(device, "mon-9", "410200-H1")
    for words in (
        ("enrol", "mon-2", "--facility", "410200-H1", "--kind", "patch"),
        ("move", "mon-1", "410200-H1"),
        ("move", "mon-9", A),
        ("set", "mon-9", "--leads", ""),
        ("key", "mon-9"),
    ):
        assert "test_li is not operator at 410200-H1" in device.refused(*words, "--by", "test_li")
    device("move", "mon-1", B, "--by", "test_li")
    assert device.rows("SELECT account FROM ecg.change WHERE key = 'mon-1'") == [("test_li",), ("test_li",)]


def test_a_tree_that_changes_meanwhile_is_waited_for(device: Command) -> None:
    """Else a placement would keep a path that is no more."""
    with connect(device.url, role="ecg_registry") as tree:
        facility_store.lock(tree)
        thread = threading.Thread(target=enrol_directly, args=(device,))
        thread.start()
        time.sleep(0.3)
        assert thread.is_alive()
        tree.execute("UPDATE ecg.facility SET path = 'INT.410100-H1' WHERE code = %s", (A,))
    thread.join(30)
    assert device.rows("SELECT path::text FROM ecg.placement") == [("INT.410100-H1",)]


def enrol_directly(device: Command) -> None:
    with device.registry() as connection:
        device_store.lock(connection)
        device_store.apply(connection, device_store.planned(connection, made(1), "test"), "test")

"""Patients, their identifiers and limits, on a real database."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ecgstream.registry import csv_file, identifiers, key_source, limits, patient_csv, patients
from ecgstream.registry.associations import Place, associate
from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.identity import Kind
from ecgstream.registry.keys import KeyRing
from ecgstream.registry.patients import NewPatient
from ecgstream.store.connection import connect
from schemas import mdc
from schemas.limits import DEFAULTS
from schemas.records import Category, Limit, News2, Settings
from tests.system import ward

ADULT = Settings(Category.ADULT, paced=False)
RING = KeyRing({"old": bytes(range(32))})
NEW_RING = KeyRing({"old": bytes(range(32)), "new": bytes(range(32, 64))})
WANG = {Kind.NAME: "王小明", Kind.NATIONAL_ID: "11010519491231002X", Kind.TELEPHONE: "+86 371 6591-2345"}


@pytest.fixture
def url(database_url: str) -> str:
    return ward.make(database_url)


@pytest.fixture
def registry(url: str) -> Iterator[psycopg.Connection]:
    with connect(url, role="ecg_registry") as connection:
        yield connection
        connection.rollback()


def register(
    connection: psycopg.Connection, *new: NewPatient, ring: KeyRing = RING, by: str = "test"
) -> list[str]:
    patients.check(connection, ring, new, by)
    return patients.register(connection, ring, new, by)


def test_a_patient_is_found_by_each_identifier_and_all_of_them(registry: psycopg.Connection) -> None:
    wang, other = register(
        registry, NewPatient("A", ADULT, WANG), NewPatient("A", ADULT, {Kind.NAME: "王小明"})
    )
    assert identifiers.find(registry, RING, {Kind.NAME: "王 小明"}) == []
    assert identifiers.find(registry, RING, {Kind.NAME: " 王小明"}) == sorted([wang, other])
    assert identifiers.find(registry, RING, {Kind.TELEPHONE: "86 (371) 65912345"}) == [wang]
    assert identifiers.find(
        registry, RING, {Kind.NATIONAL_ID: "11010519491231002x", Kind.NAME: "王小明"}
    ) == [wang]
    assert (
        identifiers.find(registry, RING, {Kind.NATIONAL_ID: "11010519491231002x", Kind.NAME: "王大明"}) == []
    )
    assert identifiers.find(registry, RING, {Kind.RECORD_NUMBER: "11010519491231002X"}) == []
    assert identifiers.find(registry, KeyRing({"old": bytes(32)}), {Kind.NAME: "王小明"}) == []
    assert identifiers.opened(registry, RING, wang, "ann") == WANG
    read = registry.execute("SELECT account, key, after FROM ecg.change ORDER BY id DESC LIMIT 1").fetchone()
    assert read == ("ann", wang, {"read": True})
    assert identifiers.kinds(registry, wang) == list(WANG)
    (found,) = patients.load(registry, [wang, "P-0"])
    assert (found.patient, found.facility, found.settings, found.devices) == (wang, "A", ADULT, ())


def test_the_database_holds_no_identifier_in_clear(registry: psycopg.Connection, url: str) -> None:
    register(registry, NewPatient("A", ADULT, WANG))
    registry.commit()
    with connect(url) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'ecg'").fetchall()
        for (table,) in tables:
            every_row = sql.SQL("SELECT t::text FROM ecg.{} AS t").format(sql.Identifier(table))
            said = str(owner.execute(every_row).fetchall())
            for text in WANG.values():
                assert text not in said
                assert text.encode().hex() not in said
        logged = owner.execute("SELECT before, after FROM ecg.change WHERE object = 'identifier'").fetchall()
        assert [sorted(after) for _, after in logged] == [
            ["changed_at", "changed_by", "key", "kind", "patient"]
        ] * 3


def test_one_persons_identifier_is_anothers_only_elsewhere(registry: psycopg.Connection) -> None:
    (wang,) = register(registry, NewPatient("A", ADULT, WANG))
    with pytest.raises(RegistryErrors) as refused:
        register(registry, NewPatient("A", ADULT, {Kind.NATIONAL_ID: "11010519491231002x"}, 7))
    assert refused.value.found == ((7, f"national_id: {wang} has the same at A"),)
    register(registry, NewPatient("B", ADULT, WANG))
    register(registry, NewPatient("A", ADULT, {Kind.NAME: "王小明", Kind.TELEPHONE: WANG[Kind.TELEPHONE]}))
    # Also where a new key has come since.
    with pytest.raises(RegistryErrors, match=f"{wang} has the same at A"):
        register(registry, NewPatient("A", ADULT, {Kind.NATIONAL_ID: "11010519491231002x"}), ring=NEW_RING)


def test_two_who_register_the_same_person_at_once_make_one_patient(url: str) -> None:
    with connect(url, role="ecg_registry") as first, connect(url, role="ecg_registry") as second:
        register(first, NewPatient("A", ADULT, WANG))
        refused: list[RegistryError] = []

        def other() -> None:
            try:
                register(second, NewPatient("A", ADULT, WANG))
            except RegistryError as error:
                refused.append(error)
                second.rollback()

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits for what the first one will do
        first.commit()
        thread.join(10)
        assert "has the same at A" in str(refused)


def test_an_identifier_is_put_right(registry: psycopg.Connection) -> None:
    wang, li = register(
        registry, NewPatient("A", ADULT, WANG), NewPatient("A", ADULT, {Kind.RECORD_NUMBER: "7"})
    )
    patients.identify(registry, RING, wang, {**WANG, Kind.NAME: "汪小明", Kind.RECORD_NUMBER: "8"}, "ann")
    assert identifiers.opened(registry, RING, wang, "ann")[Kind.NAME] == "汪小明"
    assert identifiers.find(registry, RING, {Kind.NAME: "王小明"}) == []
    with pytest.raises(RegistryError, match=f"record_number: {li} has the same at A"):
        patients.identify(registry, RING, wang, {Kind.RECORD_NUMBER: "7"}, "ann")
    with pytest.raises(RegistryError, match="bob is not clinic or cardiologist at A"):
        patients.identify(registry, RING, wang, {Kind.NAME: "x"}, "bob")


def test_a_pseudonym_that_somebody_has_is_not_given_again(
    registry: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = itertools.chain(["P-1", "P-X", "P-X", "P-1"], (f"P-Z{n}" for n in itertools.count()))
    monkeypatch.setattr(patients, "new_pseudonym", lambda: next(made))
    given = register(registry, *(NewPatient("A", ADULT, {Kind.RECORD_NUMBER: str(n)}) for n in range(3)))
    assert len({"P-1", *given}) == 4
    for n, patient in enumerate(given):
        assert identifiers.opened(registry, RING, patient, "ann") == {Kind.RECORD_NUMBER: str(n)}


def test_a_bad_place_or_account_registers_nobody(registry: psycopg.Connection) -> None:
    with pytest.raises(RegistryErrors, match="line 3: facility: there is none of this code"):
        register(registry, NewPatient("A", ADULT, {}, 2), NewPatient("C", ADULT, {}, 3))
    for by, why in (
        ("bob", "is not clinic or cardiologist at A"),
        ("gone", "is disabled"),
        ("tech", "is not clinic"),
    ):
        with pytest.raises(RegistryError, match=f"account {by} {why}"):
            register(registry, NewPatient("A", ADULT, {}), by=by)
    assert len(patients.under(registry, "R")) == 3


def test_patients_are_listed_where_they_belong_with_what_they_wear(registry: psycopg.Connection) -> None:
    for device in ("dev-2", "dev-1"):
        associate(registry, device, "P-2", "ann", place=Place("bed", "3"))
    assert [(p.patient, p.devices) for p in patients.under(registry, "R")] == [
        ("P-1", ()), ("P-2", ("dev-1", "dev-2")), ("P-9", ()),
    ]  # fmt: skip
    assert [p.patient for p in patients.under(registry, "B")] == ["P-9"]


# Keys.


def test_rekeying_goes_on_where_it_was_interrupted(
    registry: psycopg.Connection, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = register(
        registry, *(NewPatient("A", ADULT, {**WANG, Kind.NATIONAL_ID: str(n)}) for n in range(20))
    )
    registry.commit()
    monkeypatch.setattr(identifiers, "_BATCH", 7)
    run = identifiers.rekey(registry, NEW_RING, "operator")
    assert [next(run), next(run)] == [7, 7]
    run.close()
    registry.rollback()
    assert identifiers.old(registry, NEW_RING) == 60 - 14
    assert list(identifiers.rekey(registry, NEW_RING, "operator")) == [7, 7, 7, 7, 7, 7, 4]
    assert identifiers.old(registry, NEW_RING) == 0
    without_old = KeyRing({"new": bytes(range(32, 64))})
    for n, patient in enumerate(given):
        assert identifiers.opened(registry, without_old, patient, "ann") == {**WANG, Kind.NATIONAL_ID: str(n)}
    assert identifiers.find(registry, without_old, {Kind.NAME: "王小明"}) == sorted(given)


def test_rekeying_leaves_what_does_not_open_and_says_so(
    registry: psycopg.Connection, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = register(registry, *[NewPatient("A", ADULT, {Kind.NAME: "王小明"})] * 3)
    registry.execute("UPDATE ecg.identifier SET sealed = sealed || 'x' WHERE patient = %s", (first,))
    registry.execute("UPDATE ecg.identifier SET key = 'lost' WHERE patient = %s", (second,))
    registry.commit()
    monkeypatch.setattr(identifiers, "_BATCH", 1)
    with pytest.raises(RegistryErrors) as refused:
        list(identifiers.rekey(registry, NEW_RING, "operator"))
    said = dict(refused.value.found)
    assert "does not open with key 'old': it was altered" in said[first]
    assert "sealed with key 'lost', which is not among the keys set here" in said[second]
    assert "王" not in str(refused.value)
    keys = dict(registry.execute("SELECT patient, key FROM ecg.identifier").fetchall())
    assert keys == {first: "old", second: "lost", third: "new"}


def test_a_row_that_was_put_in_anothers_place_does_not_open(registry: psycopg.Connection) -> None:
    wang, li = register(registry, NewPatient("A", ADULT, WANG), NewPatient("A", ADULT, {Kind.NAME: "李"}))
    registry.execute(
        "UPDATE ecg.identifier AS a SET sealed = b.sealed FROM ecg.identifier AS b"
        " WHERE a.patient = %s AND a.kind = 'name' AND b.patient = %s AND b.kind = 'name'",
        (li, wang),
    )
    with pytest.raises(RegistryError, match=f"name of {li} does not open"):
        identifiers.opened(registry, RING, li, "ann")


# Settings and limits.


def test_what_the_teller_asks(registry: psycopg.Connection) -> None:
    patients.change(registry, "P-1", "ann", category=Category.NEONATE)
    patients.change(registry, "P-1", "ann", paced=True)
    limits.change(registry, "P-1", "hr", "ann", low=80, high=200)
    limits.change(registry, "P-1", "hr", "ann", high="off", reason="in theatre")
    limits.change(registry, "P-1", "spo2", "ann", low=80, high="keep")
    limits.take_back(registry, "P-1", "spo2", "ann")
    assert patients.settings_of(registry, ["P-1", "P-2", "P-0"]) == {
        "P-1": Settings(Category.NEONATE, paced=True), "P-2": ADULT,
    }  # fmt: skip
    assert limits.in_force(registry, ["P-1", "P-2", "P-0"]) == {
        "P-1": (Limit(mdc.HEART_RATE, 80, None), *DEFAULTS[Category.NEONATE][1:]),
        "P-2": DEFAULTS[Category.ADULT],
    }
    assert patients.settings_of(registry, []) == limits.in_force(registry, []) == {}


def test_a_score_is_kept_of_adults_only_and_ends_with_the_category(registry: psycopg.Connection) -> None:
    patients.change(registry, "P-1", "ann", news2=News2.SCALE_2)
    assert patients.settings_of(registry, ["P-1"])["P-1"].news2 is News2.SCALE_2
    patients.change(registry, "P-1", "ann", paced=True)
    assert patients.settings_of(registry, ["P-1"])["P-1"].news2 is News2.SCALE_2
    patients.change(registry, "P-1", "ann", category=Category.NEONATE)
    assert patients.settings_of(registry, ["P-1"])["P-1"] == Settings(Category.NEONATE, paced=True)
    with pytest.raises(RegistryError, match="for adults only"):
        patients.change(registry, "P-1", "ann", news2=News2.SCALE_1)
    patients.change(registry, "P-1", "ann", category=Category.ADULT)
    assert patients.settings_of(registry, ["P-1"])["P-1"].news2 is News2.OFF
    patients.change(registry, "P-1", "ann", category=Category.ADULT, news2=News2.SCALE_1)
    (found,) = patients.load(registry, ["P-1"])
    assert found.settings == Settings(Category.ADULT, paced=True, news2=News2.SCALE_1)
    child = NewPatient("A", Settings(Category.PAEDIATRIC, paced=False, news2=News2.SCALE_1), {})
    with pytest.raises(RegistryError, match="for adults only"):
        patients.add(registry, None, child, "ann")
    with pytest.raises(psycopg.errors.CheckViolation):
        registry.execute("UPDATE ecg.patient SET category = 'NEONATE' WHERE patient = 'P-1'")


def test_each_limit_says_where_it_comes_from(registry: psycopg.Connection) -> None:
    limits.change(registry, "P-1", "hr", "ann", low=40, high=150, reason="athlete")
    limits.change(registry, "P-1", "temp", "ann", high=38.5)
    limits.take_back(registry, "P-1", "temp", "root_doc", reason="no fever")
    hr, pulse, *others = limits.standing(registry, "P-1")
    (temp,) = (one for one in others if one.number == "temp")
    assert (hr.number, hr.limit, hr.is_default, hr.said_by, hr.reason) == (
        "hr", Limit(mdc.HEART_RATE, 40, 150), False, "ann", "athlete",
    )  # fmt: skip
    assert (pulse.is_default, pulse.said_by, pulse.said_at) == (True, None, None)
    assert (temp.limit, temp.is_default, temp.said_by, temp.reason) == (
        Limit(mdc.TEMPERATURE, 35, 39), True, "root_doc", "no fever",
    )  # fmt: skip
    # What somebody has set stays when the category changes.
    patients.change(registry, "P-1", "ann", category=Category.NEONATE)
    hr, pulse, *_ = limits.standing(registry, "P-1")
    assert (hr.limit.low, pulse.limit.low) == (40, 100)


def test_limits_that_cannot_be_set_change_nothing(registry: psycopg.Connection) -> None:
    registry.commit()
    hr = partial(limits.change, registry, "P-1", "hr")
    for why, say in (
        ("high 900 /min cannot be meant", lambda: hr("ann", high=900)),
        ("low 130 is not below high 120", lambda: hr("ann", low=130)),
        ("low nan", lambda: hr("ann", low=float("nan"))),
        ("bob is not clinic or cardiologist at A", lambda: hr("bob", low=60)),
        ("there is no patient of this", lambda: limits.change(registry, "wang", "hr", "ann", low=60)),
        ("no limits are kept of this number; they are of hr, pulse",
         lambda: limits.take_back(registry, "P-1", "x", "ann")),
        ("gone is disabled", lambda: limits.take_back(registry, "P-1", "hr", "gone")),
        ("tech is not clinic", lambda: patients.change(registry, "P-1", "tech", paced=True)),
        ("there is no patient of this", lambda: patients.change(registry, "wang", "ann", paced=True)),
        ("there is no patient of this", lambda: limits.standing(registry, "wang")),
    ):  # fmt: skip
        with pytest.raises(RegistryError, match=why):
            say()
        registry.rollback()
    assert registry.execute("SELECT FROM ecg.limit_change").fetchall() == []


def test_two_sides_that_two_people_set_at_once_both_hold(url: str) -> None:
    with connect(url, role="ecg_registry") as first, connect(url, role="ecg_registry") as second:
        limits.change(first, "P-1", "hr", "ann", low=40)
        thread = threading.Thread(target=lambda: limits.change(second, "P-1", "hr", "root_doc", high=180))
        thread.start()
        thread.join(0.3)
        first.commit()
        thread.join(10)
        assert limits.in_force(second, ["P-1"])["P-1"][0] == Limit(mdc.HEART_RATE, 40, 180)


def test_a_change_is_told_to_the_devices_that_the_patient_wears(registry: psycopg.Connection) -> None:
    associate(registry, "dev-1", "P-1", "ann", place=Place("bed", "3"))
    for say in (
        lambda: limits.change(registry, "P-1", "hr", "ann", low=40),
        lambda: limits.take_back(registry, "P-1", "hr", "ann"),
        lambda: patients.change(registry, "P-1", "ann", paced=True),
    ):
        registry.execute("DELETE FROM ecg.tell")
        say()
        assert registry.execute("SELECT device, account FROM ecg.tell").fetchall() == [("dev-1", "ann")]


# Files.


def test_ten_thousand_patients_come_in_from_a_file_in_seconds(
    registry: psycopg.Connection, tmp_path: Path
) -> None:
    rows = (
        (f"{'AB'[n % 2]}", "", f"Name {n % 500}", f"ID{n}", f"ZY-{n}", f"+86 371 {n:08}")
        for n in range(10_000)
    )
    file = tmp_path / "patients.csv"
    csv_file.write(file, ("facility", "paced", "name", "national_id", "record_number", "telephone"), rows)
    key_source.create(tmp_path / "keys")
    ring = key_source.load(tmp_path / "keys", "")
    started = time.monotonic()
    new = csv_file.gather(patient_csv.rows(file), patient_csv.parse)
    given = register(registry, *new, ring=ring)
    took = time.monotonic() - started
    assert len(set(given)) == 10_000
    assert identifiers.find(registry, ring, {Kind.NATIONAL_ID: "id9999"}) == [given[-1]]
    assert len(identifiers.find(registry, ring, {Kind.NAME: "name 7"})) == 20
    assert took < 30

    with pytest.raises(RegistryErrors) as refused:
        patients.check(registry, ring, new, "test")
    assert len(refused.value.found) == 20_000
    assert refused.value.found[0] == (2, f"national_id: {given[0]} has the same at A")

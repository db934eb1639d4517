"""Patients: their pseudonym, under which all their data run, the facility that answers, and the settings."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

from ecgstream.registry import identifiers, text
from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.identifiers import Entry
from ecgstream.registry.identity import ONE_PERSON, Kind, new_pseudonym, normalised, shown_pseudonym
from ecgstream.registry.keys import KeyRing
from ecgstream.registry.rights import CARE, require
from schemas.records import Category, News2, Settings


@dataclass(frozen=True, slots=True)
class NewPatient:
    """A patient who is to be registered; the identifiers as ``identity.check`` returned them."""

    facility: str
    settings: Settings
    identifiers: Mapping[Kind, str] = field(repr=False)
    line: int = 0
    """Of the file that told of the patient."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A registered patient, without anything that tells who it is."""

    patient: str
    """The pseudonym."""
    facility: str
    """That answers for the identity."""
    settings: Settings
    devices: tuple[str, ...]
    """Worn at this moment."""


_SELECT: LiteralString = """
SELECT p.patient, p.facility, p.category, p.paced, p.news2,
    ARRAY(SELECT a.device FROM ecg.association AS a WHERE a.patient = p.patient AND a.superseded_at IS NULL
          AND tstzrange(a.since, a.until) @> clock_timestamp() ORDER BY a.device)
FROM ecg.patient AS p JOIN ecg.facility AS f ON f.code = p.facility
"""
_UNDER: LiteralString = """
WHERE f.path <@ (SELECT path FROM ecg.facility WHERE code = %s) ORDER BY f.path, p.patient
"""


def facility_code(value: str) -> str:
    """Return the code of a facility.

    Raises:
        RegistryError: it can be none. It is not repeated: in its place may stand a name.
    """
    try:
        return text.code(value)
    except RegistryError:
        raise RegistryError(
            "facility: is no code of 1 to 32 ASCII letters, digits, hyphens or underscores"
        ) from None


def check_news2(category: Category, news2: News2) -> None:
    """Make sure that a score may be kept of a patient.

    Raises:
        RegistryError: it may not, of this category.
    """
    if news2 is not News2.OFF and category is not Category.ADULT:
        raise RegistryError(
            "news2: the score is for adults only, here from 16 years on and not pregnant:"
            " leave it off, or set the category to adult"
        )


def settings_of(connection: psycopg.Connection, patients: Collection[str]) -> dict[str, Settings]:
    """Return the settings of patients by pseudonym; those who are not registered are left out."""
    rows = connection.execute(
        "SELECT patient, category, paced, news2 FROM ecg.patient WHERE patient = ANY(%s)", (list(patients),)
    )
    return {
        patient: Settings(Category(category), paced, News2(news2)) for patient, category, paced, news2 in rows
    }


def facility_of(connection: psycopg.Connection, patient: str) -> str:
    """Return the facility that answers for a patient.

    Raises:
        RegistryError: nobody is registered under the pseudonym.
    """
    row = connection.execute("SELECT facility FROM ecg.patient WHERE patient = %s", (patient,)).fetchone()
    if row is None:
        raise RegistryError(f"there is no patient {shown_pseudonym(patient)}")
    return str(row[0])


def time_zone_of(connection: psycopg.Connection, patient: str) -> str:
    """Return the time zone of the facility that answers for a patient.

    Raises:
        RegistryError: nobody is registered under the pseudonym.
    """
    facility = facility_of(connection, patient)
    row = connection.execute("SELECT time_zone FROM ecg.facility WHERE code = %s", (facility,)).fetchone()
    return "UTC" if row is None else str(row[0])


def load(connection: psycopg.Connection, patients: Collection[str]) -> list[Patient]:
    """Return patients by pseudonym; those who are not registered are left out."""
    return _patients(
        connection.execute(_SELECT + "WHERE p.patient = ANY(%s) ORDER BY p.patient", (list(patients),))
    )


def under(connection: psycopg.Connection, facility: str) -> list[Patient]:
    """Return the patients for whom a facility or one below it answers."""
    return _patients(connection.execute(_SELECT + _UNDER, (facility,)))


def check(connection: psycopg.Connection, ring: KeyRing | None, new: Sequence[NewPatient], by: str) -> None:
    """Make sure that an account may register patients, and that nobody else does there until the end.

    ``ring`` may be ``None`` where none of them has an identifier.

    Raises:
        RegistryErrors: a facility is not there; an identifier of one person is another's at this facility.
        RegistryError: the account may not do so at one of the facilities.
    """
    known = _lock(connection, {one.facility for one in new})
    wrong: list[tuple[int | str, str]] = [
        (one.line, "facility: there is none of this code") for one in new if one.facility not in known
    ]
    telling = [
        (one.line, (one.facility, kind, value))
        for one in new
        for kind, value in one.identifiers.items()
        if kind in ONE_PERSON
    ]
    wrong += _told_twice(telling)
    if ring is not None:
        held = identifiers.holders(connection, ring, [entry for _, entry in telling])
        for n, patient in held.items():
            line, (facility, kind, _) = telling[n]
            wrong.append((line, f"{kind}: {patient} has the same at {facility}"))
    if wrong:
        raise RegistryErrors(sorted(wrong, key=lambda found: int(found[0])))
    for facility in sorted(known):
        require(connection, by, CARE, facility)


def register(
    connection: psycopg.Connection, ring: KeyRing | None, new: Sequence[NewPatient], by: str
) -> list[str]:
    """Register patients who were checked; return their new pseudonyms in the same order."""
    given: dict[int, str] = {}
    while len(given) < len(new):  # again for a pseudonym that somebody has
        names = {new_pseudonym(): i for i in range(len(new)) if i not in given}
        free = connection.execute(
            "INSERT INTO ecg.patient (patient, facility, category, paced, news2, changed_by)"
            " SELECT *, %s FROM unnest(%s::text[], %s::text[], %s::text[], %s::bool[], %s::text[])"
            " ON CONFLICT DO NOTHING RETURNING patient",
            (
                by,
                list(names),
                [new[i].facility for i in names.values()],
                [str(new[i].settings.category) for i in names.values()],
                [new[i].settings.paced for i in names.values()],
                [str(new[i].settings.news2) for i in names.values()],
            ),
        )
        given |= {names[name]: name for (name,) in free}
    entries = [
        Entry(given[i], kind, value) for i, one in enumerate(new) for kind, value in one.identifiers.items()
    ]
    if ring is not None:
        identifiers.put(connection, ring, entries, by)
    return [given[i] for i in range(len(new))]


def add(connection: psycopg.Connection, ring: KeyRing | None, new: NewPatient, by: str) -> str:
    """Check and register one patient; return the new pseudonym.

    Raises:
        RegistryError: as ``check`` and ``check_news2``.
    """
    check_news2(new.settings.category, new.settings.news2)
    try:
        check(connection, ring, [new], by)
    except RegistryErrors as errors:
        raise RegistryError("; ".join(why for _, why in errors.found)) from None
    return register(connection, ring, [new], by)[0]


def change(
    connection: psycopg.Connection,
    patient: str,
    by: str,
    *,
    category: Category | None = None,
    paced: bool | None = None,
    news2: News2 | None = None,
) -> None:
    """Change the settings of a patient, whatever of them is given; a score that is kept ends with the adult.

    Raises:
        RegistryError: there is no such patient, the account may not do so, or no score may be kept.
    """
    require(connection, by, CARE, facility_of(connection, patient))
    if news2 is not None:
        check_news2(category or settings_of(connection, [patient])[patient].category, news2)
    connection.execute(
        "UPDATE ecg.patient SET category = coalesce(%(category)s, category),"
        " paced = coalesce(%(paced)s, paced), news2 = CASE coalesce(%(category)s, category)"
        " WHEN 'ADULT' THEN coalesce(%(news2)s, news2) ELSE 'OFF' END,"
        " changed_by = %(by)s, changed_at = clock_timestamp() WHERE patient = %(patient)s",
        {"category": category, "paced": paced, "news2": news2, "by": by, "patient": patient},
    )


def identify(
    connection: psycopg.Connection, ring: KeyRing, patient: str, given: Mapping[Kind, str], by: str
) -> None:
    """Give a patient identifiers, in place of former ones of these kinds.

    Raises:
        RegistryError: there is no such patient, the account may not do so, or another patient of the facility
            has one of them.
    """
    facility = facility_of(connection, patient)
    require(connection, by, CARE, facility)
    _lock(connection, [facility])
    wanted = [(facility, kind, value) for kind, value in given.items() if kind in ONE_PERSON]
    for n, other in identifiers.holders(connection, ring, wanted, but=patient).items():
        raise RegistryError(f"{wanted[n][1]}: {other} has the same at {facility}")
    identifiers.put(connection, ring, [Entry(patient, kind, value) for kind, value in given.items()], by)


def _lock(connection: psycopg.Connection, facilities: Collection[str]) -> set[str]:
    """Let nobody else register patients there until the transaction ends; return those that there are."""
    rows = connection.execute(
        "SELECT code FROM ecg.facility WHERE code = ANY(%s) ORDER BY code FOR NO KEY UPDATE",
        (sorted(facilities),),
    )
    return {code for (code,) in rows}


def _told_twice(telling: Sequence[tuple[int, tuple[str, Kind, str]]]) -> Iterator[tuple[int, str]]:
    first: dict[tuple[str, Kind, str], int] = {}
    for line, (facility, kind, value) in telling:
        other = first.setdefault((facility, kind, normalised(kind, value)), line)
        if other != line:
            yield line, f"{kind}: the same as on line {other}"


def _patients(rows: Iterable[tuple[Any, ...]]) -> list[Patient]:
    return [
        Patient(patient, facility, Settings(Category(category), paced, News2(news2)), tuple(devices))
        for patient, facility, category, paced, news2, devices in rows
    ]

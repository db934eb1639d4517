"""Patients' identifiers in the database: sealed, and found by keyed hash."""

from collections.abc import Iterator, Mapping, Sequence
from typing import LiteralString, NamedTuple

import psycopg

from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.identity import Kind, normalised
from ecgstream.registry.keys import KeyRing

_BATCH = 500

_PUT: LiteralString = """
INSERT INTO ecg.identifier (patient, kind, search, sealed, key, changed_by)
SELECT *, %s FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::text[])
ON CONFLICT (patient, kind) DO UPDATE SET search = excluded.search, sealed = excluded.sealed,
    key = excluded.key, changed_by = excluded.changed_by, changed_at = clock_timestamp()
"""

_HOLDERS: LiteralString = """
SELECT w.n, min(i.patient)
FROM unnest(%s::int[], %s::text[], %s::text[], %s::bytea[]) AS w (n, facility, kind, search)
JOIN ecg.identifier AS i ON i.kind = w.kind AND i.search = w.search
JOIN ecg.patient AS p ON p.patient = i.patient AND p.facility = w.facility
WHERE p.patient <> %s
GROUP BY w.n
"""

_FIND: LiteralString = """
SELECT i.patient FROM unnest(%s::text[], %s::bytea[]) AS w (kind, search)
JOIN ecg.identifier AS i ON i.kind = w.kind AND i.search = w.search
GROUP BY i.patient HAVING count(DISTINCT i.kind) = %s ORDER BY i.patient
"""

# In the order of the primary key, so that what cannot be opened is passed by and not met again.
_OLD: LiteralString = """
SELECT patient, kind, key, sealed FROM ecg.identifier
WHERE key <> %s AND (patient, kind) > (%s, %s) ORDER BY patient, kind LIMIT %s FOR NO KEY UPDATE
"""


class Entry(NamedTuple):
    """One identifier of a patient, in clear."""

    patient: str
    kind: Kind
    text: str

    def __repr__(self) -> str:
        return f"{self.kind} of {self.patient}"


def put(connection: psycopg.Connection, ring: KeyRing, entries: Sequence[Entry], by: str) -> None:
    """Keep identifiers, each in place of the patient's former one of its kind."""
    sealed = [ring.seal(*entry, normalised=normalised(entry.kind, entry.text)) for entry in entries]
    connection.execute(
        _PUT,
        (
            by,
            [entry.patient for entry in entries],
            [str(entry.kind) for entry in entries],
            [row.search for row in sealed],
            [row.sealed for row in sealed],
            [row.key for row in sealed],
        ),
    )


def kinds(connection: psycopg.Connection, patient: str) -> list[Kind]:
    """Return which identifiers of a patient are kept."""
    rows = connection.execute("SELECT kind FROM ecg.identifier WHERE patient = %s", (patient,))
    found = {kind for (kind,) in rows}
    return [kind for kind in Kind if kind in found]


def opened(connection: psycopg.Connection, ring: KeyRing, patient: str, account: str) -> dict[Kind, str]:
    """Return a patient's identifiers in clear; that ``account`` has read them is recorded.

    Raises:
        RegistryError: one of them does not open.
    """
    rows = connection.execute(
        "SELECT kind, key, sealed FROM ecg.identifier WHERE patient = %s", (patient,)
    ).fetchall()
    found = {kind: ring.open(patient, kind, key, sealed) for kind, key, sealed in rows}
    connection.execute("SELECT ecg.log_read(%s, %s)", (account, patient))
    return {kind: found[kind] for kind in Kind if kind in found}


def find(connection: psycopg.Connection, ring: KeyRing, wanted: Mapping[Kind, str]) -> list[str]:
    """Return the pseudonyms of all patients whose identifiers are these, compared as ``normalised``."""
    pairs = [
        (str(kind), search)
        for kind, text in wanted.items()
        for search in ring.searches(kind, normalised(kind, text))
    ]
    rows = connection.execute(
        _FIND, ([kind for kind, _ in pairs], [search for _, search in pairs], len(wanted))
    )
    return [patient for (patient,) in rows]


def holders(
    connection: psycopg.Connection, ring: KeyRing, wanted: Sequence[tuple[str, Kind, str]], *, but: str = ""
) -> dict[int, str]:
    """Return who has identifiers already: of each (facility, kind, text) its index and one such patient.

    ``but``: a patient who does not count.
    """
    rows = [
        (n, facility, str(kind), search)
        for n, (facility, kind, text) in enumerate(wanted)
        for search in ring.searches(kind, normalised(kind, text))
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    return dict(connection.execute(_HOLDERS, (*columns, but)).fetchall())


def old(connection: psycopg.Connection, ring: KeyRing) -> int:
    """Return how many identifiers another key than the newest has sealed."""
    row = connection.execute("SELECT count(*) FROM ecg.identifier WHERE key <> %s", (ring.newest,)).fetchone()
    return 0 if row is None else int(row[0])


def rekey(connection: psycopg.Connection, ring: KeyRing, by: str) -> Iterator[int]:
    """Seal anew with the newest key what others have sealed; yield after each batch how many it was.

    Each batch is committed by itself, so that a run that was interrupted goes on where it stood.

    Raises:
        RegistryErrors: in the end, those that did not open. They stay as they were.
    """
    wrong: list[tuple[int | str, str]] = []
    last = ("", "")
    while True:
        rows = connection.execute(_OLD, (ring.newest, *last, _BATCH)).fetchall()
        if not rows:
            break
        entries = []
        for patient, kind, key, sealed in rows:
            try:
                entries.append(Entry(patient, Kind(kind), ring.open(patient, kind, key, sealed)))
            except RegistryError as error:
                wrong.append((patient, str(error)))
        put(connection, ring, entries, by)
        connection.commit()
        last = rows[-1][:2]
        yield len(entries)
    connection.commit()
    if wrong:
        raise RegistryErrors(wrong)

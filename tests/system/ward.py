"""A small registry for tests: two hospitals, devices and patients."""

from __future__ import annotations

from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate


def make(url: str) -> str:
    """Fill an empty database: R above A (dev-1, dev-2, P-1, P-2) and B (dev-9, P-9). Return its URL."""
    migrate(url)
    with connect(url) as connection:
        connection.execute(
            "INSERT INTO ecg.facility"
            " (code, parent, path, level, kind, name_en, name_zh, time_zone, changed_by) VALUES"
            " ('R', NULL, 'R', 1, 'authority', 'Root', '', 'UTC', 'test'),"
            " ('A', 'R', 'R.A', 4, 'hospital', 'Hospital A', '', 'Asia/Shanghai', 'test'),"
            " ('B', 'R', 'R.B', 4, 'hospital', 'Hospital B', '', 'Asia/Urumqi', 'test')"
        )
        connection.execute(
            "INSERT INTO ecg.enrolment (device, facility, kind, shard, changed_by) VALUES"
            " ('dev-1', 'A', 'monitor', 0, 'test'), ('dev-2', 'A', 'monitor', 1, 'test'),"
            " ('dev-9', 'B', 'monitor', 2, 'test')"
        )
        connection.execute(
            "INSERT INTO ecg.patient (patient, facility, changed_by) VALUES"
            " ('P-1', 'A', 'test'), ('P-2', 'A', 'test'), ('P-9', 'B', 'test')"
        )
        connection.execute(
            "INSERT INTO ecg.person (account, name, changed_by) SELECT a, a, 'test' FROM"
            " unnest('{ann,bob,root_doc,tech,gone}'::text[]) AS a"
        )
        connection.execute(
            "INSERT INTO ecg.position (account, kind, facility, changed_by) VALUES"
            " ('ann', 'clinic', 'A', 'test'), ('bob', 'cardiologist', 'B', 'test'),"
            " ('root_doc', 'cardiologist', 'R', 'test'), ('tech', 'operator', 'R', 'test'),"
            " ('gone', 'clinic', 'R', 'test')"
        )
        connection.execute("UPDATE ecg.person SET disabled = true WHERE account = 'gone'")
    return url

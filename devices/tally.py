"""How long a gateway has run, and what of devices' data it has lost; kept in the spool's file.

How old a record is, is told by how long the gateway has run since it was taken. Its clock is no measure:
where a machine has no battery for it, it is set by days or years as soon as there is a network, and all that
waits would be too old at once.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from devices.rows import seal

TABLES = """
CREATE TABLE tally (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    ran_s INTEGER NOT NULL, -- for how long gateways have run with this file
    numbers INTEGER NOT NULL, -- lost, as all that follows
    wave_s REAL NOT NULL,
    ecg_s REAL NOT NULL,
    records INTEGER NOT NULL,
    lost_ns INTEGER -- when the last of it was
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """What Kafka will never have.

    Attributes:
        numbers: vital signs.
        wave_s: s of signal of which waves other than ECG are lost.
        ecg_s: s of signal of which the ECG is lost.
        records: those that the disk gave back damaged; what was in them is not known.

    >>> Lost(numbers=2) + Lost(numbers=1, ecg_s=1.0)
    Lost(numbers=3, wave_s=0.0, ecg_s=1.0, records=0)
    """

    numbers: int = 0
    wave_s: float = 0.0
    ecg_s: float = 0.0
    records: int = 0

    def __add__(self, other: "Lost") -> "Lost":
        return Lost(
            self.numbers + other.numbers,
            self.wave_s + other.wave_s,
            self.ecg_s + other.ecg_s,
            self.records + other.records,
        )


class Tally:
    """Counts over all restarts; ``write`` is part of the spool's transaction.

    Args:
        connection: to the spool's file.
        steady_s, utc_ns: clocks.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        steady_s: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._steady_s = steady_s
        self._utc_ns = utc_ns
        self.lost = Lost()
        self.lost_ns: int | None = None
        """When the last of it was lost, UTC ns; ``None``: nothing was."""
        self._begun_s = steady_s()
        row = connection.execute(
            "SELECT ran_s, numbers, wave_s, ecg_s, records, lost_ns, crc FROM tally"
        ).fetchone()
        if row is not None and row[6] in (None, seal(row[:6])):
            self._begun_s -= row[0]
            self.lost, self.lost_ns = Lost(*row[1:5]), row[5]
        elif row is not None:  # damaged: by a wrong time all that waits could be too old
            newest = connection.execute("SELECT ran_s FROM record ORDER BY number DESC LIMIT 1").fetchone()
            self._begun_s -= newest[0] if newest is not None else 0
        self._written = self.lost

    @property
    def ran_s(self) -> int:
        """For how long gateways have run with this file; never less than before."""
        return int(self._steady_s() - self._begun_s)

    def lose(self, what: Lost) -> None:
        """Count what is lost."""
        if what != Lost():
            self.lost += what
            self.lost_ns = self._utc_ns()

    @property
    def has_changed(self) -> bool:
        """Whether something was lost that was not written."""
        return self.lost != self._written

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what is counted."""
        lost = self.lost
        row = (self.ran_s, lost.numbers, float(lost.wave_s), float(lost.ecg_s), lost.records, self.lost_ns)
        connection.execute("INSERT OR REPLACE INTO tally VALUES (1, ?, ?, ?, ?, ?, ?, ?)", (*row, seal(row)))

    def written(self) -> None:
        """Hear that it was committed."""
        self._written = self.lost

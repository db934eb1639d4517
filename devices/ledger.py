"""What a play has had acknowledged, and how far each of its devices has come; kept in the spool's file.

A *play* is a run of recordings or simulated devices. It has a name, under which it goes on where it was when
its gateway was killed. A device's *mark* says what it has given: all up to there is in the spool or in Kafka.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace

from devices.backlog import Part
from devices.errors import PlayError
from devices.rows import seal
from schemas.records import Packet, Vital

TABLES = """
CREATE TABLE play (
    one INTEGER PRIMARY KEY CHECK (one = 1), -- a gateway plays one thing at a time
    terms TEXT NOT NULL, -- JSON
    first_record INTEGER NOT NULL, -- those before are of an earlier play
    bundles INTEGER NOT NULL DEFAULT 0, -- acknowledged by Kafka, as all that follows
    bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE sent (
    device TEXT NOT NULL,
    session INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    vitals INTEGER NOT NULL,
    last_vital_ns INTEGER NOT NULL,
    last_vital_code INTEGER NOT NULL,
    PRIMARY KEY (device, session)
) STRICT, WITHOUT ROWID;
"""
PAST = """
CREATE TABLE past ( -- marks of what the spool has lost of the play (devices/bounds.py)
    device TEXT PRIMARY KEY,
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    vital_session INTEGER NOT NULL,
    vital_ns INTEGER NOT NULL,
    vital_code INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Play:
    """What a play was begun with.

    ``start_ns``: device time of its begin, UTC ns; ``began_ns``: when that was on the gateway's clock;
    ``speed``: s of signal a second.
    """

    name: str
    start_ns: int
    began_ns: int
    speed: float
    packet_s: float
    devices: tuple[str, ...]


@dataclass(slots=True)
class Sent:
    """What Kafka has acknowledged of a session of a device; -1: nothing."""

    packets: int = 0
    first_seq: int = -1
    last_seq: int = -1
    vitals: int = 0
    last_vital_ns: int = -1
    last_vital_code: int = -1


@dataclass(slots=True)
class Account:
    """What Kafka has acknowledged of a play."""

    sent: dict[tuple[str, int], Sent] = field(default_factory=dict)
    bundles: int = 0
    bytes: int = 0

    @property
    def packets(self) -> int:
        """How many packets."""
        return sum(s.packets for s in self.sent.values())

    @property
    def vitals(self) -> int:
        """How many numbers."""
        return sum(s.vitals for s in self.sent.values())

    def add(self, parts: Iterable[Part], size: int) -> None:
        """Count a record of so many bytes."""
        self.bundles += 1
        self.bytes += size
        for part in parts:
            for run in part.runs:
                sent = self.sent.setdefault((part.device, run.session), Sent())
                sent.packets += run.packets
                sent.first_seq = run.first_seq if sent.first_seq < 0 else min(sent.first_seq, run.first_seq)
                sent.last_seq = max(sent.last_seq, run.last_seq)
            for numbers in part.numbers:
                sent = self.sent.setdefault((part.device, numbers.session), Sent())
                sent.vitals += numbers.vitals
                known, told = (sent.last_vital_ns, sent.last_vital_code), (numbers.last_ns, numbers.last_code)
                sent.last_vital_ns, sent.last_vital_code = max(known, told)


@dataclass(slots=True)
class Mark:
    """How far a device has come: its last packet's session and seq; its last number's session, time, code."""

    packet: tuple[int, int] = (-1, -1)
    vital: tuple[int, int, int] = (-1, -1, -1)

    def has(self, item: Packet | Vital) -> bool:
        """Return whether the device has given this.

        >>> Mark((7, 2)).has(Packet("d", 7, 3, 750, 0, 0, []))
        False
        """
        if isinstance(item, Packet):
            return (item.session, item.seq) <= self.packet
        return (item.session, item.time_ns, item.code) <= self.vital

    def come(self, part: Part) -> None:
        """Hear that the device has given this."""
        for run in part.runs:
            self.packet = max(self.packet, (run.session, run.last_seq))
        for numbers in part.numbers:
            self.vital = max(self.vital, (numbers.session, numbers.last_ns, numbers.last_code))


class Ledger:
    """Counts what is acknowledged; ``write`` is part of the spool's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.account = Account()
        self.play: Play | None = None
        self.first_record = 0
        """The number of the play's first record."""
        self._changed: set[tuple[str, int]] = set()
        self._is_new = False
        self._past: dict[str, Mark] = {}
        self._past_changed: set[str] = set()
        query = "SELECT CAST(terms AS BLOB), first_record, bundles, bytes, crc FROM play"
        row = connection.execute(query).fetchone()
        if row is None:
            return
        raw, *counts, crc = row
        text = raw.decode(errors="replace")
        if crc not in (None, seal((text, *counts))):  # damaged: the play begins anew
            return
        terms = json.loads(text)
        self.play = Play(**terms | {"devices": tuple(terms["devices"])})
        self.first_record, self.account.bundles, self.account.bytes = counts
        for device, session, *sent in connection.execute("SELECT * FROM sent"):
            self.account.sent[device, session] = Sent(*sent)
        for device, session, seq, *vital in connection.execute("SELECT * FROM past"):
            self._past[device] = Mark((session, seq), (vital[0], vital[1], vital[2]))

    @property
    def has_changed(self) -> bool:
        """Whether there is something to write."""
        return self._is_new or bool(self._changed or self._past_changed)

    def begin(self, play: Play, next_record: int) -> Play:
        """Return the play that goes on under this name, or this one, which then begins.

        Raises:
            PlayError: it was begun with something else.
        """
        known = self.play
        if known is None or known.name != play.name:
            self.play, self.account, self.first_record = play, Account(), next_record
            self._changed.clear()
            self._past = {}
            self._past_changed.clear()
            self._is_new = True
            return play
        if replace(known, start_ns=play.start_ns, began_ns=play.began_ns) != play:
            raise PlayError(
                f"play {play.name} was begun at speed {known.speed:g} with packets of {known.packet_s:g} s "
                f"and devices {', '.join(known.devices)}: give the same, or another name to begin anew"
            )
        return known

    def count(self, number: int, parts: Sequence[Part], size: int) -> None:
        """Count what Kafka has acknowledged of a record: these parts, of so many bytes."""
        if self.play is None or number < self.first_record:
            return
        self.account.add(parts, size)
        for part in parts:
            self._changed.update((part.device, run.session) for run in part.runs)
            self._changed.update((part.device, numbers.session) for numbers in part.numbers)

    def lost(self, number: int, parts: Iterable[Part]) -> None:
        """Hear that the spool has lost some of a record: these devices have given it all the same."""
        if self.play is None or number < self.first_record:
            return
        for part in parts:
            self._past.setdefault(part.device, Mark()).come(part)
            self._past_changed.add(part.device)

    def marks(self, spooled: Iterable[Iterable[Part]]) -> dict[str, Mark]:
        """Return the devices' marks, where the spool holds these records."""
        marks = {device: replace(mark) for device, mark in self._past.items()}
        for (device, session), sent in self.account.sent.items():
            mark = marks.setdefault(device, Mark())
            if sent.packets:
                mark.packet = max(mark.packet, (session, sent.last_seq))
            if sent.vitals:
                mark.vital = max(mark.vital, (session, sent.last_vital_ns, sent.last_vital_code))
        for part in (part for parts in spooled for part in parts):
            marks.setdefault(part.device, Mark()).come(part)
        return marks

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what has changed, within the spool's transaction."""
        if self.play is None or not self.has_changed:
            return
        if self._is_new:
            connection.execute("DELETE FROM sent")
            connection.execute("DELETE FROM past")
        row = (json.dumps(asdict(self.play)), self.first_record, self.account.bundles, self.account.bytes)
        connection.execute("INSERT OR REPLACE INTO play VALUES (1, ?, ?, ?, ?, ?)", (*row, seal(row)))
        connection.executemany(
            "INSERT OR REPLACE INTO sent VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(*key, *astuple(self.account.sent[key])) for key in self._changed],
        )
        marks = [(device, self._past[device]) for device in self._past_changed]
        connection.executemany(
            "INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?, ?, ?)",
            [(device, *mark.packet, *mark.vital) for device, mark in marks],
        )

    def written(self) -> None:
        """Hear that it was committed."""
        self._is_new = False
        self._changed.clear()
        self._past_changed.clear()

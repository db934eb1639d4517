"""A database that house is kept in, with what writes to it and who looks on."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import numpy as np

from ecgstream.settings import Settings
from ecgstream.store import rows
from ecgstream.store.connection import connect
from ecgstream.store.housekeeping import ROLE, keep_house
from ecgstream.store.migrate import migrate
from ecgstream.store.rows import Rows
from ecgstream.store.writer import Writer
from schemas import mdc, topics
from schemas.batches import Trends
from schemas.records import Lane
from tests.system.people import person

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
KINDS = ("traces", "beats", "vitals", "trends", "hours", "events")
ALL: tuple[LiteralString, ...] = (
    *("trace", "beat", "vital", "trend", "trend_hour", "hour_due"),
    *("rhythm", "segment", "condition", "alert", "judgement", "control", "clock_correction"),
)


def ns(at: datetime) -> int:
    return int(at.timestamp()) * 10**9


def kept(**days: int) -> Settings:
    return Settings(**{f"keep_{kind}_days": n for kind, n in days.items()})


def minutes(
    device: str, first: datetime, means: list[float], lane: Lane = Lane.LIVE, generation: int = 1
) -> Rows:
    """Minutes of a heart rate from ``first`` on, each of 10 values."""
    n = len(means)
    ones = np.ones(n, np.int64)
    at = ns(first) + np.arange(n) * 60 * 10**9
    mean = np.array(means, np.float32)
    numbers = (10 * ones, mean, mean - 5, mean + 5)
    batch = Trends(
        *(0, generation, "1", [device], 0 * ones, ones, at, mdc.HEART_RATE * ones),
        *(*numbers, np.arange(n), lane),
    )
    return rows.OF[topics.TRENDS.name](batch.encode())


class House:
    """A database, with what writes to it and who looks on."""

    def __init__(self, url: str) -> None:
        migrate(url)
        self.url = url
        with connect(url) as owner:
            for device in ("a", "b"):
                owner.execute("INSERT INTO ecg.device VALUES (%s, 'g', 1, 1, 1)", (device,))

    def write(self, *words: Rows) -> None:
        with closing(Writer(connect(self.url, role="ecg_sink"))) as writer:
            writer.write(words, ())

    def keep(self, settings: Settings | None = None, now: datetime = NOW, **more: Any) -> list[str]:
        """Run it; return what it says, without how long it took."""
        said: list[str] = []
        with connect(self.url, role=ROLE, autocommit=True) as connection:
            keep_house(connection, settings or Settings(), said.append, now=now, **more)
        return [line.split(" (")[0] for line in said]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.url) as owner:
            return owner.execute(query).fetchall()  # type: ignore[arg-type]

    def seen(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.url, role=person(self.url, "clinic")) as reader:
            return reader.execute(query).fetchall()  # type: ignore[arg-type]

    def hours(self) -> list[tuple[Any, ...]]:
        return self.seen("SELECT device, time, n, mean, low, high FROM api.trends_hourly ORDER BY 1, 2")

    def due(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT device, time FROM ecg.hour_due ORDER BY 1, 2")

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        return {name: self.rows(f"SELECT t.* FROM ecg.{name} AS t ORDER BY t") for name in ALL}  # noqa: S608

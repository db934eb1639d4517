"""Looking at servers and disks: each probe in a thread of its own, so that none waits for another.

Every look has a time limit. A probe that hangs all the same is noticed by its age: what it should have seen
is unknown, the watch falls silent towards the dead man's switch, and at last ends itself.
"""

import selectors
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import psycopg
import structlog
from psycopg.pq import ExecStatus

from ecgstream import clients
from ecgstream.broker.errors import BrokerError
from ecgstream.broker.greet import knock
from ecgstream.settings import Settings
from ecgstream.watch.sight import Contact, Disk

ANSWER_S = 3.0
"""The time limit of one question to a server."""

Clock = Callable[[], float]
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

log = structlog.get_logger()


class Look(Protocol[_T_co]):
    """A look at something; ``close`` lets go of what it holds."""

    def __call__(self, now_s: float, /) -> _T_co:
        """Return what is seen; an error: nothing is."""

    def close(self) -> None:
        """Let go of connections."""


class Probe(Generic[_T]):
    """Looks at something again and again, and keeps what it has seen last."""

    def __init__(self, name: str, look: Look[_T], every_s: float, clock: Clock) -> None:
        self.name = name
        self.seen: _T | None = None
        self.looked_s = clock()
        """When a look ended last, whatever came of it."""
        self._look = look
        self._every_s = every_s
        self._clock = clock
        self._trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Look until ``stop`` is set."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.seen = self._look(self._clock())
                self._say("")
            except Exception as error:  # whatever it is: the next look may see again
                self._say(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
            self.looked_s = self._clock()
            stop.wait(max(0.0, self._every_s - (time.monotonic() - began)))
        self._look.close()

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("nothing_seen", probe=self.name, reason=trouble)
        elif self._trouble and not trouble:
            log.info("seen_again", probe=self.name)
        self._trouble = trouble


class BrokerLook:
    """Looks whether one broker answers."""

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings = settings
        self._address = address

    def __call__(self, now_s: float) -> Contact:
        """Return whether it answers."""
        try:
            knock(self._address, clients.security(self._settings), ANSWER_S)
        except BrokerError as error:
            return Contact(now_s, str(error))
        return Contact(now_s)

    def close(self) -> None:
        """Let go of nothing: each look hangs up."""


class DatabaseLook:
    """Looks whether the database answers, over one connection that is made anew when it fails.

    It needs a login that may connect, and no other right.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def __call__(self, now_s: float) -> Contact:
        """Return whether it answers."""
        try:
            self.ask(b"SELECT 1")
        except (psycopg.Error, TimeoutError) as error:
            return Contact(now_s, _reason(error))
        return Contact(now_s)

    def ask(self, query: bytes) -> str:
        """Return the one value that a query gives; tried anew where the connection is an old one."""
        if self._connection is not None:
            try:
                return self._answer(self._connection, query)
            except (psycopg.Error, TimeoutError):
                self.close()
        self._connection = psycopg.connect(
            self._url, autocommit=True, application_name="ecgstream-watch", connect_timeout=int(ANSWER_S)
        )
        try:
            return self._answer(self._connection, query)
        except BaseException:
            self.close()
            raise

    def _answer(self, connection: psycopg.Connection, query: bytes) -> str:
        """Ask within a time limit, which psycopg's own ``execute`` does not have."""
        deadline = time.monotonic() + ANSWER_S
        pgconn = connection.pgconn
        pgconn.send_query(query)
        with selectors.DefaultSelector() as selector:
            selector.register(pgconn.socket, selectors.EVENT_READ)
            while pgconn.is_busy():
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"no answer in {ANSWER_S:.0f} s")
                pgconn.consume_input()
        value = b""
        while (result := pgconn.get_result()) is not None:
            if result.status != ExecStatus.TUPLES_OK:
                raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
            value = result.get_value(0, 0) or b""
        return value.decode()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _reason(error: Exception) -> str:
    """Return why, in one line; other errors than these could show the address, and its password."""
    if not isinstance(error, psycopg.OperationalError | TimeoutError):
        return type(error).__name__
    return str(error).partition("\n")[0][:200] or type(error).__name__


class DisksLook:
    """Looks how full disks are: of folders of this machine, and of the database where its size is known."""

    def __init__(self, folders: list[Path], url: str, volume_gb: float) -> None:
        self._folders = folders
        self._database = DatabaseLook(url) if url and volume_gb else None
        self._volume = round(volume_gb * 1e9)

    def __call__(self, _now_s: float) -> Mapping[str, Disk]:
        """Return them by name."""
        disks = [_disk(folder) for folder in self._folders]
        if self._database is not None:
            used = int(self._database.ask(b"SELECT pg_database_size(current_database())"))
            disks.append(Disk("the database", max(0, self._volume - used), self._volume))
        return {disk.name: disk for disk in disks}

    def close(self) -> None:
        """Close the connection to the database."""
        if self._database is not None:
            self._database.close()


def _disk(folder: Path) -> Disk:
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return Disk(str(folder), trouble=error.strerror or type(error).__name__)
    return Disk(str(folder), usage.free, usage.total)


def folders(settings: Settings) -> list[Path]:
    """Return the folders whose disks are looked at: the watch's own, and those of the settings."""
    return [settings.data, *(Path(name) for name in settings.disks.split(":") if name)]

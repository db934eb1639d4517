"""The witness: what logins read with SQL of their own comes from the server's log into the audit log.

A service of its own, beside the server, since it must read what the server writes: it has no key, no Kafka,
and a login that may say nothing but this. Where it was in which file stands in the database, written in the
transaction that writes the entries: each line is carried once, whatever ends in between.

What it writes itself, pgaudit logs as well. These lines make no entry; that they come shows that the server
logs, that the log is where it looks, and that it can be read: without them it is not ready.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import structlog

from ecgstream.audit import pgaudit, told, witness_metrics
from ecgstream.audit.errors import AuditError
from ecgstream.audit.server_log import Piece, ServerLog
from ecgstream.audit.statements import KIND, Statements, Use, is_told, use_of
from ecgstream.audit.steps import Step, as_json
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.metrics import Health, serve
from ecgstream.settings import Settings
from ecgstream.store.connection import connect

ROLE = "ecg_witness"
WHO = "witness"
LOOK_S, MARK_S, SEEN_S = 1.0, 30.0, 120.0
_BACKOFF_S = 2.0

log = structlog.get_logger()


class Witness:
    """Carries the server's log into the audit log; one thread calls it.

    Args:
        connection: in role ``ecg_witness``, autocommit.
        folder: where the server writes its log.
        clock: s.
    """

    def __init__(
        self, connection: psycopg.Connection, folder: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._log = ServerLog(folder, self._noted_of)
        self._statements = Statements()
        self._noted: dict[str, int] = {}
        self._read: dict[str, int] = {}
        row = connection.execute("SELECT session_user::text, current_database()::text").fetchone()
        self._login, self._database = row or ("", "")
        self.seen_s: float | None = None
        """When a line of our own came last; None: none has come."""

    def check(self) -> None:
        """Make sure that the server logs what is read.

        Raises:
            AuditError: it does not; the message says what to set.
        """
        if why := pgaudit.lacking(self._connection, self._login):
            raise AuditError(why)

    def note_start(self, settings: Settings) -> None:
        """Say that the service has started."""
        entry = told.started(settings, WHO)
        said = as_json([Step(WHO, entry.action, entry.kind, entry.object, None, json.loads(entry.detail))])
        self._connection.execute("SELECT ecg.note_sql('', 0, 0, %s)", (said,))

    def look(self) -> int:
        """Carry what is new; return how many entries that made."""
        made = 0
        for piece in self._log.pieces():
            steps = self._steps(piece)
            self._read[piece.file] = piece.until
            if steps:
                self._note(piece.file, steps)
            made += len(steps)
        witness_metrics.CARRIED.inc(made)
        return made

    def mark(self) -> None:
        """Write down how far the log was read, which the server logs."""
        for file, until in list(self._read.items()):
            if until != self._noted[file]:
                self._note(file, [])
        self._connection.execute("SELECT ecg.note_sql('', 0, 0, '[]')")

    def _noted_of(self, file: str) -> int:
        row = self._connection.execute(
            "SELECT next FROM ecg.audit_position WHERE topic = %s", (f"server log {file}",)
        ).fetchone()
        self._noted[file] = row[0] if row else 0
        return self._noted[file]

    def _note(self, file: str, steps: list[Step]) -> None:
        until = self._read[file]
        said = (file, self._noted[file], until, as_json(steps))
        row = self._connection.execute("SELECT ecg.note_sql(%s, %s, %s, %s)", said).fetchone()
        if row is None or not row[0]:
            raise AuditError("another witness has read this already: run one")
        self._noted[file] = until

    def _steps(self, piece: Piece) -> list[Step]:
        uses: list[Use] = []
        bad = 0
        for line in piece.lines:
            if not is_told(line):
                continue
            try:
                use = None if piece.is_cut else use_of(line)
            except AuditError:
                use, bad = None, bad + 1
            bad += piece.is_cut
            if use is None or use.database != self._database:
                continue
            if use.login == self._login:
                self.seen_s = self._clock()
                witness_metrics.SEEN.set_to_current_time()
            else:
                uses.append(use)
        steps = self._statements.fold(uses)
        if bad:
            witness_metrics.UNREAD.inc(bad)
            log.warning("unread", lines=bad, file=piece.name, since=piece.since, until=piece.until)
            where: dict[str, Any] = {"lines": bad, "since": piece.since, "until": piece.until}
            steps.append(Step(WHO, "unread", KIND, piece.name, None, where))
        return steps


def run(settings: Settings, folder: Path) -> None:
    """Run the witness until SIGTERM or Ctrl-C; wait where something is away."""
    set_up_logging(settings, WHO)
    with serve(settings, WHO) as health, stop_on_signals() as stop:
        log.info("witness_started")
        is_said = threading.Event()
        while not stop.is_set():
            try:
                _work(settings, folder, stop, health, is_said)
            except psycopg.Error as error:
                witness_metrics.FAILURES.labels("database").inc()
                log.warning("database_away", error=type(error).__name__, sqlstate=error.sqlstate)
            except AuditError as error:
                witness_metrics.FAILURES.labels("log").inc()
                log.warning("stands", said=str(error))
            health.ready(is_ready=False)
            health.beat()
            stop.wait(_BACKOFF_S)
        log.info("witness_stopped")


def _work(
    settings: Settings, folder: Path, stop: threading.Event, health: Health, is_said: threading.Event
) -> None:
    url = settings.database.get_secret_value()
    with connect(url, autocommit=True, name="ecgstream-witness", role=ROLE) as connection:
        ours = Witness(connection, folder)
        ours.check()
        if not is_said.is_set():
            ours.note_start(settings)
            is_said.set()
        mark_at_s = time.monotonic()
        while not stop.is_set():
            health.beat()
            ours.look()
            now_s = time.monotonic()
            if now_s >= mark_at_s:
                mark_at_s = now_s + MARK_S
                ours.mark()
            health.ready(ours.seen_s is not None and now_s - ours.seen_s < SEEN_S)
            stop.wait(LOOK_S)
        ours.mark()

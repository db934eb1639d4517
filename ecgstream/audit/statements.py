"""From lines of the server's log to entries: which tables and views a login has read, and when.

PostgreSQL writes a line as one JSON object (``log_destination = 'jsonlog'``); what pgaudit says is its
message, ``AUDIT: `` and a line of CSV (pgaudit's documentation, "Format"). An entry has the login, the
object, the time, the session and the statement's number in it; never the statement, which may name a patient.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ecgstream.audit.errors import AuditError
from ecgstream.audit.steps import Step

KIND = "sql"
_MARK = b'"message":"AUDIT: '
_ACTIONS = {"READ": "read", "WRITE": "change"}
_PERSON = "person_"
_ASKED_FOR = ("api.", "ecg.")
"""Schemas, of which what was asked for is in the first that a statement names: views lead to tables."""
_UNREAD = "a line of pgaudit cannot be understood"
_LONGEST = 2000
"""Characters of a message that are looked at: what is carried stands before the statement's text."""
_LONGEST_NAME = 300
"""Of a schema and what is in it, each at most 63 bytes and quoted."""


_Statement = tuple[str, str]
"""Session, and number in it."""
_Used = tuple[str, str]
"""Action, object."""


@dataclass(frozen=True, slots=True)
class Use:
    """That one statement has read or written one table or view."""

    at: str
    login: str
    database: str
    session: str
    statement: str
    action: str
    command: str
    type: str
    object: str


def is_told(line: bytes) -> bool:
    """Return whether a line, or its head, is of pgaudit."""
    return _MARK in line


def use_of(line: bytes) -> Use | None:
    """Return what a line of pgaudit tells; None: of nothing that is read or written.

    Raises:
        AuditError: it cannot be understood.
    """
    try:
        said = json.loads(line)
        message = said["message"].removeprefix("AUDIT: ")[:_LONGEST]
        (row,) = csv.reader([message.replace("\n", " ").replace("\r", " ")])
        _audit, statement, _part, of, command, type_, object_ = row[:7]
        use = Use(
            said["timestamp"],
            said["user"],
            said["dbname"],
            said["session_id"],
            statement,
            _ACTIONS.get(of, ""),
            command,
            type_,
            object_,
        )
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error, RecursionError):
        raise AuditError(_UNREAD) from None
    texts = (use.at, use.login, use.database, use.session)
    if not all(isinstance(value, str) for value in texts) or len(use.object) > _LONGEST_NAME:
        raise AuditError(_UNREAD)
    return use if use.action and use.object else None


class Statements:
    """Folds what statements have used into entries: one of each object, session and way of using it.

    Of what one statement has used, what it asked for is kept: the view, not the tables that lie behind it.
    The lines of a statement may go on in the next piece of the log: those of the last one are remembered.
    """

    def __init__(self) -> None:
        self._known: dict[_Statement, set[_Used]] = {}

    def fold(self, uses: Iterable[Use]) -> list[Step]:
        """Return the entries of a piece of the log."""
        statements: dict[_Statement, list[Use]] = {}
        for use in uses:
            statements.setdefault((use.session, use.statement), []).append(use)
        before, known = self._known, {}
        entries: dict[tuple[str, ...], list[Use]] = {}
        for key, used in statements.items():
            known[key] = set(before.get(key, ()))
            for use in _asked_for(used, known[key]):
                entries.setdefault((use.login, use.session, use.action, use.object), []).append(use)
        self._known = known or before
        return [_step(used) for used in entries.values()]


def _asked_for(used: list[Use], known: set[_Used]) -> Iterator[Use]:
    """Yield what a statement asked for and is not known of it yet; then it is."""
    objects = [object_ for _, object_ in known] + [use.object for use in used]
    schema = next((s for s in _ASKED_FOR if any(o.startswith(s) for o in objects)), "")
    for use in used:
        if use.object.startswith(schema) and (use.action, use.object) not in known:
            known.add((use.action, use.object))
            yield use


def _step(used: list[Use]) -> Step:
    first, last = used[0], used[-1]
    detail: dict[str, Any] = {
        "login": first.login,
        "command": first.command,
        "type": first.type,
        "session": first.session,
        "statement": first.statement,
        "at": first.at,
    }
    if last is not first:
        detail |= {"statements": len(used), "last_statement": last.statement, "last_at": last.at}
    return Step(first.login.removeprefix(_PERSON), first.action, KIND, first.object, None, detail)

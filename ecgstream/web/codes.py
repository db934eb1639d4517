"""Personal codes: by which somebody who has the link of a page shows who they are.

A file of its own, so that paging and answering go on while the database is away; each line an account and
the argon2id hash of its code, as ``ecgstream person code`` prints it. Who has left is taken out of it, and is
refused from then on: the file is read whenever it has changed. A code is short, since it is typed on a
telephone at night; so it may be wrong a few times only, and the link is needed too.
"""

import os
import stat
import threading
from enum import StrEnum
from pathlib import Path

import structlog

from ecgstream.registry import passwords
from ecgstream.settings import secrets_folder
from ecgstream.tries import Tries
from ecgstream.web import metrics

log = structlog.get_logger()


class Outcome(StrEnum):
    """What became of a code; a label of metrics."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_LOOKED_AT = "not_looked_at"
    UNUSABLE = "unusable"


class CodesError(Exception):
    """The file of codes cannot be used; the words say what to mend, and hold nothing of it."""


class Codes:
    """The codes of a file.

    Args:
        path: of the file.

    Raises:
        CodesError: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._read: tuple[int, int, int] | None = None
        self._kept: dict[str, str] = {}
        self._known()

    def match(self, account: str, code: str) -> bool:
        """Return whether a code is that of an account; who has none takes as long.

        Raises:
            CodesError: the file cannot be used any more.
        """
        return passwords.matches(self._known().get(account), code)

    def knows(self, account: str) -> bool:
        """Return whether an account had a code when the file was last read."""
        return account in self._kept

    def _known(self) -> dict[str, str]:
        with self._lock:
            try:
                with self._path.open("r", encoding="utf-8") as file:
                    found = os.fstat(file.fileno())
                    version = (found.st_mtime_ns, found.st_size, found.st_ino)
                    if version != self._read:
                        self._check(found)
                        self._kept = _accounts(file.read())
                        self._read = version
            except (OSError, UnicodeDecodeError) as error:
                raise CodesError(
                    f"the file of codes {self._path} cannot be read: {type(error).__name__}"
                ) from None
            return self._kept

    def _check(self, found: os.stat_result) -> None:
        # Who reads what is handed over as a secret, is its deployment's business: in containers, all may.
        others = stat.S_IWGRP | stat.S_IWOTH
        if secrets_folder() != self._path.parent:
            others |= stat.S_IRWXG | stat.S_IRWXO
        if found.st_mode & others:
            raise CodesError(f"the file of codes {self._path} is open to others: chmod 600 it")


def _accounts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        account, _, kept = line.strip().partition(" ")
        if not account or account.startswith("#"):
            continue
        if not kept.startswith("$argon2id$"):
            raise CodesError(
                f"codes, line {number}: an account and what `ecgstream person code` printed, a space between"
            )
        if account in found:
            raise CodesError(f"codes, line {number}: {account} has a code already")
        found[account] = kept.strip()
    return found


class Doorkeeper:
    """Says whether somebody is let in; any thread may ask. What it logs holds no code.

    Args:
        codes: of the accounts.
    """

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        self._tries = Tries()

    def ask(self, account: str, code: str) -> Outcome:
        """Return what becomes of an account's code."""
        outcome = self._ask(account, code)
        metrics.CODES.labels(str(outcome)).inc()
        return outcome

    def _ask(self, account: str, code: str) -> Outcome:
        # What is no account may be a code that was typed in the wrong place.
        named = account if self._codes.knows(account) else "unknown"
        if not self._tries.take(account):
            log.warning("too_many_codes", account=named)
            return Outcome.NOT_LOOKED_AT
        try:
            is_right = self._codes.match(account, code)
        except CodesError as error:
            log.error("codes_unusable", said=str(error))  # noqa: TRY400 - its words say what to mend
            return Outcome.UNUSABLE
        if not is_right:
            log.warning("wrong_code", account=named)
            return Outcome.WRONG
        self._tries.right(account)
        return Outcome.RIGHT

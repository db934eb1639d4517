"""Who is logged in says once more who they are, before something is done in their name that lasts.

By their password. An account that has none goes to its provider once more, which asks anew who sits there;
the session that begins with that counts for some minutes.
"""

import threading

import structlog

from ecgstream.monitor import metrics
from ecgstream.monitor.guard import Asked, Guard
from ecgstream.monitor.stored import Stored
from ecgstream.tries import Tries

log = structlog.get_logger()


class Confirm:
    """Asks again.

    Args:
        guard: knows the sessions.
        stored: knows the passwords.
        tries: how often a password may be wrong; the login's own, so that this is no way around it.
        provider: the host of one that may be asked; empty: none.
    """

    def __init__(self, guard: Guard, stored: Stored, tries: Tries, provider: str = "") -> None:
        self._guard = guard
        self._stored = stored
        self._tries = tries
        self.provider = provider
        self._one = threading.Lock()  # a password takes 64 MiB for 0.1 s

    def by(self, asked: Asked) -> str:
        """Return how an account says who it is: ``password``, ``provider``; ``fresh``: it just has."""
        if self._stored.has_password(asked.viewer.account):
            return "password"
        session = self._guard.session_of(asked.request)
        return "fresh" if session is not None and self._guard.sessions.is_fresh(session) else "provider"

    def fault(self, asked: Asked) -> str:
        """Return why a form is not believed to be of who is logged in (the key of words); empty: it is."""
        by, account = self.by(asked), asked.viewer.account
        if by != "password":
            return "" if by == "fresh" else "confirm.provider"
        if not self._tries.take(account[:64]):
            metrics.LOGINS.labels("not_looked_at").inc()
            log.warning("too_many_passwords", account=account)
            return "login.too_many"
        with self._one:
            is_right = self._stored.check_password(account, asked.form.get("password", ""))
        if not is_right:
            metrics.LOGINS.labels("wrong").inc()
            log.warning("wrong_password", account=account)
            return "confirm.wrong"
        self._tries.right(account)
        return ""

"""``ecgstream witness``: the service that carries what people read with SQL into the audit log."""

import sys

from ecgstream.commands.flags import SettingsFlags, addressed
from ecgstream.settings import PREFIX


def witness(*, settings: SettingsFlags = None) -> None:
    """Carry what people read by logins with SQL of their own from the server's log into the audit log.

    It runs beside the database's server, to whose log pgaudit writes: ECGSTREAM_SERVER_LOG is the folder of
    that log. What the server must be told, docs/audit.md says. It needs no Kafka, and no key.

    Args:
        settings: see `ecgstream settings`.
    """
    from ecgstream.audit.witness import run  # not for `ecgstream --help`, which looks at this function

    found = addressed(settings, "database")
    if found.server_log is None:
        sys.exit(
            f"ecgstream: where is the log of the database's server? Set {PREFIX}SERVER_LOG or --server-log to"
            " its folder"
        )
    run(found, found.server_log)

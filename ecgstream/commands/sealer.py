"""``ecgstream sealer``: the service that chains and signs the audit log."""

import sys

from ecgstream.commands.flags import SettingsFlags
from ecgstream.settings import PREFIX, Settings


def sealer(*, settings: SettingsFlags = None) -> None:
    """Chain what the audit log is told, and sign the chain's head every minute (docs/audit.md).

    ECGSTREAM_AUDIT_KEY names the file of the key: see `ecgstream audit key`. Without it the chain goes on,
    unsigned.

    Args:
        settings: see `ecgstream settings`.
    """
    from ecgstream.audit.sealer import run  # not for `ecgstream --help`, which looks at this function

    found = settings or Settings()
    for name, address in (("kafka", found.kafka), ("database", found.database.get_secret_value())):
        if not address:
            sys.exit(
                f"ecgstream: no {name} address. Set {PREFIX}{name.upper()} or --{name}, "
                "or use `ecgstream up`, which brings its own."
            )
    run(found)

"""``ecgstream sealer``: the service that chains and signs the audit log."""

from ecgstream.commands.flags import SettingsFlags, addressed


def sealer(*, settings: SettingsFlags = None) -> None:
    """Chain what the audit log is told, and sign the chain's head every minute (docs/audit.md).

    ECGSTREAM_AUDIT_KEY names the file of the key: see `ecgstream audit key`. Without it the chain goes on,
    unsigned.

    Args:
        settings: see `ecgstream settings`.
    """
    from ecgstream.audit.sealer import run  # not for `ecgstream --help`, which looks at this function

    run(addressed(settings, "kafka", "database"))

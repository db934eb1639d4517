"""``ecgstream watch``: the service that looks whether the others work."""

import sys

from ecgstream.commands.flags import SettingsFlags
from ecgstream.settings import PREFIX, Settings


def watch(*, settings: SettingsFlags = None) -> None:
    """Watch the system itself: alarm where detection, paging or storing stands still, or a disk fills up.

    It tells the webhook ECGSTREAM_NOTIFY_URL, and needs neither workers, Kafka nor database for it. While it
    works and can see, it calls the dead man's switch ECGSTREAM_HEARTBEAT_URL: let that alarm when none come.

    Args:
        settings: see `ecgstream settings`; stall_s, away_s, disks, disk_free_percent and others are its own.
    """
    found = settings or Settings()
    if not found.kafka:
        sys.exit(f"ecgstream: no kafka address. Set {PREFIX}KAFKA or --kafka")
    from ecgstream.watch.run import run

    run(found)

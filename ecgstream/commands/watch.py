"""``ecgstream watch``: the service that looks whether the others work."""

from ecgstream.commands.flags import SettingsFlags, addressed


def watch(*, settings: SettingsFlags = None) -> None:
    """Watch the system itself: alarm where detection, paging or storing stands still, or a disk fills up.

    It tells the webhook ECGSTREAM_NOTIFY_URL, and needs neither workers, Kafka nor database for it. While it
    works and can see, it calls the dead man's switch ECGSTREAM_HEARTBEAT_URL: let that alarm when none come.

    Args:
        settings: see `ecgstream settings`; stall_s, away_s, disks, disk_free_percent and others are its own.
    """
    found = addressed(settings, "kafka")
    from ecgstream.watch.run import run

    run(found)

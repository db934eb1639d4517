"""``ecgstream import``: files of ECG devices."""

import sys
from pathlib import Path

from ecgstream.commands.flags import SettingsFlags, addressed


def import_(
    files: list[Path] | None = None,
    /,
    *,
    device: str = "",
    start: str = "",
    zone: str = "",
    watch: Path | None = None,
    dry_run: bool = False,
    gateway: str = "gw-import",
    settings: SettingsFlags = None,
) -> None:
    """Take files of ECG devices, once or from a watched folder, and pass their recordings on to Kafka.

    Each is read in a process of its own, under limits of memory and time (docs/devices-files.md has the
    formats). Who the patient is, is never taken from a file: the recording is the device's, and who wore it,
    the centre knows. The same file twice is stored once. A recording is judged by when it was: what was over
    for longer than `late_s` calls nobody, and is a finding.

    For instance:

        ecgstream import rest.dcm holter.ecg --device cart-3 --zone Asia/Shanghai

    With --watch, files are taken from a folder until SIGTERM or Ctrl-C. Each folder in it is a device's, and
    has its id for a name. What was taken lies in its `done`, what was refused in its `refused`, with why:

        ecgstream import --watch /srv/ecg --zone Asia/Shanghai

    Args:
        files: of a WFDB record, its header (.hea).
        device: id of the enrolled device that the files are of.
        start: when the recording began, as 2026-11-28T10:00:00+08:00; by default as its file says.
        zone: of devices' clocks, as Asia/Shanghai, where files name none; without it such a file is refused.
        watch: folder that is watched, instead of files.
        dry_run: only say what would be taken, and what of it not.
        gateway: name that the gateway goes by; two that run must have two.
        settings: see `ecgstream settings`.
    """
    from ecgstream import importing, inbox  # not for `ecgstream --help`, which looks at this function

    if watch is None:
        wanted = importing.wanted_of(files or (), device, start, zone, gateway)
        if dry_run:
            importing.look(wanted)
        importing.run(addressed(settings, "kafka"), wanted)
    if files or device or start or dry_run:
        sys.exit("ecgstream import: FILES, --device, --start and --dry-run do not go with --watch")
    inbox.run(addressed(settings, "kafka"), watch, importing.named_zone(zone), gateway)

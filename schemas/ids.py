"""Ids that a replay makes again: from what happened, never from a clock or a counter."""

from hashlib import blake2b
from uuid import UUID


def event_id(device: str, session: int, rule: str, onset_sample: int) -> str:
    """Return the id of what ``rule`` found in a session of a device from ``onset_sample`` on.

    >>> event_id("dev-1", 1700000000000000000, "ASYSTOLE", 4000)
    'f7cccd15-398d-9263-f452-554e2cbfbcb9'
    """
    text = f"{device}\n{session}\n{rule}\n{onset_sample}"
    return str(UUID(bytes=blake2b(text.encode(), digest_size=16).digest()))

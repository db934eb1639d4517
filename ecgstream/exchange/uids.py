"""Object identifiers that follow from what they name: the same export has the same ones."""

from uuid import UUID, uuid5

from ecgstream.exchange.recording import Recording, Segment

_OURS = UUID("5a0b1f0e-7d0c-5c58-9a4e-2f3f6f0d7b11")


def uid(*parts: object) -> str:
    """Return an identifier below 2.25 (ITU-T X.667), of at most 44 characters.

    >>> uid("study", "P-1") == uid("study", "P-1") != uid("study", "P-2")
    True
    """
    return f"2.25.{uuid5(_OURS, repr(parts)).int}"


def of_segment(what: str, recording: Recording, segment: Segment) -> str:
    """Return the identifier of a segment as a document of some kind."""
    leads = tuple((lead.name, lead.rate, lead.gain, lead.offset) for lead in segment.leads)
    return uid(what, recording.subject, recording.devices, segment.start_ns, segment.frames, leads)

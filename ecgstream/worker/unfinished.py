"""What has begun and not ended: conditions and the segment of each device, by their newest records.

A state that is refused takes its open conditions along; nobody would ever end their alerts. So their newest
records lie beside the state, in a form that every version reads.
"""

from collections.abc import Iterable

from schemas import codec
from schemas.records import Condition, Phase, Segment

Begun = Condition | Segment
_SEGMENT = "segment"


class Unfinished:
    """Conditions by id, and the running segment, of the devices of a partition."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, Begun]] = {}

    def note(self, record: Begun) -> None:
        """Take in a phase of a condition, or the beginning or end of a segment."""
        if isinstance(record, Segment):
            name, over = _SEGMENT, record.to_sample is not None
        else:
            name, over = record.id, record.phase is Phase.END
        kept = self._of.setdefault(record.device, {})
        if over:
            kept.pop(name, None)
        else:
            kept[name] = record

    def of(self, device: str) -> tuple[Begun, ...]:
        """Return the newest record of each that has not ended."""
        return tuple(self._of.get(device, {}).values())

    def encoded(self, device: str) -> tuple[bytes, ...]:
        """Return these records as a snapshot keeps them."""
        return tuple(codec.encode(record) for record in self.of(device))

    def restore(self, encoded: Iterable[bytes]) -> None:
        """Take what ``encoded`` gave back in."""
        for record in decoded(encoded):
            self.note(record)


def decoded(encoded: Iterable[bytes]) -> list[Begun]:
    """Return the records that a snapshot keeps."""
    found = (codec.decode(one) for one in encoded)
    return [record for record in found if isinstance(record, Condition | Segment)]

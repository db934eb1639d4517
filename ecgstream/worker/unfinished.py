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
        self._encoded: dict[str, dict[str, bytes]] = {}

    def note(self, record: Begun, encoded: bytes | None = None) -> None:
        """Take in a phase of a condition, or the beginning or end of a segment; with its bytes, if known."""
        if isinstance(record, Segment):
            name, over = _SEGMENT, record.to_sample is not None
        else:
            name, over = record.id, record.phase is Phase.END
        kept = self._of.setdefault(record.device, {})
        known = self._encoded.setdefault(record.device, {})
        kept.pop(name, None)
        known.pop(name, None)
        if not over:
            kept[name] = record
            if encoded is not None:
                known[name] = encoded

    def of(self, device: str) -> tuple[Begun, ...]:
        """Return the newest record of each that has not ended."""
        return tuple(self._of.get(device, {}).values())

    def encoded(self, device: str) -> tuple[bytes, ...]:
        """Return these records as a snapshot keeps them; most have not changed since the last one."""
        known = self._encoded.setdefault(device, {})
        kept = self._of.get(device, {})
        for name in kept.keys() - known.keys():
            known[name] = codec.encode(kept[name])
        return tuple(known[name] for name in kept)

    def restore(self, encoded: Iterable[bytes]) -> None:
        """Take what ``encoded`` gave back in."""
        for one in encoded:
            for record in decoded([one]):
                self.note(record, one)


def decoded(encoded: Iterable[bytes]) -> list[Begun]:
    """Return the records that a snapshot keeps."""
    found = (codec.decode(one) for one in encoded)
    return [record for record in found if isinstance(record, Condition | Segment)]

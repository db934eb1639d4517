"""What holds of the control records, so that a state that is refused loses no limit and no patient.

A device's detector state holds them too, but only for the version that wrote it; and the log tells them anew
once a day only.
"""

from collections.abc import Iterable

from schemas import codec
from schemas.records import Association, BacklogEnd, Control, Limits, LinkDown

MOST = 64
"""Records kept a device: more than the registry tells at once."""


class Controls:
    """The control records of each device that hold or wait, in the order in which they came."""

    def __init__(self) -> None:
        self._of: dict[str, dict[tuple[object, ...], bytes]] = {}

    def add(self, control: Control) -> None:
        """Take a record; it takes the place of an older one of the same kind and sample.

        One that is told again stays as it was first told: since when it holds is part of what is known.
        """
        if not isinstance(control.change, BacklogEnd | LinkDown):  # which hold for a moment
            self._keep(control, codec.encode(control))

    def _keep(self, control: Control, encoded: bytes) -> None:
        codes = tuple(m.code for m in control.change.limits) if isinstance(control.change, Limits) else ()
        key = (type(control.change).__name__, codes, control.session, control.from_sample)
        kept = self._of.setdefault(control.device, {})
        before = kept.pop(key, None)
        if before is not None and codec.decode_as(Control, before).change == control.change:
            encoded = before
        kept[key] = encoded
        while len(kept) > MOST:
            del kept[next(iter(kept))]

    def of(self, device: str) -> tuple[bytes, ...]:
        """Return a device's records, the oldest first."""
        return tuple(self._of.get(device, {}).values())

    def worn_since_ns(self, device: str) -> int:
        """Return when it was told who wears a device now, UTC ns of who told it; 0: it was not told."""
        told = (codec.decode_as(Control, encoded) for encoded in reversed(self.of(device)))
        return next((c.issued_ns for c in told if isinstance(c.change, Association)), 0)

    def restore(self, encoded: Iterable[bytes]) -> list[Control]:
        """Take what ``of`` gave back in; return the records."""
        found = []
        for one in encoded:
            control = codec.decode_as(Control, one)
            self._keep(control, one)
            found.append(control)
        return found

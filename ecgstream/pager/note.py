"""What a pager commits with the offset of a conditions' partition, for whoever owns it next.

The offset says how far it has read, so that a watch sees that it works. From where the next one must read,
since conditions wait whose end is not known (``alerts.late``), stands here; and so does what was answered
long ago (``alerts.told``).
"""

import json
from dataclasses import asdict, dataclass

from alerts.told import Told


@dataclass(frozen=True, slots=True)
class Note:
    """The note; ``read_from``: the offset to read on from, at most the one that is committed."""

    read_from: int
    told: Told

    def __str__(self) -> str:
        """Return it as it is committed."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, committed: int, text: str, now_ns: int) -> "Note":
        """Return the note that was committed with an offset; a text that is none says nothing.

        >>> Note.of(7, str(Note(5, Told())), 0).read_from, Note.of(7, "", 0).read_from
        (5, 7)
        """
        try:
            found = json.loads(text)
            return cls(min(int(found["read_from"]), committed), Told.of(found["told"], now_ns))
        except (ValueError, KeyError, TypeError):
            return cls(committed, Told.of(None, now_ns))

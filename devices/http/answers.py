"""What becomes of each item of a request."""

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from devices.errors import MessageError
from devices.files.publish import Recording
from devices.http.times import moment_of
from schemas.records import Packet, Vital

Item = Packet | Vital


class Result(Struct, frozen=True, omit_defaults=True):
    """What became of an item; ``duplicate``: it stands twice in the request, and was taken once.

    ``code``, ``reason``: why it was refused; 400 it cannot be meant, 403 it is another device's.
    """

    status: Literal["accepted", "duplicate", "refused"]
    code: int | None = None
    reason: str = ""


class Results(Struct, frozen=True):
    """One result an item, in their order."""

    results: list[Result]


class Recorded(Struct, frozen=True):
    """What was taken of a recording.

    ``format``: as its bytes say; ``start``: of its first sample; ``seconds``: how long it is; ``channels``:
    how many of it were taken; ``left_out``: what was not, each with the reason.
    """

    format: str
    start: str
    seconds: float
    channels: int
    left_out: list[str]


class Admitted(NamedTuple):
    """What may be taken, each with its place in the request; and the results where it is."""

    items: list[tuple[int, Item]]
    results: list[Result]


def admitted(device: str, items: Sequence[Item | MessageError]) -> Admitted:
    """Sort what a device has sent: it writes as itself only, and each packet or number once."""
    found = Admitted([], [])
    seen: set[Hashable] = set()
    for place, item in enumerate(items):
        if isinstance(item, MessageError):
            found.results.append(refused(400, str(item)))
        elif item.device != device:
            found.results.append(refused(403, "this key is of another device"))
        elif _key(item) in seen:
            found.results.append(Result("duplicate"))
        else:
            seen.add(_key(item))
            found.items.append((place, item))
            found.results.append(Result("accepted"))
    return found


def recorded(found: Recording) -> Recorded:
    """Return the answer to a recording that was taken."""
    source = found.source
    name = source.label.removeprefix("File: ").partition(",")[0]
    channels, start = len(source.sessions[0].waves), moment_of(found.start_ns)
    return Recorded(name, start, source.duration_s, channels, list(source.left_out))


def refused(code: int, reason: str) -> Result:
    """Return the result of an item that was not taken."""
    return Result("refused", code, reason)


def _key(item: Item) -> Hashable:
    """Return what makes an item of a device the same as another."""
    return (item.session, item.seq) if isinstance(item, Packet) else (item.code, item.time_ns)

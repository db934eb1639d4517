"""Replays of several devices, one after the other; ended in between, it goes on where it was.

What a device has given is noted in a file beside the one that is asked for; whoever asks for the same again
gets the devices that are done from there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecgstream.replay.compare import Difference, by_segment
from ecgstream.replay.device import Replayed
from ecgstream.replay.errors import ReplayError

MOST_TOLD = 1000
"""Differences that are told one by one, a device."""
Told = dict[str, Any]


def told(replayed: Replayed) -> Told:
    """Return what a device has given, as JSON."""
    inside, outside = by_segment(replayed.ran, replayed.differences)
    called = [page for page in replayed.pages if page.called_ns is not None]
    return {
        "device": replayed.device,
        "identical": not replayed.differences,
        "segments": [
            {
                "session": one.session,
                "lane": str(one.lane),
                "from_sample": one.from_sample,
                "to_sample": one.to_sample,
                "from": _iso(one.from_ns),
                "to": None if one.to_ns is None else _iso(one.to_ns),
                "start": str(one.start),
                "detectors": one.version,
                "identical": not inside[n],
                "differences": len(inside[n]),
            }
            for n, one in enumerate(replayed.ran)
        ],
        "outside": len(outside),
        "compared": {kind: len(of) for kind, of in replayed.then.kinds().items()},
        "differences": len(replayed.differences),
        "found": [one.told(replayed.device) for one in replayed.differences[:MOST_TOLD]],
        "calls": len(called),
        "signal_s": round(replayed.signal_s, 3),
        "wall_s": round(replayed.wall_s, 3),
    }


def joined(devices: Sequence[Told]) -> Told:
    """Return what several devices have given: the keys of ``docs/replay.md``."""
    done = [one for one in devices if "error" not in one]
    signal_s, wall_s = (sum(one[name] for one in done) for name in ("signal_s", "wall_s"))
    return {
        "identical": bool(done) and all(one["identical"] for one in done) and len(done) == len(devices),
        "differences": sum(one["differences"] for one in done),
        "segments": sum(len(one["segments"]) for one in done),
        "x_realtime": round(signal_s / wall_s, 1) if wall_s else 0.0,
        "signal_s": round(signal_s, 3),
        "wall_s": round(wall_s, 3),
        "devices": list(devices),
    }


class Work:
    """What is done of a task, in a file of lines: the task, then a device each.

    Args:
        file: where; None: nothing is noted.
        task: what is done; another one begins anew.
    """

    def __init__(self, file: Path | None, task: Told) -> None:
        self._file = file
        self._task = json.dumps(task, sort_keys=True)
        self.done: dict[str, Told] = {}
        lines = file.read_text("utf-8").splitlines() if file is not None and file.exists() else []
        if lines and lines[0] == self._task:
            self.done = {one["device"]: one for one in map(_whole, lines[1:]) if one}
        elif file is not None:
            self._write([])
        if self.done:
            self._write(list(self.done.values()))  # without a line that was cut off

    def note(self, one: Told) -> None:
        """Note that a device is done."""
        self.done[one["device"]] = one
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(one) + "\n")

    def over(self) -> None:
        """Forget it, since all is done."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _write(self, done: Iterable[Told]) -> None:
        if self._file is not None:
            lines = [self._task, *map(json.dumps, done)]
            self._file.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def run(devices: Iterable[str], replay: Callable[[str], Replayed], work: Work) -> Iterator[Replayed | None]:
    """Replay devices that are not done yet; yield what each has given, None where it cannot be replayed."""
    for device in devices:
        if device in work.done:
            continue
        try:
            replayed = replay(device)
        except ReplayError as error:
            work.note({"device": device, "error": str(error)})
            yield None
            continue
        work.note(told(replayed))
        yield replayed


def words(one: Difference) -> str:
    """Return a difference in a line."""
    at = _iso(one.at_ns)
    name = (
        one.then.get("code") or one.now.get("code") or one.then.get("condition") or one.now.get("condition")
    )
    what = f"{one.kind} {name}" if name else one.kind
    if one.then and one.now:
        changed = ", ".join(f"{n} {one.then[n]} -> {one.now[n]}" for n in one.then)
        return f"{at} {what} changed: {changed}"
    return f"{at} {what} {one.what}"


def _whole(line: str) -> Told:
    try:
        found = json.loads(line)
    except ValueError:
        return {}  # cut off as it was written
    return found if isinstance(found, dict) else {}


def _iso(ns: int) -> str:
    return (
        datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        + f".{ns % 10**9 // 10**6:03d}Z"
    )

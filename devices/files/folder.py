"""A folder that ECG devices, or people, put files into: each is taken once, when it is complete.

What is taken lies in ``done/`` then, what is refused in ``refused/`` with a ``.why.txt`` beside it. ``done/``
also holds the digests of what was taken, so that the same content is not taken twice, whatever its name. The
digest is written behind the taking and before the move. After a crash between, a file is at worst handed over
once more, with the digest that it had the first time; one that was handed over and noted is only moved.

Polled, once a second: shares of a network tell nobody of a change.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from devices.errors import FullError, MessageError
from devices.files.read import MAX_BYTES

EVERY_S = 1.0
STILL_S = 5.0
"""How long a file must have the same size and time of change before it counts as complete."""
_PART = ".part"
_DIGESTS = ".taken"
_DIGEST_LETTERS = 64
_LONGEST_NAME, _LONGEST_SUFFIX = 180, 8
"""What a name keeps; most file systems allow 255 bytes, and ``.why.txt`` comes behind."""

Take = Callable[[Path, str], None]
"""Takes a file, with the SHA-256 of its content in hexadecimal; ``MessageError`` refuses it."""


class Seen(NamedTuple):
    """A file as a listing of the folder shows it."""

    name: str
    size: int
    changed_ns: int


class Settling:
    """Tells which files are complete, from one listing to the next; no I/O, and the clock is handed in.

    A file is complete when it has stood still for ``still_s``, or at once when it has just lost ``.part`` at
    the end of its name. Names that begin with a dot, or end so, are not looked at.
    """

    def __init__(self, still_s: float = STILL_S) -> None:
        self._still_s = still_s
        self._parts: set[str] = set()
        self._since_s: dict[Seen, float] = {}

    def complete(self, now_s: float, listing: Iterable[Seen]) -> list[str]:
        """Return the names of the files that are complete, oldest first.

        >>> settling = Settling(still_s=5)
        >>> growing, whole = Seen("a.dcm", 10, 0), Seen("a.dcm", 20, 0)
        >>> [settling.complete(at, [file]) for at, file in ((0, growing), (4, whole), (8, whole), (9, whole))]
        [[], [], [], ['a.dcm']]
        """
        files = sorted(listing, key=lambda f: (f.changed_ns, f.name))
        parts = {f.name.removesuffix(_PART) for f in files if f.name.endswith(_PART)}
        named = [f for f in files if not f.name.startswith(".") and not f.name.endswith(_PART)]
        self._since_s = {f: self._since_s.get(f, now_s) for f in named}
        renamed = self._parts - parts
        self._parts = parts
        return [
            f.name
            for f, since_s in self._since_s.items()
            if f.name in renamed or now_s - since_s >= self._still_s
        ]


class Inbox:
    """A watched folder; one process at a time.

    Args:
        folder: what is watched; ``done/`` and ``refused/`` are made in it.
        take: is handed each file once.
        still_s: see ``Settling``.
    """

    def __init__(self, folder: Path, take: Take, *, still_s: float = STILL_S) -> None:
        self._folder = folder
        self._take = take
        self._settling = Settling(still_s)
        self._done, self._refused = folder / "done", folder / "refused"
        for place in (self._done, self._refused):
            place.mkdir(exist_ok=True)
        self._digests = self._done / _DIGESTS
        self._taken = _noted(self._digests)

    def step(self, now_s: float) -> list[Path]:
        """Take what is complete at ``now_s`` (any clock that only goes forward); return where it lies now.

        Raises:
            OSError: the folder cannot be read or written now; nothing is lost, the next step goes on.
        """
        names = self._settling.complete(now_s, _listing(self._folder))
        return [place for name in names if (place := self._one(self._folder / name)) is not None]

    def _one(self, path: Path) -> Path | None:
        try:
            if path.stat().st_size > MAX_BYTES:
                return self._refuse(path, f"more than {MAX_BYTES >> 20} MB")
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:  # somebody took it back
            return None
        except PermissionError:
            return self._refuse(path, "it may not be read")
        if digest not in self._taken:
            try:
                self._take(path, digest)
            except MessageError as error:
                return self._refuse(path, str(error))
            _note(self._digests, digest)
            self._taken.add(digest)
        return _moved(path, self._done)

    def _refuse(self, path: Path, why: str) -> Path:
        place = _free(self._refused, path.name)
        place.with_name(f"{place.name}.why.txt").write_text(f"{why}\n")
        return path.rename(place)


class Inboxes:
    """A watched folder whose folders are a device's each, named by its id; each is an ``Inbox``.

    Args:
        folder: what is watched; folders may be added at any time, those that begin with a dot are not seen.
        take: is handed each file once, with the device it is of.
        admits: whether a device's files may be taken now; until then they stay where they are.
        still_s: see ``Settling``.
    """

    def __init__(
        self,
        folder: Path,
        take: Callable[[str, Path, str], None],
        admits: Callable[[str], bool],
        *,
        still_s: float = STILL_S,
    ) -> None:
        self._folder = folder
        self._take = take
        self._admits = admits
        self._still_s = still_s
        self._inboxes: dict[str, Inbox] = {}

    def step(self, now_s: float) -> list[Path]:
        """Take what is complete, of every device: see ``Inbox.step``. What ails one folder ails no other."""
        found: list[Path] = []
        trouble: OSError | None = None
        for device in _folders(self._folder):
            try:
                if self._admits(device):
                    found += self._inbox(device).step(now_s)
            except OSError as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return found

    def _inbox(self, device: str) -> Inbox:
        if device not in self._inboxes:
            take = partial(self._take, device)
            self._inboxes[device] = Inbox(self._folder / device, take, still_s=self._still_s)
        return self._inboxes[device]


def watch(
    inbox: Inbox | Inboxes,
    stop: threading.Event,
    clock: Callable[[], float],
    told: Callable[[str], None],
) -> None:
    """Step once a second until ``stop``.

    ``told`` hears once that the folder cannot be used, or nothing can be taken, and that it goes on.
    """
    why = ""
    while not stop.is_set():
        before = why
        try:
            inbox.step(clock())
            why = ""
        except OSError as error:
            why = f"the folder cannot be used: {os.strerror(error.errno or 0)}"
        except FullError as error:
            why = str(error)
        if why != before:
            told(why or "the folder can be used again")
        stop.wait(EVERY_S)


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and e.name[:1] != ".")


def _listing(folder: Path) -> list[Seen]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # gone since
                if entry.is_file(follow_symlinks=False):
                    stat = entry.stat(follow_symlinks=False)
                    found.append(Seen(entry.name, stat.st_size, stat.st_mtime_ns))
    return found


def _moved(path: Path, folder: Path) -> Path:
    return path.rename(_free(folder, path.name))


def _free(folder: Path, name: str) -> Path:
    """Return a path in ``folder`` that is free, with the file's name as far as it is short enough."""
    suffix = Path(name).suffix
    if len(suffix) > _LONGEST_SUFFIX:
        suffix = ""
    stem = os.fsdecode(os.fsencode(name.removesuffix(suffix))[:_LONGEST_NAME])
    place, count = folder / f"{stem}{suffix}", 1
    while place.exists():
        count += 1
        place = folder / f"{stem}.{count}{suffix}"
    return place


def _noted(digests: Path) -> set[str]:
    """Return the digests that are noted; a line that a crash cut is none."""
    if not digests.exists():
        return set()
    lines = digests.read_bytes().split(b"\n")
    return {line.decode() for line in lines if len(line) == _DIGEST_LETTERS and line.isalnum()}


def _note(digests: Path, digest: str) -> None:
    """Write a digest down so that it is on the disk; behind a line feed, whatever a crash left there."""
    with digests.open("ab") as file:
        file.write(f"\n{digest}\n".encode())
        file.flush()
        os.fsync(file.fileno())

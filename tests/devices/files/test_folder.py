"""A folder's files are taken when they are complete, once, and lie where their fate can be seen."""

import errno
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from devices.errors import FullError, MessageError
from devices.files import folder
from devices.files.folder import Inbox, Inboxes, Seen, Settling, watch
from devices.files.read import MAX_BYTES

STILL_S = 5.0


class Desk:
    """Takes what it is handed, and refuses what says so."""

    def __init__(self) -> None:
        self.handed: list[tuple[str, str]] = []
        self.breaks = False

    def __call__(self, path: Path, digest: str) -> None:
        if self.breaks:
            raise RuntimeError("no power")
        self.handed.append((path.name, digest))
        if path.read_bytes().startswith(b"refuse"):
            raise MessageError("no ECG lead")


def inbox(place: Path, take: Callable[[Path, str], None]) -> Inbox:
    return Inbox(place, take, still_s=STILL_S)


def settled(box: Inbox) -> list[Path]:
    """Two steps with nothing that changes between."""
    assert box.step(0.0) == []
    return box.step(STILL_S)


def test_a_file_is_complete_when_it_stands_still() -> None:
    settling = Settling(STILL_S)
    assert settling.complete(0, [Seen("a", 1, 1)]) == []
    assert settling.complete(4, [Seen("a", 1, 2)]) == []  # touched
    assert settling.complete(8, [Seen("a", 2, 2)]) == []  # grown
    assert settling.complete(12, [Seen("a", 2, 2)]) == []
    assert settling.complete(13, [Seen("a", 2, 2)]) == ["a"]


def test_a_file_that_has_lost_its_part_is_complete_at_once() -> None:
    settling = Settling(STILL_S)
    assert settling.complete(0, [Seen("a.dcm.part", 1, 1), Seen(".hidden", 1, 1)]) == []
    assert settling.complete(100, [Seen("a.dcm.part", 1, 1), Seen(".hidden", 1, 1)]) == []
    assert settling.complete(101, [Seen("a.dcm", 1, 1), Seen(".hidden", 1, 1)]) == ["a.dcm"]


def test_the_oldest_comes_first_and_one_that_went_begins_anew() -> None:
    settling = Settling(STILL_S)
    settling.complete(0, [Seen("new", 1, 9), Seen("old", 1, 1), Seen("gone", 1, 1)])
    assert settling.complete(3, [Seen("new", 1, 9), Seen("old", 1, 1)]) == []
    assert settling.complete(5, [Seen("new", 1, 9), Seen("old", 1, 1), Seen("gone", 1, 1)]) == ["old", "new"]


def test_what_is_taken_and_what_is_refused_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "good.dcm").write_bytes(b"good")
    (tmp_path / "bad.dcm").write_bytes(b"refuse me")
    (tmp_path / "link").symlink_to("/etc/passwd")
    desk = Desk()
    moved = settled(inbox(tmp_path, desk))
    assert {p.relative_to(tmp_path).as_posix() for p in moved} == {"done/good.dcm", "refused/bad.dcm"}
    assert (tmp_path / "refused" / "bad.dcm.why.txt").read_text() == "no ECG lead\n"
    assert ("good.dcm", sha256(b"good").hexdigest()) in desk.handed
    assert (tmp_path / "link").is_symlink()


def test_the_same_content_is_taken_once_whatever_its_name(tmp_path: Path) -> None:
    desk = Desk()
    for _ in range(2):  # the second by a process that is new
        box = inbox(tmp_path, desk)
        for name in ("one.dcm", "two.dcm"):
            (tmp_path / name).write_bytes(b"same")
        settled(box)
    assert len(desk.handed) == 1
    assert sorted(p.name for p in (tmp_path / "done").glob("*.dcm")) == [
        "one.2.dcm", "one.dcm", "two.2.dcm", "two.dcm",
    ]  # fmt: skip


def test_what_was_refused_may_come_again(tmp_path: Path) -> None:
    desk = Desk()
    for _ in range(2):
        (tmp_path / "bad.dcm").write_bytes(b"refuse")
        settled(inbox(tmp_path, desk))
    assert len(desk.handed) == 2
    assert (tmp_path / "refused" / "bad.2.dcm.why.txt").exists()


def test_a_crash_before_the_taking_is_noted_hands_it_over_again(tmp_path: Path) -> None:
    desk = Desk()
    (tmp_path / "a.dcm").write_bytes(b"good")
    desk.breaks = True
    with pytest.raises(RuntimeError):
        settled(inbox(tmp_path, desk))
    assert (tmp_path / "a.dcm").exists()
    desk.breaks = False
    settled(inbox(tmp_path, desk))
    assert len(desk.handed) == 1


def test_a_crash_before_the_move_only_moves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    (tmp_path / "a.dcm").write_bytes(b"good")
    box = inbox(tmp_path, desk)
    with monkeypatch.context() as crash:
        crash.setattr(folder, "_moved", lambda *_: (_ for _ in ()).throw(RuntimeError("no power")))
        with pytest.raises(RuntimeError):
            settled(box)
    settled(inbox(tmp_path, desk))
    assert len(desk.handed) == 1
    assert (tmp_path / "done" / "a.dcm").exists()


def test_a_note_that_a_crash_cut_spoils_no_other(tmp_path: Path) -> None:
    desk = Desk()
    first, second = sha256(b"first").hexdigest(), sha256(b"second").hexdigest()
    inbox(tmp_path, desk)
    (tmp_path / "done" / ".taken").write_text(f"\n{first}\n\n{second[:20]}")
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)
    settled(inbox(tmp_path, desk))
    assert desk.handed == [("second", second)]
    assert set((tmp_path / "done" / ".taken").read_text().split()) == {first, second, second[:20]}


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    settled(inbox(tmp_path, Desk()))
    assert (tmp_path / "refused" / "large.why.txt").read_text() == "more than 512 MB\n"


def test_names_may_be_long_and_of_any_bytes(tmp_path: Path) -> None:
    desk = Desk()
    names = [b"\xff" * 200 + b".dcm", b"x" * 255, b"n." + b"y" * 200, "患".encode() * 80 + b".dcm"]
    for i, name in enumerate(names):
        Path(bytes(tmp_path).decode(), name.decode(errors="surrogateescape")).write_bytes(b"refuse %d" % i)
    moved = settled(inbox(tmp_path, desk))
    assert len(moved) == len(names)
    assert all(path.exists() and path.with_name(f"{path.name}.why.txt").exists() for path in moved)


def test_a_folder_that_is_away_is_said_once_and_so_is_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, told, steps = threading.Event(), [], iter([True, False, False, True])

    class Share:
        def step(self, now_s: float) -> list[Path]:
            there = next(steps, None)
            if there is None:
                stop.set()
            elif not there:
                raise OSError(errno.ESTALE, "stale")
            return []

    monkeypatch.setattr(folder, "EVERY_S", 0.0)
    watch(Share(), stop, lambda: 0.0, told.append)  # type: ignore[arg-type]
    assert told == ["the folder cannot be used: Stale file handle", "the folder can be used again"]


def test_a_spool_that_is_full_is_said_once_and_so_is_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, told, steps = threading.Event(), [], iter([True, False, False, True])

    class Full:
        def step(self, now_s: float) -> list[Path]:
            has_room = next(steps, None)
            if has_room is None:
                stop.set()
            elif not has_room:
                raise FullError("the spool takes no more now")
            return []

    monkeypatch.setattr(folder, "EVERY_S", 0.0)
    watch(Full(), stop, lambda: 0.0, told.append)  # type: ignore[arg-type]
    assert told == ["the spool takes no more now", "the folder can be used again"]


class Ward:
    """Takes files of devices; some may not send."""

    def __init__(self, *kept_out: str) -> None:
        self.kept_out = set(kept_out)
        self.taken: list[tuple[str, str]] = []

    def take(self, device: str, path: Path, digest: str) -> None:
        self.taken.append((device, path.name))
        if path.read_bytes() == b"refuse":
            raise MessageError("no ECG lead")

    def inboxes(self, place: Path) -> Inboxes:
        return Inboxes(place, self.take, lambda device: device not in self.kept_out, still_s=0.0)


def put(place: Path, device: str, name: str, content: bytes) -> None:
    (place / device).mkdir(exist_ok=True)
    (place / device / name).write_bytes(content)


def test_each_folder_is_a_devices_and_new_ones_are_seen(tmp_path: Path) -> None:
    ward = Ward()
    boxes = ward.inboxes(tmp_path)
    put(tmp_path, "cart-1", "a.dcm", b"one")
    (tmp_path / "loose.dcm").write_bytes(b"of nobody")
    put(tmp_path, ".hidden", "a.dcm", b"hidden")
    boxes.step(0.0)
    put(tmp_path, "cart-2", "a.dcm", b"one")  # the same bytes of another device are another recording
    put(tmp_path, "cart-2", "b.dcm", b"refuse")
    boxes.step(1.0)
    assert ward.taken == [("cart-1", "a.dcm"), ("cart-2", "a.dcm"), ("cart-2", "b.dcm")]
    assert (tmp_path / "cart-1" / "done" / "a.dcm").exists()
    assert (tmp_path / "cart-2" / "refused" / "b.dcm.why.txt").read_text() == "no ECG lead\n"
    assert (tmp_path / "loose.dcm").exists()


def test_files_of_a_device_that_may_not_send_wait_and_keep_nobody_else_waiting(tmp_path: Path) -> None:
    ward = Ward("cart-1")
    boxes = ward.inboxes(tmp_path)
    put(tmp_path, "cart-1", "a.dcm", b"one")
    put(tmp_path, "cart-2", "a.dcm", b"two")
    boxes.step(0.0)
    assert ward.taken == [("cart-2", "a.dcm")]
    ward.kept_out.clear()
    boxes.step(1.0)
    assert ward.taken == [("cart-2", "a.dcm"), ("cart-1", "a.dcm")]


def test_a_folder_that_cannot_be_used_ails_no_other(tmp_path: Path) -> None:
    ward = Ward()
    put(tmp_path, "cart-1", "done", b"a file where the folder should be")
    put(tmp_path, "cart-2", "a.dcm", b"two")
    with pytest.raises(OSError, match="File exists"):
        ward.inboxes(tmp_path).step(0.0)
    assert ward.taken == [("cart-2", "a.dcm")]

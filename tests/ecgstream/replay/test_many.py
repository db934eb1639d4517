"""Many devices: what is done is not done again, and one that cannot be replayed stops no other."""

from __future__ import annotations

from pathlib import Path

from ecgstream.replay.device import Replayed
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.findings import Findings
from ecgstream.replay.many import Work, joined, run

TASK = {"from": 1, "to": 2}


def replayed(device: str) -> Replayed:
    if device == "bad":
        raise ReplayError("bad: nothing there")
    return Replayed(device, [], Findings(), Findings(), [], [], 10.0, 20.0, 0.5)


def test_one_that_cannot_be_replayed_stops_no_other() -> None:
    work = Work(None, TASK)
    found = list(run(["a", "bad", "b"], replayed, work))
    assert [one.device if one else None for one in found] == ["a", None, "b"]
    told = joined(list(work.done.values()))
    assert (told["identical"], told["differences"], told["x_realtime"]) == (False, 0, 40.0)
    assert told["devices"][1] == {"device": "bad", "error": "bad: nothing there"}


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    file = tmp_path / "replay.json.part"
    list(run(["a", "b"], replayed, Work(file, TASK)))
    with file.open("a") as out:
        out.write('{"device": "c", "ident')  # ended as it was written
    work = Work(file, TASK)
    assert sorted(work.done) == ["a", "b"]
    assert [one.device for one in run(["a", "b", "c"], replayed, work) if one] == ["c"]
    assert sorted(Work(file, TASK).done) == ["a", "b", "c"]
    assert Work(file, {**TASK, "to": 3}).done == {}
    work.over()
    assert not file.exists()

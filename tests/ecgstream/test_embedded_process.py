"""Children end with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ecgstream.embedded.process import end, lock_directory, spawn, tail

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="by Linux's prctl")


def state(pid: int) -> str:
    """The process's state letter, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while state(pid) not in ("", "Z"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_output_status_and_environment(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        words = ["sh", "-c", "echo $COLOUR in $(basename $PWD); echo hm >&2; exit 3"]
        process = spawn(words, env={**os.environ, "COLOUR": "blue"}, cwd=tmp_path, stdout=file)
    assert process.wait(10) == 3
    assert log.read_text() == f"blue in {tmp_path.name}\nhm\n"


def test_a_program_that_is_not_there_says_so(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        assert spawn(["/no/such/program"], stdout=file).wait(10) == 126
    assert "cannot launch /no/such/program" in (tmp_path / "log").read_text()


def test_a_directory_that_is_not_there_raises() -> None:
    with pytest.raises(FileNotFoundError):
        spawn(["true"], cwd=Path("/no/such/directory"))


def test_a_child_may_write_to_a_closed_pipe() -> None:
    process = spawn(["yes"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(10) == -signal.SIGPIPE  # not inherited as ignored


def test_end_is_polite_first() -> None:
    process = spawn(["sh", "-c", "trap 'exit 5' TERM; sleep 60 & echo $!; wait"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    assert end(process, 10) == 5
    assert gone(grandchild)  # nothing of its group stays
    assert end(process, 10) == 5  # and again does nothing


def test_end_is_firm_then_with_the_whole_group() -> None:
    words = ["sh", "-c", "trap '' TERM; sleep 60 & echo $!; while :; do wait; done"]
    process = spawn(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    assert end(process, 0.2) == -signal.SIGKILL
    assert gone(grandchild)


@LINUX
def test_a_child_outlives_the_thread_that_asked_for_it() -> None:
    made: list[subprocess.Popen[bytes]] = []

    def make() -> None:
        process = spawn(["sh", "-c", "echo tied; exec sleep 60"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()  # from here on a thread's end is its end, if the thread forked it
        made.append(process)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert made[0].poll() is None
    assert end(made[0]) == -signal.SIGTERM


@LINUX
@pytest.mark.parametrize("way", ["kill", "exit", "fork"])
def test_a_child_ends_with_our_process(way: str) -> None:
    program = """
import os, sys, time
from ecgstream.embedded.process import spawn, end
if sys.argv[1] == "fork":
    end(spawn(["true"]))  # the thread that forks does not survive os.fork()
    if os.fork():
        os.wait()
        sys.exit()
print(spawn(["sleep", "60"]).pid, flush=True)
time.sleep(0.3)
if sys.argv[1] != "exit":
    os.kill(os.getpid(), 9)
"""
    words = [sys.executable, "-W", "ignore", "-c", program, way]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert state(child) != ""
    assert gone(child)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be hidden")
def test_root_is_hidden_and_still_owns_its_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("ours")
    file.chmod(0o600)
    process = spawn(["sh", "-c", "id -u; cat secret"], cwd=tmp_path, stdout=subprocess.PIPE, unroot=True)
    assert process.stdout is not None
    user, text = process.stdout.read().decode().split()
    end(process)
    assert user != "0"
    assert text == "ours"


def test_a_directory_is_locked_as_long_as_its_service_lives(tmp_path: Path) -> None:
    lock = lock_directory(tmp_path)
    assert lock is not None
    assert lock_directory(tmp_path, 0.0) is None
    process = spawn(["sleep", "60"], pass_fds=[lock])
    os.close(lock)
    assert lock_directory(tmp_path, 0.1) is None  # the service holds it still
    end(process)
    again = lock_directory(tmp_path, 5.0)
    assert again is not None
    os.close(again)


def test_tail(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == "(no log)"
    log.write_text("".join(f"{n}\n" for n in range(100)))
    assert tail(log, lines=2) == "98\n99"
    assert tail(log, start=log.stat().st_size - 3) == "99"

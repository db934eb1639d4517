"""Child processes that end when we end, however we end.

Linux can signal a child when its parent dies (`PR_SET_PDEATHSIG`), but by parent it means the *thread* that
forked. So all children are forked by one thread that lives as long as the process. And code between fork and
exec is unsafe in a process with threads: the child asks for the signal itself, after exec, in `launch.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

_LAUNCHER = Path(__file__).with_name("launch.py")
_Request = tuple[list[str], dict[str, Any], "Future[subprocess.Popen[bytes]]"]


class _Nursery:
    """The one thread that forks; a process forked from ours starts another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: queue.SimpleQueue[_Request] | None = None

    def popen(self, argv: list[str], options: dict[str, Any]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._requests is None:
                self._requests = queue.SimpleQueue()
                threading.Thread(target=_fork, args=(self._requests,), name="nursery", daemon=True).start()
            future: Future[subprocess.Popen[bytes]] = Future()
            self._requests.put((argv, options, future))
        return future.result()


def _fork(requests: queue.SimpleQueue[_Request]) -> None:
    while True:
        argv, options, future = requests.get()
        process: Any  # the stubs cannot say that it is Popen[bytes]
        try:
            process = subprocess.Popen(argv, **options)  # noqa: S603 - our own launcher
            future.set_result(process)
        except BaseException as error:  # raised again where it was asked for
            future.set_exception(error)


_nursery = _Nursery()


def _renew_nursery() -> None:
    global _nursery  # threads do not survive a fork
    _nursery = _Nursery()


os.register_at_fork(after_in_child=_renew_nursery)


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
    death_signal: signal.Signals = signal.SIGKILL,
    unroot: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program that gets `death_signal` when our process ends, even by `kill -9`.

    Its standard error goes where its standard output goes. It leads a session of its own, so a Ctrl-C at our
    terminal reaches us alone and we end it in our order. With `unroot`, a program that refuses to run as root
    is given a user namespace in which it is not (and nothing changes when we are not root).

    A program that cannot be run says so on its standard output and ends with status 126. Elsewhere than on
    Linux the program outlives a `kill -9` of ours.
    """
    hide_root = unroot and os.geteuid() == 0
    words = [str(word) for word in argv]
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER)]
    tie = [str(os.getpid()), str(int(death_signal)), str(int(hide_root))]
    options: dict[str, Any] = {
        "env": None if env is None else dict(env),
        "cwd": cwd,
        "stdin": stdin,
        "stdout": stdout,
        "stderr": subprocess.STDOUT if stdout is not None else None,
        "start_new_session": True,
        "pass_fds": tuple(pass_fds),
    }
    return _nursery.popen([*launcher, *tie, *words], options)


def end(
    process: subprocess.Popen[bytes], patience_s: float = 10.0, *, by: signal.Signals = signal.SIGTERM
) -> int:
    """End a process from `spawn` politely, then by SIGKILL; return its exit status.

    What is left of its process group when it has ended is killed too.
    """
    if process.poll() is None:
        process.send_signal(by)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and not _has_ended(process):
            time.sleep(0.01)
        # While it is not waited for, its id cannot become another's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    status = process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    return status


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # waited for elsewhere
        return True


def lock_directory(directory: Path, patience_s: float = 15.0) -> int | None:
    """Take a directory for one service alone; return the lock's descriptor, or None if another has it.

    Hand the descriptor to the service (`pass_fds`): the lock then lasts exactly as long as anyone of us and
    the service lives, so that a service still dying with its parent is waited for, and none starts beside it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(0.05)
        else:
            return descriptor


def is_locked(directory: Path) -> bool:
    """Return whether a service lives in a directory."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def tail(log: Path, *, start: int = 0, lines: int = 20) -> str:
    """Return the last lines that a log got since byte `start`, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(start, file.tell() - 65_536))
            text = file.read().decode(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.rstrip().splitlines()[-lines:])

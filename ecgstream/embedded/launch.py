"""Tie the process to its parent's life, then become the program asked for.

Run by path (see `process.spawn`), so that nothing of ours is imported:
`launch.py PARENT SIGNAL UNROOT ARGV…`. It replaces itself by the program, which so keeps this process's id.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
CANNOT_LAUNCH = 126


def _unroot(libc: ctypes.CDLL) -> None:
    """Be an ordinary user to ourselves and still root's owner of files to the kernel.

    In a user namespace of our own, root's id is mapped to an ordinary one: a program that refuses to run as
    root runs, owns what root owns, and has none of root's powers.
    """
    user, group = os.geteuid(), os.getegid()
    account = next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(
            ctypes.get_errno(),
            "root may make no user namespace here (a chroot, a container?): run as an ordinary user",
        )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{account.pw_uid} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{account.pw_gid} {group} 1")


def _fail(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return CANNOT_LAUNCH


def main(arguments: list[str]) -> int:
    """Launch what the arguments say; return only when that failed."""
    parent, death_signal, unroot, *argv = arguments
    try:
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            if unroot == "1":
                _unroot(libc)  # before the death signal, which a change of identity clears
            if libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
                return _fail("prctl(PR_SET_PDEATHSIG) failed")
            if os.getppid() != int(parent):
                return CANNOT_LAUNCH  # the parent died before we were tied to it
        # Python ignores these, and what is ignored stays so across exec.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execvp(argv[0], argv)  # noqa: S606 - the point of this file
    except OSError as error:
        return _fail(f"cannot launch {argv[0]}: {error}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

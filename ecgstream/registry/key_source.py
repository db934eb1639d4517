"""Where the key ring comes from: a file that only its owner reads, or a command that prints it.

The command is the door to a key management service: its client, or a script around it, which decrypts a
ring that lies encrypted elsewhere. It runs without a shell; what it says on standard error is not shown, for
nobody knows what it says there.
"""

import os
import shlex
import signal
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Event, Timer
from typing import IO, cast

from ecgstream.registry import keys
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.keys import KeyRing
from ecgstream.settings import PREFIX

_MAX_BYTES = 1 << 16
_COMMAND_PATIENCE_S = 10.0
_HEAD = (
    "# Keys of patients' identifiers (ecgstream): ID KEY, the newest last. Whoever has this file and the\n"
    "# database reads the identifiers; without it nobody ever does. Keep a copy in a safe place, apart from\n"
    "# the database's.\n"
)


def load(file: Path | None, command: str) -> KeyRing:
    """Return the key ring of the settings ``keys`` and ``key_command``.

    Raises:
        RegistryError: none of them is set, or both; or what they name gives no key ring.
    """
    if file and command:
        raise RegistryError(f"both {PREFIX}KEYS and {PREFIX}KEY_COMMAND are set: keep one")
    if file:
        return keys.parse(_text(_read(file), str(file)), str(file))
    if command:
        return keys.parse(_text(_said_by(command), "key command"), "key command")
    raise RegistryError(
        "no key is set, without which patients' identifiers can be neither kept nor read. Make a file with"
        f" `ecgstream patient keys new FILE` and set {PREFIX}KEYS=FILE, or set {PREFIX}KEY_COMMAND"
    )


def create(file: Path) -> str:
    """Make a key file with one new key, for its owner's eyes only; return the key's name.

    Raises:
        RegistryError: the file is there already, or cannot be written.
    """
    name, line = keys.new_key()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        _write(descriptor, _HEAD + line)
    except FileExistsError:
        raise RegistryError(
            f"{file} is there already and stays: `ecgstream patient keys add` adds a key to it"
        ) from None
    except OSError as error:
        raise RegistryError(f"{file}: {error.strerror}") from None
    return name


def add(file: Path) -> str:
    """Add a new key to a key file, which seals from now on; return its name.

    Raises:
        RegistryError: the file is no key file, or cannot be written.
    """
    before = _text(_read(file), str(file))
    keys.parse(before, str(file))
    name, line = keys.new_key()
    try:
        # Appended in one piece, so that owner, mode and what others add at this moment stay.
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
        _write(descriptor, line if before.endswith("\n") else "\n" + line)
    except OSError as error:
        raise RegistryError(f"{file}: {error.strerror}") from None
    return name


def _read(file: Path) -> bytes:
    try:
        # Not blocking, so that a pipe in the file's place is an error and does not wait for ever.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise RegistryError(f"{file}: is no regular file")
            if status.st_uid not in (0, os.geteuid()):
                raise RegistryError(f"{file}: belongs to another user: chown it to the one who runs this")
            if status.st_mode & 0o077:
                raise RegistryError(f"{file}: others than its owner may read or write it: chmod 600 {file}")
            return opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise RegistryError(f"{file}: {error.strerror}") from None


def _said_by(command: str) -> bytes:
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no line of words as a shell reads them"
        raise RegistryError(f"key command: cannot be run: {why}") from None
    with process:
        try:
            return _output(process, cast(IO[bytes], process.stdout))
        finally:
            _kill(process)


def _output(process: subprocess.Popen[bytes], stdout: IO[bytes]) -> bytes:
    """Return what a process says, hardly more than a ring may have, within its time."""
    expired = Event()

    def expire() -> None:
        expired.set()
        _kill(process)

    timer = Timer(_COMMAND_PATIENCE_S, expire)
    timer.start()
    try:
        said = stdout.read(_MAX_BYTES + 1)
        if len(said) > _MAX_BYTES:
            return said
        status = process.wait()
    finally:
        timer.cancel()
    if expired.is_set():
        raise RegistryError(f"key command: did not end within {_COMMAND_PATIENCE_S:g} s")
    if status != 0:
        raise RegistryError(f"key command: failed with status {status}. Run it by hand to see why")
    return said


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it with whatever it has started, which may hold its output open."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _text(raw: bytes, source: str) -> str:
    if len(raw) > _MAX_BYTES:
        raise RegistryError(f"{source}: more than {_MAX_BYTES:,} bytes: no key ring")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RegistryError(f"{source}: is no text in UTF-8: no key ring") from None


def _write(descriptor: int, text: str) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)

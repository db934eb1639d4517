"""A signed archive: plain files in a zip, a manifest of their SHA-256, and the manifest's signature.

It is checked anywhere, with nothing but the file and the fingerprint of the key. What is in it is text that
any program reads.
"""

import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from ecgstream import __version__
from ecgstream.audit.errors import AuditError
from ecgstream.audit.keys import SIGNATURE_BYTES, SigningKey, fingerprint, is_called, is_signed

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FORMAT = "ecgstream archive 1"
LARGEST = 2 * 1024**3
"""Bytes of all files together, unpacked: what is larger was not made here."""
MOST_FILES = 10_000
_LONGEST_MANIFEST = 16 * 1024**2
_SIGNED = "archive 1"
_BEGIN = (1980, 1, 1, 0, 0, 0)  # the first time that a zip knows: none of ours is in it
_CHUNK = 1 << 20
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError)
"""What zipfile raises where bytes are not what it expects."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that is as it was signed."""

    about: dict[str, Any]
    """What it says of itself."""
    key: bytes
    """Public."""
    is_trusted: bool
    """Whether the key is the one that the reader named."""
    files: dict[str, str]
    """SHA-256 by name."""


def write(
    path: Path, kind: str, about: Mapping[str, object], files: Mapping[str, bytes | Path], key: SigningKey
) -> None:
    """Write an archive, whole or not at all; only its owner may read it.

    Args:
        path: where.
        kind: of archive.
        about: what it says of itself.
        files: by name; those that are large lie in files.
        key: that signs.

    Raises:
        AuditError: it is there already, or cannot be written.
    """
    manifest = {
        "format": FORMAT,
        "kind": kind,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": f"ecgstream {__version__}",
        "key": key.public.hex(),
        "fingerprint": fingerprint(key.public),
        "about": dict(about),
        "files": {
            name: {"bytes": _size(content), "sha256": _sha256(content)}
            for name, content in sorted(files.items())
        },
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True, default=str).encode()
    signed: dict[str, bytes | Path] = {MANIFEST: text, SIGNATURE: key.sign(_SIGNED, text)}
    part = path.with_name(f"{path.name}.part")
    try:
        if path.exists():
            raise AuditError(f"{path} is there already: name another file")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out, zipfile.ZipFile(out, "w") as whole:
            for name, content in {**signed, **dict(sorted(files.items()))}.items():
                info = zipfile.ZipInfo(name, _BEGIN)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (stat.S_IFREG | 0o600) << 16
                info.file_size = _size(content)
                with whole.open(info, "w") as to:
                    for piece in _pieces(content):
                        to.write(piece)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise AuditError(f"{path}: {error.strerror}") from None


def check(path: Path, kind: str, trusted: str = "") -> Archive:
    """Return what an archive says, if it is as it was signed.

    Args:
        path: the file.
        kind: that is wanted.
        trusted: fingerprint of the key that must have signed it; empty: any key.

    Raises:
        AuditError: it is not; the message says what was changed.
    """
    try:
        with zipfile.ZipFile(path) as whole:
            return _check(path, whole, kind, trusted)
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except _DAMAGED as error:
        raise AuditError(f"{path}: damaged, or no archive: {type(error).__name__}") from None


@contextmanager
def opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """Give a file of an archive that was checked."""
    with zipfile.ZipFile(path) as whole, whole.open(name) as file:
        yield file


def _check(path: Path, whole: zipfile.ZipFile, kind: str, trusted: str) -> Archive:
    infos = whole.infolist()
    names = [info.filename for info in infos]
    if len(names) > MOST_FILES or sum(info.file_size for info in infos) > LARGEST:
        raise AuditError(f"{path}: too large for an archive of ours; nothing of it was unpacked")
    if len(set(names)) != len(names):
        raise AuditError(f"{path}: a file is in it twice: it was changed after it was signed")
    if not {MANIFEST, SIGNATURE} <= set(names):
        raise AuditError(f"{path}: no signed archive: {MANIFEST} or {SIGNATURE} is missing")
    if whole.getinfo(MANIFEST).file_size > _LONGEST_MANIFEST:
        raise AuditError(f"{path}: its list of files is too long for an archive of ours")
    if whole.getinfo(SIGNATURE).file_size != SIGNATURE_BYTES:
        raise AuditError(f"{path}: its signature was changed")
    text = whole.read(MANIFEST)
    manifest, key = _manifest(path, text, kind)
    if not is_signed(key, whole.read(SIGNATURE), _SIGNED, text):
        raise AuditError(f"{path}: its list of files was changed: the signature does not hold for it")
    if trusted and not is_called(key, trusted):
        raise AuditError(f"{path}: signed by {fingerprint(key)}, which is not the key that was named")
    _compare(path, whole, set(names) - {MANIFEST, SIGNATURE}, manifest["files"])
    hashes = {name: file["sha256"] for name, file in manifest["files"].items()}
    about = {**manifest["about"], "made": manifest["made"], "software": manifest["software"]}
    return Archive(about, key, bool(trusted), hashes)


def _manifest(path: Path, text: bytes, kind: str) -> tuple[dict[str, Any], bytes]:
    try:
        manifest = json.loads(text)
        key = bytes.fromhex(manifest["key"])
        files, about = manifest["files"], manifest["about"]
        is_whole = isinstance(files, dict) and isinstance(about, dict)
        is_whole = is_whole and all(isinstance(file["sha256"], str) for file in files.values())
        is_whole = is_whole and isinstance(manifest["made"], str) and isinstance(manifest["software"], str)
        is_known = (manifest["format"], manifest["kind"]) == (FORMAT, kind)
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        raise AuditError(f"{path}: its list of files cannot be read: it was changed") from None
    if not is_whole or not is_known:
        raise AuditError(f"{path}: not what is wanted, which is {kind} in the form “{FORMAT}”")
    return manifest, key


def _compare(path: Path, whole: zipfile.ZipFile, there: set[str], said: dict[str, Any]) -> None:
    wrong = [
        *(f"{name}: was added" for name in sorted(there - set(said))),
        *(f"{name}: was removed" for name in sorted(set(said) - there)),
        *(
            f"{name}: was changed"
            for name in sorted(there & set(said))
            if _digest(whole, name) != said[name]["sha256"]
        ),
    ]
    if wrong:
        raise AuditError(f"{path}: not as it was signed. " + "; ".join(map(_printable, wrong)))


def _digest(whole: zipfile.ZipFile, name: str) -> str:
    found = sha256()
    try:
        with whole.open(name) as file:  # of which no more is read than it says that it is
            while piece := file.read(_CHUNK):
                found.update(piece)
    except _DAMAGED:
        return "damaged"
    return found.hexdigest()


def _size(content: bytes | Path) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)


def _sha256(content: bytes | Path) -> str:
    found = sha256()
    for piece in _pieces(content):
        found.update(piece)
    return found.hexdigest()


def _pieces(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)

"""A part of the log for an authority: a signed archive of entries, each with the hash before it."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgstream.audit import archive
from ecgstream.audit.archive import Archive
from ecgstream.audit.chain import Entry, hash_of
from ecgstream.audit.errors import AuditError
from ecgstream.audit.keys import SigningKey
from ecgstream.audit.read import Filter

KIND = "audit log"
ENTRIES, README = "entries.jsonl", "README.txt"
_LONGEST_LINE = 64 * 1024**2
_WORDS = """\
Part of the audit log of an ecgstream centre.

entries.jsonl   one entry a line: seq, before, content, hash (hexadecimal). content is a JSON object as text:
                who has done, read or changed what, and when. It names patients by pseudonyms.
manifest.json   the SHA-256 of each file, the filter that the entries were chosen by, the public key.
manifest.sig    Ed25519 signature (RFC 8032) of: the text "ecgstream archive 1", then manifest.json's bytes.

An entry is as it was sealed if hash is the SHA-256 of: the text "ecgstream audit 1", before (32 bytes), seq
(8 bytes, big endian), content (UTF-8). `ecgstream audit verify-export FILE --key FINGERPRINT` does it.
"""


def write(path: Path, linked: Iterable[tuple[Entry, bytes]], wanted: Filter, key: SigningKey) -> int:
    """Write an archive of entries, each with the hash before it; return how many they are.

    Raises:
        AuditError: it cannot be written.
    """
    n, first, last = 0, None, None
    with TemporaryDirectory(prefix="ecgstream-export-") as folder:
        lines = Path(folder) / ENTRIES
        with lines.open("w", encoding="utf-8") as out:
            for entry, before in linked:
                out.write(_line(entry, before))
                n, first, last = n + 1, entry.seq if first is None else first, entry.seq
        about = {"entries": n, "first": first, "last": last, "filter": wanted.said()}
        archive.write(path, KIND, about, {ENTRIES: lines, README: _WORDS.encode()}, key)
    return n


def check(path: Path, trusted: str = "") -> Archive:
    """Return what an archive says, if it is as it was signed and each entry as it was sealed.

    Raises:
        AuditError: it is not.
    """
    found = archive.check(path, KIND, trusted)
    n = 0
    for n, text in enumerate(_lines(path), 1):
        try:
            said = json.loads(text)
            before, hash_ = bytes.fromhex(said["before"]), bytes.fromhex(said["hash"])
            is_true = len(before) == len(hash_) and hash_of(before, said["seq"], said["content"]) == hash_
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise AuditError(f"{path}: line {n} of {ENTRIES} cannot be read") from None
        if not is_true:
            raise AuditError(f"{path}: entry {said['seq']} is not as it was sealed")
    if n != found.about.get("entries"):
        raise AuditError(f"{path}: {n} entries where {found.about.get('entries')} are named")
    return found


def _line(entry: Entry, before: bytes) -> str:
    said = {"seq": entry.seq, "before": before.hex(), "content": entry.content, "hash": entry.hash.hex()}
    return json.dumps(said, ensure_ascii=False) + "\n"


def _lines(path: Path) -> Iterator[bytes]:
    with archive.opened(path, ENTRIES) as file:
        while line := file.readline(_LONGEST_LINE):
            yield line

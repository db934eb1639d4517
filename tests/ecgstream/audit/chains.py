"""Chains as ``ecg.seal`` makes them, without a database."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecgstream.audit.chain import NOTHING, Entry, hash_of, signed_head, vouched
from ecgstream.audit.check import Checker, Fault
from ecgstream.audit.keys import SigningKey, fingerprint
from schemas.audit import AuditHead

BEGIN = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE_NS = 60 * 10**9


def new_key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


def entry(
    seq: int, before: bytes, who: str = "li", action: str = "read", kind: str = "patient", **detail: Any
) -> Entry:
    """An entry behind the one with the hash `before`."""
    at = BEGIN + timedelta(seconds=seq)
    said = {
        "seq": seq,
        "entry": seq + 1,
        "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "login": "monitor_1",
        "who": who,
        "action": action,
        "kind": kind,
        "object": f"P-{seq}",
        "facility": "R.A",
        "detail": detail,
    }
    content = json.dumps(said, ensure_ascii=False)
    return Entry(seq, at, who, action, kind, f"P-{seq}", "R.A", content, hash_of(before, seq, content))


class Made:
    """A chain of entries, whose head a key signs each minute."""

    def __init__(self, key: SigningKey | None = None) -> None:
        self.key = key or new_key()
        self.entries: list[Entry] = []
        self.heads: list[AuditHead] = []
        self.add(action="begin", kind="chain", id=str(uuid.uuid4()))
        self.introduce(self.key)

    def add(self, **said: Any) -> None:
        before = self.entries[-1].hash if self.entries else NOTHING
        self.entries.append(entry(len(self.entries), before, **said))

    def introduce(self, key: SigningKey, by: SigningKey | None = None) -> None:
        detail = {"public": key.public.hex()}
        if by is not None:
            detail["vouched"] = vouched(by, self.entries[0].hash, key.public).hex()
        self.add(who="sealer", action="key", kind="key", **detail)
        self.key = key

    def sign(self) -> None:
        last, at_ns = self.entries[-1], (len(self.heads) + 1) * MINUTE_NS
        self.heads.append(signed_head(self.key, self.entries[0].hash, last.seq, last.hash, at_ns))

    def grow(self, n: int = 10, *, every: int = 3) -> Made:
        for i in range(n):
            self.add(note=f"王伟 مريض 🏥 {i}")
            if i % every == every - 1:
                self.sign()
        return self

    def relinked(self, entries: Sequence[Entry], first: int) -> list[Entry]:
        """Entries with all hashes from one on made anew, as somebody does who lacks the key."""
        made = list(entries[:first])
        for old in entries[first:]:
            before = made[-1].hash if made else NOTHING
            seq = len(made)
            content = json.dumps(old.said | {"seq": seq}, ensure_ascii=False)
            made.append(old._replace(seq=seq, content=content, hash=hash_of(before, seq, content)))
        return made


def faults(
    entries: Sequence[Entry],
    kept: Sequence[AuditHead],
    copied: Sequence[AuditHead] = (),
    trusted: SigningKey | None = None,
) -> list[Fault]:
    checker = Checker(kept, copied, trusted="" if trusted is None else fingerprint(trusted.public))
    for one in entries:
        checker.see(one)
    return checker.finish()

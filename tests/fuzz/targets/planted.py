"""Codecs with a fault each, which no seed shows: what finds none of them finds nothing."""

from __future__ import annotations

import threading

from tests.fuzz.mutators import BINARY
from tests.fuzz.target import Target

_KEPT: list[bytes] = []


def raises(data: bytes) -> None:
    """Raise what is not meant to come through."""
    if b"Z" in data:
        raise KeyError("planted")


def hangs(data: bytes) -> None:
    """Wait for what never comes."""
    if b"Z" in data:
        threading.Event().wait()


def grows(data: bytes) -> None:
    """Keep more and more."""
    _KEPT.append(b"x" * 10_000)


TARGETS = {
    "raises": Target(raises, lambda: [b"A"], BINARY),
    "hangs": Target(hangs, lambda: [b"A"], BINARY, hang_s=1),
    "grows": Target(grows, lambda: [b"A"], BINARY, growth_bytes=20_000_000),
}

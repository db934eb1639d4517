"""What is fuzzed: a codec, what it is fed with first, and how that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from tests.fuzz.mutators import Mutator

FRAME_BYTES = 64 * 1024
"""An input is no longer: what grows with its length shows there, and longer ones are slow."""
MOST_BYTES = 2**31
"""What ``devices.files.child`` lets a file cost."""


@dataclass(frozen=True)
class Target:
    """A codec under fuzz.

    Attributes:
        run: takes an input; what it lets through is a fault, but for what it is meant to let through.
        seeds: inputs that are right, made by the code; mutations begin with them.
        ways: how they go wrong.
        most: bytes of an input.
        share: how many inputs it gets of those that are asked for: a file takes as long as many frames.
        growth_bytes: of memory, over all inputs together; more is a leak, or an input that swallows memory.
            Ten times as many bytes of addresses, at most ``MOST_BYTES``, is all that can be had at all.
        hang_s: an input that takes longer hangs.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    ways: Sequence[Mutator]
    most: int = FRAME_BYTES
    share: float = 1.0
    growth_bytes: int = 100_000_000
    hang_s: int = 10


# Where the targets are that a module of ``tests.fuzz.targets`` has in its ``TARGETS``. The codec of another
# protocol has a module of its own there, and a line here.
MODULES = {
    "hl7": ("mllp", "hl7", "acm-answer"),
    "http": ("http", "json-packets", "json-vitals", "fhir"),
    "mqtt": ("mqtt", "mqtt-message"),
    "avro": ("avro-body", "avro-records", "enrolments"),
    "spool": ("spool",),
    "files": (
        *("edf", "edf-gaps", "dicom", "aecg", "aecg-gap", "muse", "sierra"),
        *("ishne", "scp", "scp-huffman", "mfer", "wfdb"),
        "file-answer",
    ),
    "planted": ("raises", "hangs", "grows"),
}
NAMES = tuple(name for module, names in MODULES.items() if module != "planted" for name in names)
"""All but those whose faults were planted, by which it is known that faults are found."""


def load(names: Sequence[str]) -> dict[str, Target]:
    """Return targets by their names; only their modules are imported."""
    found: dict[str, Target] = {}
    for module, its in MODULES.items():
        if any(name in names for name in its):
            found |= import_module(f"tests.fuzz.targets.{module}").TARGETS
    return {name: found[name] for name in names}

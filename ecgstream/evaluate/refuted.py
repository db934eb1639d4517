"""What the pulse wave would take away of the conditions that the detectors have told."""

import numpy as np
from numpy.typing import NDArray

from alerts.pulse import refutes
from detectors.evidence import evidence_of
from detectors.output import END
from schemas.conditions import Code
from schemas.records import Condition, Phase

_PHASES = tuple(Phase)


def standing(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return the rows of those conditions that the pulse does not take away.

    ``rows``: dtype ``detectors.output.CONDITION``, all phases, in order. A condition is taken away if each of
    its records but the end is refuted: who holds it back tells it as soon as one is not.
    """
    told = {_key(row) for row in rows if row["phase"] != END and not refutes(_record(row))}
    kept: NDArray[np.void] = rows[np.array([_key(row) in told for row in rows], bool)]
    return kept


def _key(row: np.void) -> tuple[int, int]:
    return int(row["code"]), int(row["onset_sample"])


def _record(row: np.void) -> Condition:
    """Return the record that would travel."""
    code = Code(int(row["code"]))
    return Condition(
        id="",
        device="",
        patient="",
        session=int(row["session"]),
        code=code.name,
        phase=_PHASES[int(row["phase"])],
        onset_sample=int(row["onset_sample"]),
        onset_ns=int(row["onset_ns"]),
        sample=int(row["sample"]),
        time_ns=int(row["time_ns"]),
        delay_s=float(row["delay_s"]),
        evidence=evidence_of(code, row["evidence"]),
        published_ns=0,
        partition=0,
        offset=0,
        generation=0,
        version="",
    )

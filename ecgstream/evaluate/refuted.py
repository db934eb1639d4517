"""What the pulse wave would take away of the conditions that the detectors have told."""

import numpy as np
from numpy.typing import NDArray

from alerts.pulse import refutes
from detectors.output import END
from ecgstream.evaluate.told import record_of


def standing(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return the rows of those conditions that the pulse does not take away.

    ``rows``: dtype ``detectors.output.CONDITION``, all phases, in order. A condition is taken away if each of
    its records but the end is refuted: who holds it back tells it as soon as one is not.
    """
    told = {_key(row) for row in rows if row["phase"] != END and not refutes(record_of(row))}
    kept: NDArray[np.void] = rows[np.array([_key(row) in told for row in rows], bool)]
    return kept


def _key(row: np.void) -> tuple[int, int]:
    return int(row["code"]), int(row["onset_sample"])

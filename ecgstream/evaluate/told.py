"""A condition as it would travel: the row that a bank gives, as the record that the pager reads."""

import numpy as np

from detectors.evidence import evidence_of
from schemas.conditions import Code
from schemas.ids import event_id
from schemas.records import Condition, Phase

_PHASES = tuple(Phase)
DEVICE = "evaluate"


def record_of(row: np.void, published_ns: int = 0) -> Condition:
    """Return the record of a row.

    Args:
        row: dtype ``detectors.output.CONDITION``.
        published_ns: when its packet was sent, UTC ns.
    """
    code = Code(int(row["code"]))
    session, onset = int(row["session"]), int(row["onset_sample"])
    return Condition(
        id=event_id(DEVICE, session, code.name, onset),
        device=DEVICE,
        patient="",
        session=session,
        code=code.name,
        phase=_PHASES[int(row["phase"])],
        onset_sample=onset,
        onset_ns=int(row["onset_ns"]),
        sample=int(row["sample"]),
        time_ns=int(row["time_ns"]),
        delay_s=float(row["delay_s"]),
        evidence=evidence_of(code, row["evidence"]),
        published_ns=published_ns,
        partition=0,
        offset=0,
        generation=0,
        version="",
    )

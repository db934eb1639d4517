"""Scripted trouble: what goes wrong with a simulated device, when, and which condition must come of it."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.conditions import Code

SPO2_FROM, SPO2_TO = 97.0, 84.0
SPO2_FALL_S = 60.0
SPO2_LOW_BELOW = 90.0
"""%, the lower limit against which a fall is expected to be noticed."""


class Kind(StrEnum):
    """What can go wrong."""

    ASYSTOLE = "asystole"
    VT = "VT"
    SPO2_FALL = "falling SpO2"
    LEAD_OFF = "lead off"
    ALL_LEADS_OFF = "all leads off"
    LINK_LOST = "link lost"
    REBOOT = "reboot"


_CODES = {
    Kind.ASYSTOLE: Code.ASYSTOLE,
    Kind.VT: Code.VENTRICULAR_TACHYCARDIA,
    Kind.SPO2_FALL: Code.SPO2_LOW,
    Kind.LEAD_OFF: Code.LEAD_OFF,
    Kind.ALL_LEADS_OFF: Code.ALL_LEADS_OFF,
    Kind.LINK_LOST: Code.LINK_LOST,
    Kind.REBOOT: Code.DEVICE_RESTARTED,
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """``codes``: names of the conditions that a device must raise, ``onset_s`` of signal after play began."""

    device: str
    trouble: str
    codes: tuple[str, ...]
    onset_s: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong from ``begin_s`` to ``end_s``, s of signal; ``leads``: the leads that come off."""

    kind: Kind
    begin_s: float
    end_s: float
    leads: tuple[str, ...] = ()

    def expectation(self, device: str) -> Expectation:
        """Return what must come of it on ``device``.

        The onset is when the trouble can first be seen: for a fall of SpO2 the crossing of the limit, for a
        reboot the first sample after it.
        """
        onset_s = self.begin_s
        if self.kind is Kind.SPO2_FALL:
            onset_s += (SPO2_FROM - SPO2_LOW_BELOW) / (SPO2_FROM - SPO2_TO) * SPO2_FALL_S
        elif self.kind is Kind.REBOOT:
            onset_s = self.end_s
        return Expectation(device, self.kind.value, (_CODES[self.kind].name,), round(onset_s, 3))

    def holds(self, at_s: float) -> bool:
        """Return whether it goes on at ``at_s``."""
        return self.begin_s <= at_s < self.end_s

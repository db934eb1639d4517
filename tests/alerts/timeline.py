"""One partition's conditions, at seconds of the devices' and of the pager's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from alerts.pipeline import Pipeline, Rules
from alerts.state import Event, State
from schemas.ids import event_id
from schemas.records import Acknowledgement, Act, Alert, AlertState, Condition, Lane, Phase

SECOND = 1_000_000_000
SESSION = 1_700_000_000_000_000_000
RATE = 250
LATE_S = 120


def id_of(code: str = "ASYSTOLE", onset_s: float = 0.0, device: str = "dev-1") -> str:
    return event_id(device, SESSION, code, round(onset_s * RATE))


def condition(
    t_s: float,
    phase: Phase,
    code: str = "ASYSTOLE",
    onset_s: float = 0.0,
    *,
    sent_s: float | None = None,
    source: int = 0,
    lane: Lane = Lane.LIVE,
    device: str = "dev-1",
    evidence: dict[str, float] | None = None,
) -> Condition:
    """A phase that was ``t_s`` after the session began, sent ``sent_s`` after it (by the gateway's clock)."""
    return Condition(
        id=id_of(code, onset_s, device),
        device=device,
        patient="p-1",
        session=SESSION,
        code=code,
        phase=phase,
        onset_sample=round(onset_s * RATE),
        onset_ns=SESSION + round(onset_s * SECOND),
        sample=round(t_s * RATE),
        time_ns=SESSION + round(t_s * SECOND),
        delay_s=t_s - onset_s,
        evidence={"pause_s": t_s} | (evidence or {}),
        published_ns=SESSION + round((t_s if sent_s is None else sent_s) * SECOND),
        partition=0,
        offset=source,
        generation=1,
        version="1",
        lane=lane,
    )


@dataclass
class Timeline:
    """Each call returns which alerts changed, and into which state."""

    pipeline: Pipeline = field(default_factory=lambda: Pipeline(State(), Rules(LATE_S)))
    offset: int = -1
    said: list[Alert] = field(default_factory=list)

    def at(
        self,
        t_s: float,
        phase: Phase,
        code: str = "ASYSTOLE",
        onset_s: float = 0.0,
        *,
        now_s: float | None = None,
        sent_s: float | None = None,
        offset: int | None = None,
        source: int | None = None,
        lane: Lane = Lane.LIVE,
        evidence: dict[str, float] | None = None,
    ) -> list[tuple[str, AlertState]]:
        """A phase comes that was decided at ``t_s``, just now or at ``now_s`` of the pager's clock."""
        self.offset = self.offset + 1 if offset is None else offset
        from_source = 1000 + self.offset if source is None else source
        more: dict[str, Any] = {"sent_s": sent_s, "source": from_source, "lane": lane, "evidence": evidence}
        phase_ = condition(t_s, phase, code, onset_s, **more)
        now_ns = SESSION + round((t_s if now_s is None else now_s) * SECOND)
        return self._told(self.pipeline.run([Event(phase_, 0, self.offset)], now_ns + 7))

    def wait(self, now_s: float) -> list[tuple[str, AlertState]]:
        """Nothing comes."""
        return self._told(self.pipeline.run([], SESSION + round(now_s * SECOND) + 7))

    def acknowledge(
        self,
        now_s: float,
        by: str,
        reason: str = "seen",
        code: str = "ASYSTOLE",
        onset_s: float = 0.0,
        *,
        act: Act = Act.ACKNOWLEDGE,
        silent_s: float = 0.0,
    ) -> list[tuple[str, AlertState]]:
        now_ns = SESSION + round(now_s * SECOND)
        said = Acknowledgement("an id", id_of(code, onset_s), by, reason, now_ns, act, silent_s)
        return self._told(self.pipeline.hear([said], now_ns))

    def open(self) -> dict[str, AlertState]:
        alerts = self.pipeline.state.alerts.values()
        return {a.condition: a.state for a in alerts if a.state is not AlertState.ENDED}

    def alert(self, code: str = "ASYSTOLE", onset_s: float = 0.0) -> Alert:
        return self.pipeline.state.alerts[id_of(code, onset_s)]

    def calls(self, code: str = "ASYSTOLE", onset_s: float = 0.0) -> list[tuple[float, str]]:
        """When people were called for an alert, s, and who."""
        turns = (turn for turn in self.alert(code, onset_s).history if turn.what == "CALLED")
        return [(round((turn.at_ns - SESSION) / SECOND, 3), turn.why) for turn in turns]

    def _told(self, changed: list[Alert]) -> list[tuple[str, AlertState]]:
        self.said += changed
        return [(alert.condition, alert.state) for alert in changed]

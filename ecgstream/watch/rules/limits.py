"""What is too long, too old, too full: what settings say, and what they do not."""

from dataclasses import dataclass

from ecgstream.settings import Settings

ASK_S = 1.0
"""How often servers and the log are looked at."""
FRESH_S = 10.0
"""How old an observation may be that is still judged by."""
START_S = 60.0
"""How long a service may not yet have come to a new cluster."""
IDLE_S = 30.0
"""Without outputs before it stood, a partition's devices were silent, and control records alone came."""
CHECKPOINT_S = 60.0
BEHIND_S = 60.0
"""s behind the newest record, from which on findings come late."""
FALLING_S = 30.0
SINK_S = 60.0
"""Blocks of traces stay open for 10 s, those of a silent device 15 s more, and hold the sink's position."""
GATEWAY_SILENT_S = 30.0
GATEWAY_OLD_S = 60.0
GATEWAY_FALLING_S = 15.0
GATEWAY_LOST_S = 600.0
"""How long a loss is told: by then somebody has seen it, or it goes on."""
GATEWAY_LOST_BEFORE_S = 3600.0
"""How old a loss may be by the gateway's clock that is told when a gateway is first heard."""
RETURN_S = 60.0
"""How much longer gateways may be silent after an outage of Kafka: clients come back one after the other."""
GATEWAY_FREE_BYTES = 1_000_000_000
"""About five hours of 50 devices with two leads."""
AUDIT_S = 180.0
"""Without a signed head of the audit log, of which one comes each minute."""
STEADY_SHARE = 0.02
"""How much more must be free again before a disk no longer counts as nearly full."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the settings say. ``spread_s``: over which a worker spreads its snapshots."""

    stall_s: float = 15.0
    away_s: float = 10.0
    spread_s: float = 11.0
    free_share: float = 0.15

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return these of ``settings``."""
        spread_s = settings.snapshot_spread_s + settings.checkpoint_s
        return cls(settings.stall_s, settings.away_s, spread_s, settings.disk_free_percent / 100)

    @property
    def silent_s(self) -> float:
        """Silence from which on a server is away: even one that had just answered is told in time."""
        return self.away_s - ASK_S

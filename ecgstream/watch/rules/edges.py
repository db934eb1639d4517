"""Rules of the edges: gateways, and disks that fill up."""

import math
from collections.abc import Iterator
from typing import ClassVar

from ecgstream.watch.finding import Finding, NotFalling, Standing, Steps, Topic
from ecgstream.watch.rules.limits import (
    FRESH_S,
    GATEWAY_FALLING_S,
    GATEWAY_FREE_BYTES,
    GATEWAY_LOST_BEFORE_S,
    GATEWAY_LOST_S,
    GATEWAY_OLD_S,
    GATEWAY_SILENT_S,
    RETURN_S,
    STEADY_SHARE,
    Limits,
)
from ecgstream.watch.sight import Disk, Gateway, Sight
from schemas.conditions import Code


class _Heard:
    """What is known of one gateway."""

    def __init__(self, first: Gateway, silent_s: float) -> None:
        self.last = first
        self.silent_s = silent_s
        self.oldest = NotFalling(GATEWAY_OLD_S)
        is_new = first.lost_s is not None and first.lost_s < GATEWAY_LOST_BEFORE_S
        self.lost_s = 0.0 if is_new else math.inf
        """How long ago it was heard that something was lost."""

    def hear(self, gateway: Gateway, step_s: float) -> None:
        if gateway.heard_s == self.last.heard_s:
            self.silent_s += step_s
            return
        self.oldest.see(gateway.oldest_s, gateway.heard_s - self.last.heard_s)
        is_more = gateway.lost != self.last.lost and gateway.lost_s is not None
        self.lost_s = 0.0 if is_more else self.lost_s + gateway.heard_s - self.last.heard_s
        self.last, self.silent_s = gateway, 0.0


class GatewayRule:
    """Gateways that say nothing, do not get rid of what they hold, lose some of it, or whose disk fills up.

    While Kafka is away they can say nothing to anybody, and that time does not count.
    """

    speaks_of: ClassVar[tuple[Topic, ...]] = (
        (Code.GATEWAY_SILENT, "gateway"),
        (Code.GATEWAY_BEHIND, "gateway"),
        (Code.GATEWAY_LOSES, "gateway"),
        (Code.DISK_NEARLY_FULL, "gateway"),
    )

    def __init__(self) -> None:
        self._steps = Steps()
        self._unread = Standing()
        self._heard: dict[str, _Heard] = {}

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """See ``Rule``."""
        gateways, log = sight.gateways, sight.log
        if gateways is None or log is None or now_s - min(gateways.asked_s, log.asked_s) > FRESH_S:
            return None
        step_s = self._steps.to(gateways.asked_s)
        if self._steps.gap_s > FRESH_S:
            for heard in self._heard.values():
                heard.silent_s = -RETURN_S
        behind = any(log.ends.get(spot, 0) > read for spot, read in gateways.read.items())
        self._unread.see(tuple(gateways.read.items()), step_s, waits=behind)
        if self._unread.stood_s > FRESH_S:
            return None  # it is the watch that does not hear
        self._heard = {name: self._hear(name, g, step_s) for name, g in gateways.of.items()}
        return [finding for name, heard in sorted(self._heard.items()) for finding in _of(name, heard)]

    def _hear(self, name: str, gateway: Gateway, step_s: float) -> _Heard:
        known = self._heard.get(name)
        if known is None:
            return _Heard(gateway, 0.0)
        known.hear(gateway, step_s)
        return known


def _of(name: str, heard: _Heard) -> Iterator[Finding]:
    last = heard.last
    if heard.silent_s >= GATEWAY_SILENT_S:
        text = (
            f"Nothing is heard of gateway {name} for {heard.silent_s:.0f} s: its devices are not watched "
            "here. Look at its power, its network and its service."
        )
        evidence = {"silent_s": heard.silent_s}
        yield Finding(Code.GATEWAY_SILENT, "gateway", name, heard.silent_s, text, evidence)
    if heard.oldest.stood_s >= GATEWAY_FALLING_S:
        text = (
            f"Gateway {name} holds {last.spooled} bundles, the oldest for {last.oldest_s:.0f} s, and does "
            "not get ahead: its line is too slow, or Kafka takes nothing from it. Its log says which."
        )
        evidence = {"oldest_s": last.oldest_s, "bundles": float(last.spooled)}
        yield Finding(Code.GATEWAY_BEHIND, "gateway", name, heard.oldest.stood_s, text, evidence)
    if heard.lost_s < GATEWAY_LOST_S:
        of = {
            "numbers": "numbers",
            "ecg_s": "s of ECG",
            "wave_s": "s of other waves",
            "records": "bad records",
        }
        said = ", ".join(f"{last.lost.get(figure, 0.0):.0f} {what}" for figure, what in of.items())
        text = (
            f"Gateway {name} has lost data of its devices, since it began: {said}. Its spool is full or too "
            "old, or its disk damages what it keeps. Its log says which."
        )
        yield Finding(Code.GATEWAY_LOSES, "gateway", name, 0.0, text, dict(last.lost))
    if last.disk_free is not None and last.disk_free < GATEWAY_FREE_BYTES:
        text = (
            f"The disk of gateway {name} has {last.disk_free / 1e9:.2f} GB left for what Kafka does not "
            "take. Make room on it: when it is full, signal is lost."
        )
        yield Finding(Code.DISK_NEARLY_FULL, "gateway", name, 0.0, text, {"free_gb": last.disk_free / 1e9})


class Disks:
    """Disks with little space left, or that cannot be looked at."""

    speaks_of: ClassVar[tuple[Topic, ...]] = ((Code.DISK_NEARLY_FULL, "disk"),)

    def __init__(self, limits: Limits) -> None:
        self._free_share = limits.free_share
        self._full: set[str] = set()

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:  # noqa: ARG002 - others need it
        """See ``Rule``."""
        full = {name for name, disk in sight.disks.items() if self._is_full(disk)}
        self._full = full
        return [self._finding(sight.disks[name]) for name in sorted(full)]

    def _is_full(self, disk: Disk) -> bool:
        enough = self._free_share + (STEADY_SHARE if disk.name in self._full else 0.0)
        return bool(disk.trouble) or disk.free < enough * disk.total

    def _finding(self, disk: Disk) -> Finding:
        if disk.trouble:
            text = f"The disk of {disk.name} cannot be looked at ({disk.trouble}): is it there still?"
            return Finding(Code.DISK_NEARLY_FULL, "disk", disk.name, 0.0, text)
        share = disk.free / disk.total
        left = f"{share:.0%} left, {disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB"
        text = (
            f"The disk of {disk.name} has {left}. Make room, or enlarge it: when it is full, what lies on it "
            "stops."
        )
        evidence = {"free_gb": disk.free / 1e9, "free_percent": 100 * share}
        return Finding(Code.DISK_NEARLY_FULL, "disk", disk.name, 0.0, text, evidence)

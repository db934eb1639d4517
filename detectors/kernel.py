"""The one compiled call: all packets and vitals of a bundle, over the rows of the bank."""

from typing import Any

from detectors.compiled import kernel
from detectors.feed import P_ENTRY, feed_packet, longest, room
from detectors.output import ENTRY
from detectors.vitals import feed_vital


@kernel
def push(
    device: Any, signal: Any, blank: Any, table: Any, rows: Any, packet: Any, channel_i: Any, channel_f: Any,
    pace: Any, sample: Any, vital: Any, value: Any, out: Any, progress: Any,
) -> bool:  # fmt: skip
    """Feed what is left after ``progress`` (packets, vitals done); return False where the output is full."""
    while progress[0] < len(packet):
        p = packet[progress[0]]
        row = rows[p[P_ENTRY]]
        if row >= 0:
            if not room(out, longest(signal, row, p, channel_i, channel_f)):
                return False
            out.n[ENTRY] = p[P_ENTRY]
            feed_packet(device, signal, blank, row, table, p, channel_i, channel_f, pace, sample, out)
        progress[0] += 1
    while progress[1] < len(vital):
        i = progress[1]
        row = rows[vital[i, 0]]
        if row >= 0:
            if not room(out, 0.0):
                return False
            out.n[ENTRY] = vital[i, 0]
            feed_vital(device[row], signal[row], out, vital[i, 1], vital[i, 2], vital[i, 3], value[i])
        progress[1] += 1
    return True

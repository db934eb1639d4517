"""The one compiled call: all packets and vitals of what was gathered, over the rows of the bank."""

from typing import Any

from detectors.columns import P_CHANNELS, P_ENTRY
from detectors.compiled import kernel
from detectors.feed import feed_packet, longest, room, stop
from detectors.output import ENTRY
from detectors.vitals import feed_vital

_NONE = 2**62


@kernel
def push(
    device: Any, signal: Any, blank: Any, table: Any, rows: Any, parts: Any, packet: Any, channel_i: Any,
    channel_f: Any, pace: Any, sample: Any, vital: Any, value: Any, out: Any, progress: Any,
) -> bool:  # fmt: skip
    """Feed what is left after ``progress`` (packets, vitals done); return False where the output is full.

    Part by part, and in each the packets before the vitals: as if each part had come alone. A packet without
    channels ends its device's segment.
    """
    while True:
        part_p, part_v = _NONE, _NONE
        if progress[0] < len(packet):
            part_p = parts[packet[progress[0]][P_ENTRY]]
        if progress[1] < len(vital):
            part_v = parts[vital[progress[1], 0]]
        if part_p == _NONE and part_v == _NONE:
            return True
        if part_p <= part_v:
            p = packet[progress[0]]
            row = rows[p[P_ENTRY]]
            if row >= 0 and p[P_CHANNELS] == 0:
                if not room(out, 0.0):
                    return False
                out.n[ENTRY] = p[P_ENTRY]
                stop(device[row], signal[row], out, missing=False)
                signal[row] = blank[0]
            elif row >= 0:
                if not room(out, longest(signal, row, p, channel_i, channel_f)):
                    return False
                out.n[ENTRY] = p[P_ENTRY]
                feed_packet(device, signal, blank, row, table, p, channel_i, channel_f, pace, sample, out)
            progress[0] += 1
        else:
            i = progress[1]
            row = rows[vital[i, 0]]
            if row >= 0:
                if not room(out, 0.0):
                    return False
                out.n[ENTRY] = vital[i, 0]
                feed_vital(device[row], signal[row], out, vital[i, 1], vital[i, 2], vital[i, 3], value[i])
            progress[1] += 1

"""What a worker is compared with: Faust agents as people write them, a record a device and second.

``python -m ecgstream.bench.agents per_record|neurokit`` reads the bench's own topic with Faust as it comes,
and prints JSON once it has taken in as many records as ``ECGSTREAM_BENCH_RECORDS`` says: its CPU in s from
record ``ECGSTREAM_BENCH_SKIP`` on, and how many that were.

* ``per_record``: a bank of detectors a partition, pushed one record at a time; what it finds is sent on.
* ``neurokit``: NeuroKit2 over the last ten seconds of each lead, a second at a time.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
import numpy as np
from numpy.typing import NDArray

from detectors.bank import Bank
from ecgstream.bench.load import LEADS, RATE_HZ
from ecgstream.settings import PREFIX, Settings
from schemas import codec
from schemas.bundle import Bundle

TOPIC = "ecg.bench-packets"
RESULTS = "ecg.bench-results"
RECORDS, SKIP = f"{PREFIX}BENCH_RECORDS", f"{PREFIX}BENCH_SKIP"
WINDOW_S = 10

Analysis = Callable[[int, Bundle], bytes | None]
"""From a partition and a record's content to what is sent on, if anything."""


def per_record() -> Analysis:
    """Return the detectors, a record at a time."""
    banks: defaultdict[int, Bank] = defaultdict(Bank)

    def analyse(partition: int, bundle: Bundle) -> bytes | None:
        events = banks[partition].push(bundle)
        found = [kind.tobytes() for kind in events[:5] if kind.size]
        return b"".join(found) or None

    return analyse


def neurokit() -> Analysis:
    """Return NeuroKit2 over a sliding window of each device."""
    import neurokit2

    windows: defaultdict[str, list[NDArray[np.int16]]] = defaultdict(list)

    def analyse(_partition: int, bundle: Bundle) -> bytes | None:
        seconds = windows[bundle.devices[0]]
        seconds.append(bundle.sample.reshape(len(LEADS), RATE_HZ))
        if len(seconds) < WINDOW_S:
            return None
        millivolts = np.concatenate(seconds, axis=1) / bundle.channel.gain[:, None]
        del seconds[0]
        peaks = []
        for lead in millivolts:
            with contextlib.suppress(Exception):  # it raises where it sees no beat
                clean = neurokit2.ecg_clean(lead, sampling_rate=RATE_HZ)
                peaks.append(neurokit2.ecg_peaks(clean, sampling_rate=RATE_HZ)[1]["ECG_R_Peaks"])
        return json.dumps([p.tolist() for p in peaks]).encode()

    return analyse


WAYS: dict[str, Callable[[], Analysis]] = {"per_record": per_record, "neurokit": neurokit}


def make_app(settings: Settings, name: str, analyse: Analysis, *, records: int, skip: int) -> faust.App:
    """Return an app with one agent; it ends the process after so many records."""
    app = faust.App(
        f"ecgstream-bench-{name}",
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        datadir=Path(tempfile.gettempdir()) / f"ecgstream-bench-{os.getuid()}",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        worker_redirect_stdouts=False,
        loghandlers=[],
    )
    topic = app.topic(TOPIC, value_type=bytes, value_serializer="raw", key_serializer="raw")
    results = app.topic(RESULTS, value_type=bytes, value_serializer="raw", key_serializer="raw")
    taken = began = 0.0

    async def detect(stream: Any) -> None:
        nonlocal taken, began
        async for event in stream.events():
            if taken == skip:
                began = time.process_time()
            found = analyse(event.message.partition, codec.decode_as(Bundle, event.value))
            if found is not None:
                await results.send(key=event.key, value=found)
            taken += 1
            if taken == records:
                spent = {"device_seconds": records - skip, "cpu_s": time.process_time() - began}
                print(json.dumps(spent), flush=True)  # noqa: T201 - the answer
                os._exit(0)

    app.agent(topic, name=name)(detect)
    return app


def main() -> None:
    """Run one of the ways."""
    warnings.simplefilter("ignore")
    name = sys.argv[1]
    analyse = WAYS[name]()
    Bank().warm_up()
    given = {"records": int(os.environ[RECORDS]), "skip": int(os.environ[SKIP])}
    app = make_app(Settings(), name, analyse, **given)
    worker = faust.Worker(app, loglevel="ERROR", redirect_stdouts=False, quiet=True)
    worker.spinner = None
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()

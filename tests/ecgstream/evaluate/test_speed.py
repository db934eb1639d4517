"""What the speed is measured with: all devices, all leads, second by second."""

from pathlib import Path

import numpy as np

from devices.recordings import read
from ecgstream.evaluate import speed
from ecgstream.evaluate.others import gqrs
from tests.ecgstream.evaluate.recorded import regular, write


def sources(folder: Path) -> list:
    written = [
        write(folder, "r1", regular(12.0)[0], [], leads=3),
        write(folder, "r2", regular(10.0, rr_s=0.6, fs=360)[0], [], leads=2, fs=360),
    ]
    return [speed.leads_of(read(path)) for path in written]


def test_devices_play_the_recordings_in_turn_with_two_leads(tmp_path: Path) -> None:
    bundles = list(speed.ward(sources(tmp_path), devices=5))
    assert [len(bundle.devices) for bundle in bundles] == [5] * 10 + [3] * 2
    first = bundles[0]
    assert first.devices == [f"bench-000{n}" for n in range(5)]
    assert first.channel.rate.tolist() == [250.0] * 2 + [360.0] * 2 + [250.0] * 2 + [360.0] * 2 + [250.0] * 2
    assert sum(bundle.sample.size for bundle in bundles) == 2 * (3 * 12 * 250 + 2 * 10 * 360)
    lead = np.rint(regular(12.0)[0] * 200)
    assert np.array_equal(bundles[1].sample[:250], lead[250:500])


def test_every_turn_is_told_of_the_bank_and_of_the_others(tmp_path: Path) -> None:
    found = speed.turns(sources(tmp_path), {"gqrs": gqrs}, devices=4, n=2)
    assert list(found) == [speed.BANK, "gqrs"]
    assert all(len(ns) == 2 and min(ns) > 0 for ns in found.values())
    assert min(found["gqrs"]) > max(found[speed.BANK])

"""Minute trends of the ST level: the level that is in the signal, of leads of which it can be told."""

import math
from dataclasses import replace

import numpy as np
import pytest

from detectors.bank import Bank
from ecgstream.evaluate.waveforms.shapes import lay
from schemas import mdc
from schemas.records import Vital
from tests.detectors import synthetic as syn

MINUTE_NS = 60 * 10**9
START_NS = syn.START_NS - syn.START_NS % MINUTE_NS
TOLERANCE_MV = 0.01
"""Of a flat ST segment, with 10 microvolts of noise and 5 of quantisation."""


T = (0.25, 0.34, 0.045)  # so late that nothing of it lies in the ST segment


def step(t, at_s, width_s):
    return 1.0 / (1.0 + np.exp(-(t - at_s) / width_s))


def signal(mv, seconds, fs, bpm=72):
    """Beats whose ST segment lies flat at a level above PR, from behind the QRS complex to the T wave."""

    def beat(t):
        flat = step(t, 0.065, 0.004) - step(t, 0.27, 0.012)
        waves = sum(h * np.exp(-0.5 * ((t - at) / width) ** 2) for h, at, width in (*syn.NORMAL[:4], T))
        return waves + mv * flat

    return lay(syn.regular(bpm, 0.5, seconds), seconds, fs, beat)


def packets(levels, seconds=130, fs=250, names=("II", "V1"), high_pass=(0.05, 0.05), **more):
    """A lead a level; names that MDC has not are as ``ECG``."""
    mv = np.stack([signal(level, seconds, fs) for level in levels])
    mv += np.stack([syn.noise(mv.shape[1], 0.01, n) for n in range(len(mv))])
    made = syn.packets(syn.counts(mv), fs, start_ns=START_NS, **more)
    for packet in made:
        packet.channels = [
            replace(channel, code=mdc.lead_code(name), high_pass=hz)
            for channel, name, hz in zip(packet.channels, names, high_pass, strict=True)
        ]
    return made


def found(events):
    """Rows of ST by lead."""
    lead_of = {code: lead for lead, code in mdc.ST_LEADS.items()}
    rows = {}
    for row in events.trends[np.isin(events.trends["code"], list(lead_of))]:
        rows.setdefault(lead_of[int(row["code"])], []).append(row)
    return rows


@pytest.mark.parametrize("fs", [250, 360, 500, 1000])
def test_minutes_have_the_level_that_is_in_the_signal(fs):
    rows = found(syn.run(packets((0.15, -0.2), fs=fs))[1])
    assert list(rows) == ["II", "V1"]
    for lead, level in (("II", 0.15), ("V1", -0.2)):
        assert [int(row["minute_ns"]) for row in rows[lead]] == [START_NS, START_NS + MINUTE_NS]
        assert rows[lead][1]["n"] == 6
        for row in rows[lead]:
            assert row["mean"] == pytest.approx(level, abs=TOLERANCE_MV)
            assert level - TOLERANCE_MV < row["low"] <= row["mean"] <= row["high"] < level + TOLERANCE_MV


@pytest.mark.parametrize("high_pass", [0.5, math.nan])
def test_of_a_lead_whose_high_pass_is_higher_or_not_known_there_is_none(high_pass):
    assert list(found(syn.run(packets((0.1, 0.1), high_pass=(high_pass, 0.05)))[1])) == ["V1"]


def test_a_lead_without_a_name_has_none_and_of_two_of_one_name_the_first_has_it():
    assert list(found(syn.run(packets((0.1, 0.1), names=("ECG1", "V1")))[1])) == ["V1"]
    rows = found(syn.run(packets((0.1, -0.1), names=("MLII", "II")))[1])
    assert list(rows) == ["II"]
    assert all(row["mean"] == pytest.approx(0.1, abs=TOLERANCE_MV) for row in rows["II"])


def test_a_minute_of_a_gap_has_the_values_that_were_measured_and_none_where_all_is_missing():
    made = packets((0.1, 0.1), seconds=250)
    rows = found(syn.run(made[:80] + made[130:])[1])["II"]
    n = {(int(row["minute_ns"]) - START_NS) // MINUTE_NS: int(row["n"]) for row in rows}
    assert n[0] == 6
    assert n[1] == 2
    assert 2 <= n[2] <= 5
    assert n[3] == 6
    cold = found(syn.run(made[:80] + made[190:])[1])["II"]
    minutes = [(int(row["minute_ns"]) - START_NS) // MINUTE_NS for row in cold]
    assert minutes == [0, 1, 3]


def test_a_lead_that_is_off_has_none_and_the_others_go_on():
    off = [(0, 60 * 250, 130 * 250)]
    rows = found(syn.run(packets((0.1, 0.2), off=off))[1])
    assert [int(row["n"]) for row in rows["V1"]] == [6, 6]
    assert [int(row["minute_ns"]) for row in rows["II"]] == [START_NS]


def test_what_becomes_another_lead_begins_anew():
    """No value of one lead is another's, and the change of lead is no change of ST."""
    made = packets((0.3, 0.0), names=("II", "V1"), seconds=250)
    for packet in made[120:]:
        packet.channels.reverse()
        packet.channels[0] = replace(packet.channels[0], code=mdc.LEADS["V1"])
        packet.channels[1] = replace(packet.channels[1], code=mdc.LEADS["II"])
    events = syn.run(made)[1]
    rows = found(events)
    assert all(row["mean"] == pytest.approx(0.3, abs=TOLERANCE_MV) for row in rows["II"])
    assert all(row["mean"] == pytest.approx(0.0, abs=TOLERANCE_MV) for row in rows["V1"])
    assert not [code for code in syn.codes(events) if 28 <= code <= 35]


def test_a_number_of_such_a_code_that_a_device_sends_is_not_taken_for_ours():
    sent = [Vital("d", 1, START_NS + s * 10**9, mdc.ST_LEADS["II"], 9.0) for s in range(125)]
    bank = Bank()
    events = syn.joined([bank.push(syn.bundle([], sent)), syn.run(packets((0.1, 0.1)), bank)[1]])
    assert max(row["high"] for row in found(events)["II"]) < 1.0


def test_a_minute_of_many_devices_of_twelve_leads_is_written_whole():
    """More rows at once than there is room for at first."""
    made = packets([0.1] * 12, seconds=62, names=mdc.LEADS, high_pass=[0.05] * 12)
    devices = [f"d{n}" for n in range(80)]
    bank = Bank()
    pushed = [bank.push(syn.bundle([replace(p, device=name) for name in devices])) for p in made]
    events = syn.joined(pushed)
    assert set(found(events)) == set(mdc.LEADS)
    of_st = events.trends[np.isin(events.trends["code"], list(mdc.ST_LEADS.values()))]
    assert len(of_st) == 12 * len(devices)

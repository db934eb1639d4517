"""What a bundle gives up, and that all else of it stays as it was."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from devices.tally import Lost
from devices.thinning import Sieve, all_of, with_ecg_only, with_few_numbers
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, PLETH_KIND, RESPIRATION_KIND, Channel, Packet, Vital

NS = 10**9
CODES = {ECG_KIND: mdc.LEADS["II"], PLETH_KIND: mdc.PLETH, RESPIRATION_KIND: mdc.RESP}


def channel(kind: int, rate: float = 100.0, seconds: float = 1.0) -> Channel:
    samples = np.arange(round(rate * seconds)).astype(np.int16)
    return Channel(CODES[kind], kind, 0, rate, 200.0, samples, high_pass=0.5, low_pass=40.0, notch=50.0)


def packet(*kinds: int, device: str = "a", seq: int = 0) -> Packet:
    channels = [channel(kind, 50.0 * (kind + 1)) for kind in kinds]
    return Packet(device, 7, seq, 1000 * seq, 5 + seq * NS, 6, channels, [0, 3])


def bundle(*packets: Packet, vitals: list[Vital] | None = None) -> Bundle:
    return Bundle.of("gw", 9, 77, packets, vitals or [])


def plain(packets: list[Packet]) -> list[object]:
    told = [
        [(c.code, c.kind, c.unit, c.rate, c.gain, c.high_pass, c.samples.tolist()) for c in p.channels]
        for p in packets
    ]
    heads = [(p.device, p.session, p.seq, p.first_sample, p.start_ns, p.received_ns) for p in packets]
    return list(zip(heads, told, [p.pace_marks for p in packets], strict=True))


def test_waves_beside_an_ecg_go_and_the_packet_stays_what_it_is() -> None:
    before = packet(ECG_KIND, PLETH_KIND, ECG_KIND, RESPIRATION_KIND)
    spo2 = Vital("a", 7, 5, mdc.SPO2, 97.0)
    found, lost = with_ecg_only(bundle(before, vitals=[spo2]))
    before.channels = [before.channels[0], before.channels[2]]
    assert plain(list(found.packets())) == plain([before])
    assert list(found.vitals()) == [spo2]
    assert (found.gateway, found.shard, found.created_ns) == ("gw", 9, 77)
    assert lost == Lost(wave_s=1.0)


def test_what_counts_the_samples_of_an_ecg_stays() -> None:
    before = packet(PLETH_KIND, RESPIRATION_KIND, ECG_KIND)
    found, lost = with_ecg_only(bundle(before))
    assert [c.kind for p in found.packets() for c in p.channels] == [PLETH_KIND, ECG_KIND]
    assert lost == Lost(wave_s=1.0)


def test_a_packet_without_ecg_goes_and_one_of_ecg_alone_loses_nothing() -> None:
    found, lost = with_ecg_only(bundle(packet(PLETH_KIND), packet(ECG_KIND, device="b")))
    assert [p.device for p in found.packets()] == found.devices == ["b"]
    assert lost == Lost(wave_s=1.0)
    assert with_ecg_only(found)[1] == Lost()


def test_a_number_a_minute_stays_of_each_device_and_code_and_all_rare_ones() -> None:
    numbers = [
        Vital(device, 7, s * NS, code, float(s))
        for s in range(150)
        for device in "ab"
        for code in (mdc.SPO2, mdc.HEART_RATE, mdc.NIBP_SYS, mdc.TEMPERATURE, mdc.CONSCIOUSNESS)
    ]
    sieve, kept, lost = Sieve(), [], 0
    for at in range(0, len(numbers), 7):
        found, gone = with_few_numbers(bundle(vitals=numbers[at : at + 7]), sieve.keeps)
        kept += list(found.vitals())
        lost += gone.numbers
    for device in "ab":
        for code in (mdc.SPO2, mdc.HEART_RATE):
            assert [v.value for v in kept if (v.device, v.code) == (device, code)] == [0.0, 60.0, 120.0]
        for code in (mdc.NIBP_SYS, mdc.TEMPERATURE, mdc.CONSCIOUSNESS):
            assert len([v for v in kept if (v.device, v.code) == (device, code)]) == 150
    assert lost == len(numbers) - len(kept)


def test_a_clock_that_was_set_back_takes_no_number_away_for_hours() -> None:
    sieve = Sieve()
    assert sieve.keeps(Vital("a", 7, 3600 * NS, mdc.SPO2, 97.0))
    assert sieve.keeps(Vital("a", 7, 10 * NS, mdc.SPO2, 97.0))
    assert not sieve.keeps(Vital("a", 7, 11 * NS, mdc.SPO2, 97.0))


def test_codes_without_end_take_no_memory_without_end() -> None:
    sieve = Sieve()
    for n in range(50_000):
        sieve.keeps(Vital(f"device-{n}", 7, NS, mdc.SPO2, 97.0))
    assert len(sieve._kept_ns) == 20_000


kinds = st.lists(st.sampled_from([ECG_KIND, PLETH_KIND, RESPIRATION_KIND]), min_size=1, max_size=4)
vitals = st.builds(
    Vital,
    st.sampled_from("ab"),
    st.just(7),
    st.integers(0, 200).map(lambda s: s * NS),
    st.sampled_from([mdc.SPO2, mdc.PULSE_RATE, mdc.NIBP_DIA]),
    st.just(97.0),
)


@given(st.lists(kinds, max_size=4), st.lists(vitals, max_size=12))
def test_what_is_lost_and_what_is_left_are_what_there_was(
    packets: list[list[int]], numbers: list[Vital]
) -> None:
    whole = bundle(*(packet(*kinds, seq=seq) for seq, kinds in enumerate(packets)), vitals=numbers)
    few, lost_first = with_few_numbers(whole, Sieve().keeps)
    ecg, lost_then = with_ecg_only(few)
    if ecg.devices:
        assert Bundle.decode(ecg.encode()).encode() == ecg.encode()
    left = all_of(ecg)
    assert left.numbers + lost_first.numbers == all_of(whole).numbers == len(numbers)
    assert left.ecg_s == all_of(whole).ecg_s == sum(ECG_KIND in kinds for kinds in packets)
    # Those that count the samples of the ECG behind them stay.
    assert left.wave_s == sum(kinds[0] != ECG_KIND and ECG_KIND in kinds for kinds in packets)
    losing = [kinds for kinds in packets if ECG_KIND not in kinds or {*kinds[1:]} - {ECG_KIND}]
    assert lost_then == Lost(wave_s=len(losing))

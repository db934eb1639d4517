"""Round trips of every kind of record, and what bad bytes may do: raise BadRecordError, nothing else."""

import contextlib
import dataclasses
import io
import math
import tracemalloc

import numpy as np
import pytest
from fastavro import schemaless_reader
from hypothesis import given
from hypothesis import strategies as st

from schemas import batches, codec, records
from schemas.bundle import Bundle, gather
from schemas.errors import BadRecordError
from schemas.registry import HEADER_BYTES, newest, writer_of

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
times = st.integers(0, 2**62 - 1)
counts = st.integers(0, 2**53 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@st.composite
def channels(draw: st.DrawFn, seconds: float) -> records.Channel:
    rate = draw(st.sampled_from([100.0, 125.0, 250.0, 360.0, 500.0, 1000.0]))
    n = round(rate * seconds)
    seed = draw(st.integers(0, 2**32 - 1))
    samples = np.random.default_rng(seed).integers(-32768, 32768, n).astype(np.int16)
    return records.Channel(
        131330, 0, 0, rate, draw(st.floats(1, 10_000)), samples, draw(finite), lead_off=draw(st.booleans())
    )


@st.composite
def packets(draw: st.DrawFn) -> records.Packet:
    seconds = draw(st.sampled_from([0.2, 0.5, 1.0, 2.0]))
    found = draw(st.lists(channels(seconds), min_size=1, max_size=4))
    marks = draw(st.lists(st.integers(0, found[0].samples.size - 1), max_size=3))
    return records.Packet(
        draw(names), draw(times), draw(counts), draw(counts), draw(times), draw(times), found, marks
    )


vitals = st.builds(records.Vital, names, times, times, st.integers(0, 2**32 - 1), st.floats(allow_nan=False))
limits = st.builds(
    lambda code, a, b: records.Limit(code, min(a, b), max(a, b)), st.integers(0, 2**32 - 1), finite, finite
)
codes = st.text("Az09_-", min_size=1, max_size=32)
facilities = st.lists(codes, min_size=1, max_size=7).map(".".join)
leads = st.lists(st.integers(1, 2**32 - 1), max_size=16).map(tuple)
changes = st.one_of(
    st.builds(records.Association, st.text("PX-0123", max_size=32)),
    st.builds(records.Limits, st.lists(limits, max_size=3).map(tuple)),
    st.builds(records.Settings, st.sampled_from(records.Category), st.booleans()),
    st.builds(records.Enrolled, facilities, leads, st.booleans()),
    st.just(records.BacklogEnd()),
)
controls = st.builds(records.Control, names, names, times, counts, times, names, changes)
evidence = st.dictionaries(names, finite, max_size=4)
conditions = st.builds(
    records.Condition, names, names, names, times, names, st.sampled_from(records.Phase), counts, times,
    counts, times, finite, evidence, times, st.integers(0, 99), counts, st.integers(0, 99), names,
    st.sampled_from(records.Lane),
)  # fmt: skip
alerts = st.builds(
    records.Alert, names, names, names, times, names, st.sampled_from(records.Priority),
    st.sampled_from(records.AlertState), counts, times, counts, times, finite, st.none() | times, evidence,
    times, times, times, st.integers(0, 99), counts, st.none() | times, names, names, facilities,
    st.booleans(), st.none() | times, st.none() | times, names, names, names,
    st.integers(0, 9), st.integers(0, 9),
    st.none() | times,
    st.lists(st.builds(records.Called, st.integers(0, 9), names), max_size=3).map(tuple),
    st.lists(st.builds(records.Turn, times, names, names, names), max_size=3).map(tuple),
)  # fmt: skip
acknowledgements = st.builds(
    records.Acknowledgement, names, names, names, names, times, st.sampled_from(records.Act), finite
)
notifications = st.builds(
    records.Notification, names, names, names, names, st.sampled_from(records.NotificationState),
    st.integers(0, 99), names, times, st.none() | times, st.integers(0, 99), names,
)  # fmt: skip
segments = st.builds(
    records.Segment, names, times, st.sampled_from(records.Lane), counts, times, st.none() | counts,
    st.none() | times, st.sampled_from(records.Start), names, st.integers(0, 99), counts, st.integers(0, 99),
    names,
)  # fmt: skip
snapshots = st.builds(
    records.Snapshot, st.sampled_from(records.SnapshotKind), st.sampled_from(records.Lane), names, times,
    counts, counts, st.integers(0, 99), names, st.binary(max_size=50),
    st.lists(st.binary(max_size=20), max_size=3).map(tuple),
    st.lists(st.binary(max_size=20), max_size=3).map(tuple),
)  # fmt: skip
statuses = st.builds(
    records.GatewayStatus, names, times, st.integers(0, 99), counts, counts, st.none() | times, counts,
    counts, counts, names, counts, finite, finite, counts, st.none() | times,
    st.integers(0, 99),
)  # fmt: skip
digests = st.just(b"") | st.binary(min_size=32, max_size=32)
enrolments = st.builds(
    records.Enrolment, names, st.sampled_from(["bedside monitor", "床旁监护仪", ""]), facilities,
    st.integers(0, 4095), leads, digests, st.sampled_from(["", "CN=dev-1,O=乡卫生院"]), st.booleans(), times,
)  # fmt: skip
refusals = st.builds(
    records.Refusal, names, times, names, names, names, names, counts, st.binary(max_size=16)
)
dead = st.builds(records.DeadLetter, names, st.integers(0, 99), counts, names, st.binary(max_size=50))


def same_packet(a: records.Packet, b: records.Packet) -> bool:
    def plain(p: records.Packet) -> object:
        rows = [dataclasses.asdict(c) | {"samples": c.samples.tolist()} for c in p.channels]
        return repr((dataclasses.replace(p, channels=[]), rows))

    return plain(a) == plain(b)


@given(
    st.one_of(
        vitals,
        controls,
        conditions,
        alerts,
        acknowledgements,
        notifications,
        segments,
        snapshots,
        statuses,
        dead,
        refusals,
        enrolments,
    )
)
def test_rows_come_back_equal(record: codec.Record) -> None:
    assert codec.decode(codec.encode(record)) == record


@given(packets())
def test_packets_come_back_equal(packet: records.Packet) -> None:
    assert same_packet(codec.decode_as(records.Packet, codec.encode(packet)), packet)


@given(st.lists(packets(), max_size=4), st.lists(vitals, max_size=4))
def test_bundles_come_back_equal_in_place_and_readable_by_any_avro_library(
    sent: list[records.Packet], numbers: list[records.Vital]
) -> None:
    raw = codec.encode(Bundle.of("gw", 3, 7, sent, numbers))
    got = codec.decode_as(Bundle, raw)
    assert len(sent) == len(list(got.packets()))
    assert all(same_packet(a, b) for a, b in zip(sent, got.packets(), strict=True))
    assert list(got.vitals()) == numbers
    if got.sample.size:
        assert np.shares_memory(got.sample, np.frombuffer(raw, np.uint8))
    foreign = schemaless_reader(io.BytesIO(raw[HEADER_BYTES:]), newest("Bundle").parsed, None)
    assert isinstance(foreign, dict)
    assert foreign["sample"] == got.sample.tobytes()
    assert foreign["gateway"] == "gw"


@given(st.lists(packets(), min_size=1, max_size=3), st.lists(packets(), min_size=1, max_size=3))
def test_gathered_bundles_hold_the_rows_of_all_in_order(
    first: list[records.Packet], second: list[records.Packet]
) -> None:
    joined = gather([Bundle.of("a", 0, 7, first, []).encode(), Bundle.of("b", 0, 8, second, []).encode()])
    rows = zip(first + second, joined.bundle.packets(), strict=True)
    assert all(same_packet(a, b) for a, b in rows)
    assert joined.created_ns.tolist() == [7, 8]
    assert joined.packets.tolist() == [len(first), len(second)]
    assert joined.devices.sum() == len(joined.bundle.devices)


def test_batches_come_back_as_rows() -> None:
    def column(*values: float) -> np.ndarray:
        return np.array(values)

    beats = batches.Beats(
        1, 2, "v1", ["a", "b"], column(1, 0), column(5, 6), column(10, 11), column(12, 13),
        np.frombuffer(b"NV", np.uint8), column(0.5, math.nan), column(60, 61), column(3, 4),
    )  # fmt: skip
    got = codec.decode_as(batches.Beats, codec.encode(beats))
    rows = list(got.rows())
    assert rows[0] == batches.Beat("b", 5, 10, 12, "N", 0.5, 60.0, 3)
    assert rows[1].code == "V"
    assert math.isnan(rows[1].rr_s)


def an_encoded_bundle() -> bytes:
    lead = records.Channel(131330, 0, 0, 250.0, 200.0, np.arange(250, dtype=np.int16))
    packet = records.Packet("dev-1", 1, 0, 0, 5, 6, [lead, lead], [7])
    return codec.encode(Bundle.of("gw", 0, 1, [packet] * 3, [records.Vital("dev-2", 1, 5, 150456, 97.0)]))


@given(st.data())
def test_damaged_bytes_raise_the_one_error_or_decode(data: st.DataObject) -> None:
    raw = bytearray(an_encoded_bundle())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, min(len(raw) - 1, 400)))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut])):
        try:
            bundle = codec.decode(damaged)
        except BadRecordError:
            continue
        assert isinstance(bundle, Bundle)
        list(bundle.packets())
        list(bundle.vitals())


@given(
    st.sampled_from(
        ["Packet", "Vital", "Control", "Condition", "Alert", "Snapshot", "Beats", "Trends", "Enrolment"]
    ),
    st.binary(),
)
def test_random_bodies_raise_the_one_error_or_decode(name: str, body: bytes) -> None:
    with contextlib.suppress(BadRecordError):
        codec.decode(newest(name).header + body)


@pytest.mark.parametrize("raw", [b"", b"\xc3", b"\xc3\x01" + bytes(8), b"{}" * 20, bytes(10)])
def test_what_is_not_ours_is_told_apart(raw: bytes) -> None:
    with pytest.raises(BadRecordError):
        writer_of(raw)


def test_a_stated_length_of_a_gigabyte_costs_no_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadRecordError, match="bytes"):
            codec.decode(newest("Bundle").header + b"\x80\x80\x80\x80\x08")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


@pytest.mark.parametrize(("shard", "created", "says"), [(2**31, 1, "shard"), (0, 2**63, "created_ns")])
def test_a_number_of_more_bits_than_its_kind_has_is_refused(shard: int, created: int, says: str) -> None:
    text = bytes(1)  # empty: the gateway before, devices and columns behind
    numbers = b"".join(_varint(2 * n) for n in (shard, created))
    with pytest.raises(BadRecordError, match=f"{says} has more than"):
        codec.decode(newest("Bundle").header + text + numbers + text * 40)


def _varint(coded: int) -> bytes:
    out = bytearray()
    while coded > 0x7F:
        out.append(coded & 0x7F | 0x80)
        coded >>= 7
    return bytes([*out, coded])


def good_channel(**change: object) -> records.Channel:
    return dataclasses.replace(records.Channel(131330, 0, 0, 250.0, 200.0, np.zeros(250, np.int16)), **change)  # type: ignore[arg-type]


ABSURD = {
    "no channels": {"channels": []},
    "too many channels": {"channels": [good_channel()] * 33},
    "gain NaN": {"channels": [good_channel(gain=math.nan)]},
    "gain 0": {"channels": [good_channel(gain=0.0)]},
    "gain infinite": {"channels": [good_channel(gain=math.inf)]},
    "offset NaN": {"channels": [good_channel(offset=math.nan)]},
    "rate 0": {"channels": [good_channel(rate=0.0)]},
    "rate NaN": {"channels": [good_channel(rate=math.nan)]},
    "no samples": {"channels": [good_channel(samples=np.zeros(0, np.int16))]},
    "an hour in a packet": {"channels": [good_channel(samples=np.zeros(900_000, np.int16))]},
    "channels of different length": {
        "channels": [good_channel(), good_channel(samples=np.zeros(100, np.int16))]
    },
    "seq below 0": {"seq": -1},
    "seq beyond counting": {"seq": 2**60},
    "time below 0": {"start_ns": -1},
    "device without name": {"device": ""},
    "device with a space": {"device": "a b"},
    "pace mark outside": {"pace_marks": [250]},
}


@pytest.mark.parametrize("change", ABSURD.values(), ids=ABSURD.keys())
def test_absurd_packets_are_refused_on_the_way_in_and_on_the_way_out(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    packet = dataclasses.replace(records.Packet("dev-1", 1, 0, 0, 5, 6, [good_channel()]), **change)  # type: ignore[arg-type]
    with pytest.raises(BadRecordError):
        codec.encode(packet)
    with pytest.raises(BadRecordError):
        Bundle.of("gw", 0, 1, [packet], [])
    # A writer that does not check: the reader must.
    monkeypatch.setattr("schemas.bundle.check_packet", lambda _: None)
    bundle_bytes = Bundle.of("gw", 0, 1, [packet], []).encode()
    with pytest.raises(BadRecordError):
        codec.decode(bundle_bytes)


def test_a_bundle_whose_counts_disagree_is_refused() -> None:
    bundle = codec.decode_as(Bundle, an_encoded_bundle())
    short = dataclasses.replace(bundle, sample=bundle.sample[:-1])
    wrong_device = dataclasses.replace(bundle, packet=bundle.packet._replace(device=bundle.packet.device + 9))
    no_channel = dataclasses.replace(
        bundle, packet=bundle.packet._replace(channels=bundle.packet.channels * 0)
    )
    for broken in (short, wrong_device, no_channel):
        with pytest.raises(BadRecordError):
            codec.decode(broken.encode())
        with pytest.raises(BadRecordError):
            gather([bundle.encode(), broken.encode(), bundle.encode()])


def test_counts_of_one_bundle_are_not_made_good_by_another() -> None:
    bundle = codec.decode_as(Bundle, an_encoded_bundle())
    short = dataclasses.replace(bundle, sample=bundle.sample[:-1])
    long = dataclasses.replace(bundle, sample=np.append(bundle.sample, bundle.sample[:1]))
    with pytest.raises(BadRecordError, match="sample counts"):
        gather([short.encode(), long.encode()])


def test_a_control_with_limits_upside_down_is_refused() -> None:
    change = records.Limits((records.Limit(147842, 120.0, 50.0),))
    with pytest.raises(BadRecordError):
        codec.encode(records.Control("x", "dev", 0, 0, 0, "ops", change))


def an_enrolment(**change: object) -> records.Enrolment:
    whole = records.Enrolment(
        "dev-1", "monitor", "intl.cn.henan", 9, (131330,), bytes(32), "CN=dev-1", disabled=False, changed_ns=5
    )
    return dataclasses.replace(whole, **change)  # type: ignore[arg-type]


PLACES = {
    "no facility": {"facility": ""},
    "a facility with a space": {"facility": "cn.he nan"},
    "an empty code": {"facility": "cn..henan"},
    "a code with a line feed": {"facility": "cn\n"},
    "a Chinese code": {"facility": "cn.河南"},
    "a code of 33": {"facility": "x" * 33},
    "8 levels": {"facility": ".".join("12345678")},
    "17 leads": {"leads": (131330,) * 17},
    "lead 0": {"leads": (0,)},
    "a lead below 0": {"leads": (-131330,)},
}
ABSURD_ENROLMENTS = PLACES | {
    "a device with a space": {"device": "dev 1"},
    "shard 4096": {"shard": 4096},
    "shard below 0": {"shard": -1},
    "half a digest": {"key_digest": bytes(16)},
    "a kind of two lines": {"kind": "a\nb"},
    "a kind of 10 kB": {"kind": "x" * 10_000},
    "a subject of 10 kB": {"certificate_subject": "x" * 10_000},
    "a time below 0": {"changed_ns": -1},
}


def refused_both_ways(record: codec.Record, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadRecordError) as refused:
        codec.encode(record)
    assert len(str(refused.value)) < 200
    with monkeypatch.context() as unchecked:  # a writer that does not check: the reader must
        unchecked.setattr("schemas.codec.check_control", lambda _: None)
        unchecked.setattr("schemas.codec.check_enrolment", lambda _: None)
        raw = codec.encode(record)
    with pytest.raises(BadRecordError):
        codec.decode(raw)


@pytest.mark.parametrize("change", ABSURD_ENROLMENTS.values(), ids=ABSURD_ENROLMENTS.keys())
def test_absurd_enrolments_are_refused_both_ways(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused_both_ways(an_enrolment(**change), monkeypatch)


@pytest.mark.parametrize("change", PLACES.values(), ids=PLACES.keys())
def test_absurd_controls_of_enrolment_are_refused_both_ways(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled = dataclasses.replace(records.Enrolled("cn.henan", (), disabled=False), **change)  # type: ignore[arg-type]
    refused_both_ways(records.Control("x", "dev", 0, 0, 0, "ops", enrolled), monkeypatch)

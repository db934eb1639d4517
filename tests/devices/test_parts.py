"""What a record holds of whom is told, kept as text, and taken out again unchanged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.backlog import Numbers, Part, Run
from devices.parts import from_text, only, parts_of, to_text
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import Channel, Packet, Vital

rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 2), st.integers(0, 9), st.booleans()), max_size=12
)


def made(given_rows: list[tuple[str, int, int, bool]]) -> Bundle:
    packets, vitals = [], []
    for device, session, n, is_packet in given_rows:
        # Channel 0 at 125 Hz, the other at 250 Hz: samples count at the rate of channel 0.
        waves = [
            Channel(mdc.ECG, 0, 0, rate, 200.0, np.full(int(rate), n, np.int16)) for rate in (125.0, 250.0)
        ]
        if is_packet:
            packets.append(Packet(device, session, n, n * 125, n, n, waves, [n]))
        else:
            vitals.append(Vital(device, session, n, mdc.SPO2 + n, 97.0))
    return Bundle.of("gw", 3, 5, packets, vitals)


def test_runs_and_numbers_are_told_apart_by_session() -> None:
    bundle = made(
        [("a", 1, 3, True), ("a", 1, 4, True), ("b", 1, 7, False), ("a", 2, 0, True), ("a", 2, 1, False)]
    )
    assert parts_of(bundle) == [
        Part(
            "a",
            (Run(1, 2, 3, 4, 375, 3.0, 5.0), Run(2, 1, 0, 0, 0, 0.0, 1.0)),
            (Numbers(2, 1, 1, mdc.SPO2 + 1),),
        ),
        Part("b", (), (Numbers(1, 1, 7, mdc.SPO2 + 7),)),
    ]


@given(rows)
def test_text_tells_the_same(given_rows: list[tuple[str, int, int, bool]]) -> None:
    parts = parts_of(made(given_rows))
    assert from_text(to_text(parts)) == parts
    assert sum(run.packets for part in parts for run in part.runs) == sum(r[3] for r in given_rows)
    assert sum(n.vitals for part in parts for n in part.numbers) == sum(not r[3] for r in given_rows)


@given(rows, st.sets(st.sampled_from("abc")))
def test_what_is_taken_out_is_unchanged_and_nothing_else_is(
    given_rows: list[tuple[str, int, int, bool]], devices: set[str]
) -> None:
    whole = made(given_rows)
    taken = Bundle.decode(only(whole, devices).encode())
    assert (taken.gateway, taken.shard, taken.created_ns) == ("gw", 3, 5)
    wanted = [p for p in whole.packets() if p.device in devices]
    for got, was in zip(taken.packets(), wanted, strict=True):
        assert repr(got) == repr(was)
    assert list(taken.vitals()) == [v for v in whole.vitals() if v.device in devices]


@pytest.mark.parametrize("text", ["[]", '[["d",[],[[1,2,3,4]]]]'])
def test_text_may_hold_little(text: str) -> None:
    assert to_text(from_text(text)) == text

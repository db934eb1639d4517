"""What a child says of a file becomes the source again, or an error, whatever it says."""

import json
import math
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.files.content import MAX_SAMPLES
from devices.files.wire import head_of, sizes, source_of
from devices.source import Session, Source, Wave
from schemas.records import ECG_KIND
from schemas.units import MILLIVOLT

numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.one_of(st.just(math.nan), st.floats(0.01, 1000))
words = st.text(max_size=20)


@st.composite
def waves(draw: st.DrawFn, size: int, rate: float) -> Wave:
    samples = draw(st.lists(st.integers(-32768, 32767), min_size=size, max_size=size))
    off = draw(st.lists(st.tuples(numbers, numbers), max_size=2))
    return Wave(
        draw(words), draw(st.integers(0, 2**32 - 1)), ECG_KIND, MILLIVOLT, rate, draw(st.floats(1e-9, 1e12)),
        np.array(samples, np.int16), draw(numbers), draw(maybe), draw(maybe), draw(maybe), tuple(off),
    )  # fmt: skip


@st.composite
def sources(draw: st.DrawFn) -> Source:
    size, rate = draw(st.integers(0, 20)), draw(st.floats(0.01, 50_000))
    found = draw(st.lists(waves(size, rate), min_size=1, max_size=4))
    left_out, start = draw(st.lists(words)), draw(st.none() | st.integers(0, 2**62))
    return Source(
        "d",
        1,
        draw(words),
        simulated=False,
        sessions=(Session(tuple(found)),),
        left_out=tuple(left_out),
        start_ns=start,
    )


def told(source: Source) -> tuple[bytes, list[bytes]]:
    return head_of(source), [w.samples.astype("<i2").tobytes() for w in source.sessions[0].waves]


@given(sources())
@settings(max_examples=50)
def test_a_source_comes_through(source: Source) -> None:
    head, samples = told(source)
    assert sizes(head) == [len(part) for part in samples]
    again = source_of(head, samples, "d", 1)
    assert told(again) == (head, samples)
    assert repr(again) == repr(source)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
_ONE = Session((Wave("I", 1, 0, 0, 500.0, 200.0, np.zeros(2, np.int16)),))
_HEAD = json.loads(head_of(Source("", 0, "", simulated=False, sessions=(_ONE,))))


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    head: dict[str, Any] = json.loads(json.dumps(_HEAD))
    where = draw(st.sampled_from([head, head["waves"][0]]))
    where[draw(st.sampled_from(sorted(where)))] = draw(anything)
    return json.dumps(head).encode()


@given(st.binary() | spoilt() | anything.map(lambda value: json.dumps(value).encode()), st.lists(st.binary()))
@settings(max_examples=200)
def test_whatever_is_said_a_source_comes_of_it_or_an_error(head: bytes, samples: list[bytes]) -> None:
    for attempt in (lambda: sizes(head), lambda: source_of(head, samples or [b"\0" * 4], "d", 0)):
        with suppress(MessageError):
            attempt()


@pytest.mark.parametrize(
    "head",
    [
        b"[" * 100_000,
        json.dumps({"waves": [{"samples": MAX_SAMPLES + 1}]}).encode(),
        json.dumps({"waves": [{"samples": -1}]}).encode(),
        json.dumps({"waves": [{"samples": 1}] * 33}).encode(),
    ],
    ids=["deep", "long", "negative", "many"],
)
def test_what_is_said_to_follow_is_bounded(head: bytes) -> None:
    with pytest.raises(MessageError):
        sizes(head)

"""Messages come out of a connection as they went in, however they were cut; nothing grows without bound."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.hl7.mllp import END, START, Frames, framed

contents = st.binary(max_size=60).filter(lambda b: START not in b and END not in b)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(at)]


@given(st.lists(st.tuples(contents, contents), max_size=5), contents, st.lists(st.integers(0, 10**6)))
def test_messages_come_out_however_they_were_cut(
    sent: list[tuple[bytes, bytes]], junk: bytes, cuts: list[int]
) -> None:
    frames, found = Frames(), list[bytes]()
    stream = b"".join(between + framed(message) for between, message in sent) + junk
    for part in cut(stream, cuts):
        found += frames.feed(part)
    assert found == [message for _, message in sent]
    assert frames.junk == sum(len(between) for between, _ in sent) + len(junk)


@given(st.binary(max_size=400), st.lists(st.integers(0, 400)))
def test_any_bytes_give_the_same_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    whole, parts = Frames(max_bytes=50), Frames(max_bytes=50)

    def fed(frames: Frames, chunks: list[bytes]) -> tuple[list[bytes], bool]:
        found = list[bytes]()
        try:
            for chunk in [*chunks, b""]:
                found += frames.feed(chunk)
        except MessageError:
            return found, True
        return found, False

    once, often = fed(whole, [data]), fed(parts, cut(data, cuts))
    assert once == often
    if not once[1]:
        assert whole.junk == parts.junk


def test_a_frame_that_begins_anew_is_the_new_one() -> None:
    frames = Frames()
    assert frames.feed(START + b"half" + framed(b"whole")) == [b"whole"]
    assert frames.junk == len(b"half")


def test_a_frame_may_be_as_long_as_is_said_and_no_longer() -> None:
    assert Frames(max_bytes=4).feed(framed(b"four")) == [b"four"]
    with pytest.raises(MessageError, match="more than 4 bytes"):
        Frames(max_bytes=4).feed(framed(b"five!"))


def test_a_frame_without_end_is_refused_before_it_is_held() -> None:
    frames = Frames(max_bytes=1000)
    frames.feed(START + b"x" * 900)
    with pytest.raises(MessageError):
        frames.feed(b"x" * 200)
    with pytest.raises(MessageError):
        frames.feed(framed(b"what follows"))


def test_what_was_whole_comes_before_the_error() -> None:
    frames = Frames(max_bytes=4)
    assert frames.feed(framed(b"one") + START + b"too long") == [b"one"]
    with pytest.raises(MessageError):
        frames.feed(b"")


def test_junk_is_counted_and_not_held() -> None:
    frames = Frames(max_bytes=4)
    for _ in range(1000):
        assert frames.feed(b"junk") == []
    assert frames.junk == 4000

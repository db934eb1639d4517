"""Episodes that lasted, against cases made by hand."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ecgstream.evaluate.episodes import Episodes, compare, merged, overlap

spans = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(1, 100)).map(lambda s: (s[0], s[0] + s[1])), max_size=12
)


def test_any_part_of_an_episode_finds_it() -> None:
    found = compare([(100, 200), (400, 500)], [(190, 260), (700, 800)], 10.0)
    assert found == Episodes(hit=1, missed=1, right=1, false=1, both=1.0, annotated=20.0, found=17.0)


def test_what_is_excused_is_not_false_and_takes_no_time() -> None:
    found = compare([(100, 200)], [(100, 200), (300, 330)], 10.0, excused=[(310, 320)])
    assert (found.right, found.false, found.found) == (1, 0, 10.0)


def test_one_long_finding_over_two_episodes_finds_both() -> None:
    found = compare([(100, 200), (250, 300)], [(90, 310)], 10.0)
    assert (found.hit, found.missed, found.right, found.false) == (2, 0, 1, 0)


def test_what_is_near_is_one() -> None:
    assert merged([(0, 10), (15, 20), (31, 40)], gap=10) == [(0, 20), (31, 40)]


@given(spans)
def test_merged_spans_are_apart_and_cover_the_same(given_spans: list[tuple[int, int]]) -> None:
    found = merged(given_spans)
    assert all(a[1] < b[0] for a, b in pairwise(found))
    covered = {k for a, b in given_spans for k in range(a, b)}
    assert covered == {k for a, b in found for k in range(a, b)}


@given(spans, spans)
def test_both_say_so_in_no_more_than_either(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    a, b = merged(one), merged(other)
    found = compare(a, b, 1.0)
    assert found.both <= min(found.annotated, found.found)
    assert (found.hit == 0) == (found.right == 0) == (not overlap(a, b))

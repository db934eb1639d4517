"""What the fuzz is made of, in small: `make fuzz` and tests/system/test_fuzz.py try it for long."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutators import BINARY, DISK, JSON, REQUESTS, SEGMENTS, XML, mutated
from tests.fuzz.target import MODULES, NAMES, load

# As with all of ours in ``make test``, few; of files, of which each takes as long as many frames, fewer.
EXAMPLES = 15
WAYS = sorted({*BINARY, *DISK, *JSON, *XML, *SEGMENTS, *REQUESTS}, key=lambda way: way.__name__)


def test_each_module_has_the_targets_that_it_is_listed_with() -> None:
    for names in MODULES.values():
        assert list(load(names)) == list(names)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_right_goes_through(name: str) -> None:
    target = load([name])[name]
    for seed in target.seeds():
        target.run(seed)


@pytest.mark.parametrize("name", NAMES)
@given(number=st.integers(0, 2**32 - 1))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_has_gone_wrong_raises_nothing_but_what_it_may(name: str, number: int) -> None:
    target = load([name])[name]
    chance, seeds = Random(number), list(target.seeds())  # noqa: S311
    target.run(mutated(chance, chance.choice(seeds), seeds, target.ways, target.most))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@given(st.integers(0, 2**32 - 1), st.binary(max_size=100), st.binary(max_size=100))
def test_a_mutator_takes_any_bytes_and_stays_within_the_bound(
    way: object, number: int, data: bytes, other: bytes
) -> None:
    made = mutated(Random(number), data, [other], [way], 1000)  # type: ignore[list-item]  # noqa: S311
    assert isinstance(made, bytes)
    assert len(made) <= 1000

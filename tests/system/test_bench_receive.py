"""The bench of the receiving gateway in small: both gateways take all that they are sent."""

from __future__ import annotations

import pytest

from ecgstream.bench import receive


def test_both_gateways_take_what_is_sent() -> None:
    said: list[str] = []
    found = receive.run(said.append, share=0.05)
    assert [line.split()[1].rstrip(":") for line in said] == [*found]
    assert found["mllp"]["units"] == 200
    for figures in found.values():
        assert figures["us"] > 0
        assert figures["acknowledging_us"] > 0
        assert figures["us"] == pytest.approx(sum(figures["parts_us"].values()), rel=0.01)

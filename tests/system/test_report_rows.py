"""Rows of reports before a real database: of which kind one is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecgstream.monitor.read import reports
from ecgstream.registry.roles import role_of
from ecgstream.reports.kind import Kind
from ecgstream.store.connection import connect
from tests.system.consulting_world import SINCE, Village
from tests.system.test_consultation import village

__all__ = ["village"]


def test_a_report_is_of_the_kind_that_it_was_made_as_however_long_it_is(village: Village) -> None:
    """And none of another kind amends it."""
    short = {"since": SINCE, "until": SINCE + timedelta(seconds=11)}
    of_stretch = village.report("qian", **short)
    resting = village.report("qian", **short, kind=Kind.RESTING, signed=False)
    with pytest.raises(AssertionError, match="amended"):
        village.report("qian", **short, kind=Kind.RESTING, amends=of_stretch)
    newer = village.report("qian", **short, amends=of_stretch)
    with connect(village.url, role=role_of(village.account("qian"))) as reader:
        kinds = {row.report: row.kind for row in reports.of_patient(reader, "P-1")}
        kept = reports.kept(reader, resting)
    assert kinds == {of_stretch: Kind.STRETCH, newer: Kind.STRETCH, resting: Kind.RESTING}
    assert kept is not None
    assert kept.kind is Kind.RESTING

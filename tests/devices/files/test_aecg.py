"""HL7 aECG whose rhythm series has several sequence sets, of other makers than us."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from devices.errors import MessageError
from devices.files.read import read
from devices.source import Source
from schemas.records import MISSING
from tests.devices.files import markup
from tests.devices.files.ecg import START_NS, twelve_leads

LEFT_OUT = "sequence sets that do not fit the first"
RATE = 500


class Table(NamedTuple):
    """A sequence set: its leads' samples, and the attributes of its time."""

    leads: dict[str, list[int]]
    head: str
    kind: str = "TIME_RELATIVE"
    step_ms: float = 1000 / RATE
    scale: float = 5.0


def got(folder: Path, tables: Sequence[Table]) -> Source:
    """Read a document with these sequence sets, and all else as the made file has it."""
    content = markup.aecg(twelve_leads(seconds=1.0)).decode()
    before, rest = content.split("<component><sequenceSet>")
    _, behind = rest.split("</sequenceSet></component>")
    path = folder / "several.xml"
    path.write_text(before + "".join(map(_component, tables)) + behind)
    return read(path, device="cart-1", shard=0)


def _component(table: Table) -> str:
    leads = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{name.upper()}"/><value xsi:type="SLIST_PQ">'
        f'<origin value="0" unit="uV"/><scale value="{table.scale}" unit="uV"/>'
        f"<digits>{' '.join(map(str, samples))}</digits></value></sequence></component>"
        for name, samples in table.leads.items()
    )
    kind, unit = ("GLIST_PQ", 'unit="ms"') if table.kind == "TIME_RELATIVE" else ("GLIST_TS", "")
    return (
        f'<component><sequenceSet><component><sequence><code code="{table.kind}"/><value xsi:type="{kind}">'
        f'<head value="{table.head}" {unit}/><increment value="{table.step_ms}" unit="ms"/></value>'
        f"</sequence></component>{leads}</sequenceSet></component>"
    )


def waves(source: Source) -> dict[str, list[int]]:
    return {wave.name: wave.samples.tolist() for wave in source.sessions[0].waves}


def test_twelve_leads_of_a_cart_that_takes_three_at_a_time(tmp_path: Path) -> None:
    ecg = twelve_leads(seconds=1.0)
    names = list(ecg.leads)
    tables = [
        Table({name: ecg.leads[name].tolist() for name in names[n : n + 3]}, str(n // 3 * 1000))
        for n in range(0, 12, 3)
    ]
    source = got(tmp_path, tables)
    assert source.left_out == ()
    assert source.start_ns == START_NS
    found = waves(source)
    assert list(found) == names
    for number, (name, samples) in enumerate(found.items()):
        expected = np.full(4 * RATE, MISSING)
        begin = number // 3 * RATE
        expected[begin : begin + RATE] = ecg.leads[name]
        assert samples == expected.tolist()


def test_what_was_lost_in_the_midst_is_missing(tmp_path: Path) -> None:
    ecg = twelve_leads(seconds=1.0)
    path = tmp_path / "gap.xml"
    path.write_bytes(markup.aecg(ecg, lost=100))
    found = waves(read(path, device="cart-1", shard=0))
    for name, samples in ecg.leads.items():
        assert found[name] == [*samples[:250], *[MISSING] * 100, *samples[350:]]


def test_sequence_sets_need_not_be_in_order_of_time(tmp_path: Path) -> None:
    at = "20260329093015.{}+0200"
    tables = [
        Table({"II": [4, 5]}, at.format("010"), "TIME_ABSOLUTE"),
        Table({"II": [1, 2], "V1": [3, 4]}, at.format("000"), "TIME_ABSOLUTE"),
    ]
    assert waves(got(tmp_path, tables)) == {
        "II": [1, 2, MISSING, MISSING, MISSING, 4, 5],
        "V1": [3, 4, *[MISSING] * 5],
    }


@pytest.mark.parametrize(
    "other",
    [
        Table({"II": [4, 5]}, "10", step_ms=4.0),
        Table({"II": [4, 5]}, "10", scale=2.5),
        Table({"II": [4, 5]}, "2"),
        Table({"II": [4, 5]}, "later"),
        Table({"II": [4, 5]}, "20260329093016.000+0200", "TIME_ABSOLUTE"),
    ],
    ids=["another rate", "another scale", "at the same time", "no time", "by another clock"],
)
def test_what_does_not_fit_the_first_is_left_out_and_said(other: Table, tmp_path: Path) -> None:
    source = got(tmp_path, [Table({"II": [1, 2], "V1": [3, 4]}, "0"), other])
    assert waves(source) == {"II": [1, 2], "V1": [3, 4]}
    assert source.left_out == (LEFT_OUT,)


def test_the_first_decides_which_clock_counts(tmp_path: Path) -> None:
    absolute = Table({"II": [1, 2]}, "20260329093015.000+0200", "TIME_ABSOLUTE")
    source = got(tmp_path, [absolute, Table({"II": [4, 5]}, "0")])
    assert waves(source) == {"II": [1, 2]}
    assert source.left_out == (LEFT_OUT,)


def test_where_no_time_is_told_the_first_is_read(tmp_path: Path) -> None:
    source = got(tmp_path, [Table({"II": [1, 2]}, "?"), Table({"II": [3, 4]}, "?")])
    assert waves(source) == {"II": [1, 2]}
    assert source.left_out == (LEFT_OUT,)


def test_years_between_two_samples_take_no_memory(tmp_path: Path) -> None:
    tables = [Table({"II": [1]}, f"{year}0329093015.000+0200", "TIME_ABSOLUTE") for year in (1926, 2026)]
    with pytest.raises(MessageError, match="more than 268435456 samples"):
        got(tmp_path, tables)

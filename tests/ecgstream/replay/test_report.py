"""The report: one file that loads and runs nothing, whatever names are in it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from ecgstream.replay.report import OfDevice, Told, page
from ecgstream.replay.source import Stretch

TOLD = Told(Stretch(0, 60 * 10**9), "2.0", "limits as they were")
EVIL = "<script>alert(1)</script>"


def alert(onset_s: int, condition: str = "ASYSTOLE") -> dict[str, Any]:
    ns = onset_s * 10**9
    values = {"onset_ns": ns, "decided_ns": ns + 4 * 10**9, "onset_sample": 0, "decided_sample": 0}
    return {**values, "condition": condition, "priority": "HIGH", "patient": "", "session": 1}


def test_what_appears_vanishes_and_moves() -> None:
    then = {("a",): alert(10), ("b",): alert(20, "VENTRICULAR_FIBRILLATION")}
    now = {("c",): alert(12), ("d",): alert(30, "APNOEA")}
    found = page(
        [OfDevice("mon-1", frozenset({"1.9"}), then, now, 3)], TOLD, lambda *_: "data:image/png;base64,AA=="
    )
    told = re.findall(r'<span class="what">(\w+)</span>', found)
    assert told == ["moves", "vanishes", "appears"]
    assert "2.0 s later" in found
    assert found.count("<img ") == 3
    assert re.search(
        r"mon-1</td>\s*" + r'<td class="n">2</td><td class="n">2</td><td class="n">1</td>' * 1, found
    )


def test_it_runs_nothing() -> None:
    now = {("a",): alert(1, EVIL)}
    found = page([OfDevice(EVIL, frozenset({EVIL}), {}, now, 0)], TOLD, lambda *_: "")
    assert "<script" not in found
    assert "No ECG is stored around it" in found
    (style,) = re.findall(r"<style>(.*?)</style>", found, re.DOTALL)
    hashed = b64encode(sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'sha256-{hashed}'" in found


def test_where_all_is_the_same() -> None:
    same = {("a",): alert(1)}
    found = page([OfDevice("mon-1", frozenset({"2.0"}), same, same, 0)], TOLD, lambda *_: "")
    assert "No alert appears, vanishes or moves." in found

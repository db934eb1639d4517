"""The tape of the ECG page, in a real browser: what came live and what is stored, joined sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from ecgstream.monitor.app import make_app
from tests.ecgstream.web.served import served


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    with served(make_app([])) as client:
        found = chromium.new_page()
        found.goto(f"{client.base_url}/static/tape.js")
        yield found
        found.close()


def ran(page: Page, script: str, *given: Any) -> Any:
    """What a script returns."""
    return page.evaluate("async given => { " + script + " }", list(given))


JOINED = """
const {Tape, MISSING} = await import("/static/tape.js");
let seed = 7;
const chance = n => (seed = (seed * 48271) % 2147483647) % n;
const wave = (first, n, rate = 250) => ({
  first, rate, code: 131330, channel: 0, kind: 0, gain: 200, offset: 0, isOff: false,
  samples: Int16Array.from({length: n}, (_, i) => first + i),
});
const wrong = [];
for (let turn = 0; turn < 200; turn++) {
  const tape = new Tape(), known = new Set(), cuts = [];
  // Live: packets of any length, each perhaps lost, perhaps twice. Stored: windows, in any order.
  for (let at = chance(3000); at < 12000;) {
    const n = 1 + chance(400);
    if (chance(5)) for (let again = chance(2); again >= 0; again--) tape.take(1, [wave(at, n)], 250, 1e12);
    if (tape.endMs === 1e12 + (at + n) * 4) for (let i = at; i < at + n; i++) known.add(i);
    at += n;
  }
  for (let at = 0; at < 9000;) { const n = 1 + chance(2500); cuts.push([at, n]); at += n; }
  for (const [at, n] of cuts.sort(() => chance(3) - 1)) {
    if (!chance(6)) continue;
    tape.take(1, [wave(at, n)], 250, 1e12 + chance(9) - 4, at);
    for (let i = at; i < at + n; i++) known.add(i);
  }
  const found = [];
  tape.each("131330", 1e12, 1e12 + 50000, (piece, begin, stop) => {
    for (let i = begin; i < stop; i++) found.push(piece.samples[i - piece.first] === i ? i : -1);
  });
  const expected = [...known].sort((a, b) => a - b);
  if (found.join() !== expected.join()) wrong.push(turn);
}
return wrong;"""


def test_what_is_live_and_what_is_stored_join_sample_by_sample_however_they_are_cut(page: Page) -> None:
    assert ran(page, JOINED) == []


ODD = """
const {Tape} = await import("/static/tape.js");
const wave = (first, level, more) => ({
  first, rate: 250, code: 131328, channel: 0, kind: 0, gain: 200, offset: 0, isOff: false,
  samples: new Int16Array(250).fill(level), ...more,
});
const odd = new Tape(), mv = (key, from, to) => {
  const found = new Set();
  odd.each(key, from, to, (piece, begin, stop) => {
    for (let i = begin; i < stop; i++) found.add(piece.samples[i - piece.first] / piece.gain);
  });
  return [...found];
};
// Two leads without a name; the gain changes within the session; then the device's clock is set back.
odd.take(1, [wave(0, 200), wave(0, 400, {channel: 1})], 250, 1e12);
odd.take(1, [wave(250, 400, {gain: 400}), wave(250, 800, {channel: 1, gain: 400})], 250, 1e12);
odd.take(2, [wave(0, 600)], 250, 1e12 + 1500);
return [odd.leads(0, 2e12).map(lead => lead.key), odd.changes(0, 2e12), mv("131328:0", 0, 1e12 + 1490),
  mv("131328:0", 1e12 + 1500, 2e12), mv("131328:1", 0, 2e12), odd.holes("131328:1", 1e12, 1e12 + 3000)];"""


def test_odd_signals_are_each_drawn_in_their_place(page: Page) -> None:
    leads, changes, before, behind, second, holes = ran(page, ODD)
    assert leads == ["131328:0", "131328:1"]
    assert changes == [[1e12 + 1000, ["gain"]], [1e12 + 1500, ["session", "leads"]]]
    assert (before, behind, second) == (
        [1],
        [3],
        [2],
    )  # a session that has begun hides what one before it says
    assert holes == [[pytest.approx(1e12 + 1500, rel=0, abs=8), 1e12 + 3000]]


KEPT = """
const {Tape, LIVE_MS} = await import("/static/tape.js");
const wave = second => ({
  first: 250 * second, rate: 250, code: 131330, channel: 0, kind: 0, gain: 200, offset: 0, isOff: false,
  samples: new Int16Array(250),
});
const tape = new Tape(), most = [];
for (let second = 0; second < 1000; second++) {
  tape.take(1, [wave(second)], 250, 1e12);
  tape.keep(new Map(), 1e12 + 10_000, 1e12 + 20_000);
  most.push(tape.sessions[0].tracks.get("131330").pieces.length);
}
return [Math.max(...most) - LIVE_MS / 1000, tape.holes("131330", 1e12 + 10_000, 1e12 + 20_000)];"""


def test_of_what_came_live_two_minutes_are_kept_and_what_stands_on_the_paper(page: Page) -> None:
    assert ran(page, KEPT) == [10, []]


def test_a_time_is_typed_in_the_zone_of_the_place_also_where_clocks_change(page: Page) -> None:
    script = 'const {msIn} = await import("/static/zone.js"); return given.map(([t, z]) => msIn(t, z));'
    times = (
        ("2026-03-05T16:04:09", "Asia/Shanghai"),
        ("2026-10-25T01:30", "Europe/Berlin"),
        ("2026-10-25T03:30", "Europe/Berlin"),
    )
    expected = ["2026-03-05T08:04:09+00:00", "2026-10-24T23:30:00+00:00", "2026-10-25T02:30:00+00:00"]
    found = ran(page, script, *times)
    assert [datetime.fromtimestamp(ms / 1000, UTC).isoformat() for ms in found] == expected

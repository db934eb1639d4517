"""The report of differences: a page in one file, which loads nothing and runs nothing."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from jinja2 import Environment

from alerts.page import condition_text
from ecgstream.replay.device import Replayed
from ecgstream.replay.findings import Key, Values
from ecgstream.replay.source import Stretch
from ecgstream.replay.turns import APPEARS, MOVES, VANISHES, Turn, turns

MOST_STRIPS = 200
"""More make a file that is slow to open; the rest is told without."""

StripOf = Callable[[str, Values], str]
"""Gives the strip of an alert of a device, as a URL that holds it; empty: there is none."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .25rem .8rem; border-bottom: 1px solid #d0d7de; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
section { border-top: 2px solid #57606a; margin-top: 1.5rem; break-inside: avoid; }
img { max-width: 100%; }
.what { font-weight: 600; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src '{{ hash }}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Replay: what becomes of alerts</title>
<style>{{ style }}</style>
</head>
<body>
<h1>Replay: what becomes of alerts</h1>
<p>{{ since }} to {{ until }}, by the devices' clocks.
Then: detectors {{ versions }}, as stored. Now: detectors {{ installed }}, {{ settings }}.</p>
<table>
<tr><th>device</th><th>alerts then</th><th>now</th><th>appear</th><th>vanish</th><th>move</th>
<th>other differences</th></tr>
{% for row in rows -%}
<tr><td>{{ row.device }}</td>{% for n in row.counts %}<td class="n">{{ n }}</td>{% endfor %}</tr>
{% endfor -%}
</table>
{% if not changes %}<p>No alert appears, vanishes or moves.</p>{% endif %}
{% for one in changes -%}
<section>
<h2>{{ one.device }}: {{ one.condition }} <span class="what">{{ one.what }}</span></h2>
<p>{{ one.priority }} priority, onset {{ one.onset }}, decided {{ one.decided }}{{ one.moved }}</p>
{% if one.strip %}<img src="{{ one.strip }}" alt="ECG, some seconds around {{ one.onset }}">
{% elif one.strip is none %}<p>Not drawn: more alerts differ than are drawn.</p>
{% else %}<p>No ECG is stored around it.</p>{% endif %}
</section>
{% endfor -%}
</body>
</html>
"""


class Told(NamedTuple):
    """What a report says of the whole.

    Attributes:
        stretch: which was replayed.
        installed: version of the detectors that replayed it.
        settings: which limits and settings it went by, in words.
    """

    stretch: Stretch
    installed: str
    settings: str


class OfDevice(NamedTuple):
    """What a report says of a device.

    Attributes:
        device: its name.
        versions: of the detectors that found what is stored.
        then, now: alerts, as ``findings`` have them.
        others: how many other findings differ.
    """

    device: str
    versions: frozenset[str]
    then: Mapping[Key, Values]
    now: Mapping[Key, Values]
    others: int

    @classmethod
    def of(cls, replayed: Replayed) -> "OfDevice":
        """Return what is said of what came of a replay."""
        others = sum(difference.kind != "alert" for difference in replayed.differences)
        versions = frozenset(segment.version for segment in replayed.ran)
        return cls(replayed.device, versions, replayed.then.alerts, replayed.now.alerts, others)


def page(found: Sequence[OfDevice], told: Told, strip_of: StripOf) -> str:
    """Return the report of some devices; whatever it names is escaped."""
    changed = [(one.device, turn) for one in found for turn in turns(one.then, one.now)]
    changes = [
        _change(device, turn, strip_of(device, turn.alert) if n < MOST_STRIPS else None)
        for n, (device, turn) in enumerate(changed)
    ]
    versions = ", ".join(sorted(frozenset().union(*(one.versions for one in found))))
    hashed = b64encode(sha256(_STYLE.encode()).digest()).decode("ascii")
    return (
        Environment(autoescape=True)
        .from_string(_PAGE)
        .render(
            style=_STYLE,
            hash=f"sha256-{hashed}",
            since=_at(told.stretch.since_ns),
            until=_at(told.stretch.until_ns),
            versions=versions,
            installed=told.installed,
            settings=told.settings,
            rows=[_row(one, [turn for device, turn in changed if device == one.device]) for one in found],
            changes=changes,
        )
    )


def _row(one: OfDevice, changed: Sequence[Turn]) -> dict[str, object]:
    counts = [sum(turn.what == what for turn in changed) for what in (APPEARS, VANISHES, MOVES)]
    return {"device": one.device, "counts": [len(one.then), len(one.now), *counts, one.others]}


def _change(device: str, turn: Turn, strip: str | None) -> dict[str, str | None]:
    values = turn.alert
    moved = f": {abs(turn.later_s):.1f} s {'later' if turn.later_s > 0 else 'earlier'}"
    return {
        "device": device,
        "what": turn.what,
        "condition": condition_text(values["condition"]),
        "priority": values["priority"].lower(),
        "onset": _at(values["onset_ns"]),
        "decided": _at(values["decided_ns"]),
        "moved": moved if turn.what == MOVES else "",
        "strip": strip,
    }


def _at(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

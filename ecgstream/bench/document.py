"""Writes what benches found into a document, between the marks that name them, as tables in Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgstream.bench.pipeline import bars, told_back


def put(document: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.

    Raises:
        ValueError: the document has no such marks.
    """
    whole = document.read_text("utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if begin not in whole or end not in whole:
        raise ValueError(f"{document} has no place for it: {begin.strip()} … {end}")
    head, _, rest = whole.partition(begin)
    document.write_text(head + begin + text + end + rest.partition(end)[2], "utf-8")


def shown(document: Path, name: str) -> str:
    """Return what stands between the marks."""
    whole = document.read_text("utf-8")
    return whole.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def of_pipeline(found: Mapping[str, Any]) -> str:
    """Return the results of ``ecgstream bench pipeline``."""
    felt = found["latency_s"]
    parts = [
        _of_run(found["run"]),
        _table(
            ["bar", "wanted", "found", ""],
            [
                [what, wanted, figure, "" if met else "**missed**"]
                for what, wanted, figure, met in bars(found)
            ],
        ),
        _table(
            ["devices", "gateways", "worker", "detectors alone", "a record a device-second", "NeuroKit2"],
            [
                [f"{r['devices']:,}", f"{r['gateways']:,}"]
                + [
                    f"{r[way]:,} ({r[f'{way}_us']:,} µs)"
                    for way in ("worker", "bank", "per_record", "neurokit")
                ]
                for r in found["runs"]
            ],
        ),
        f"A further device takes {found['memory_kb_a_device']} kB of a worker's memory. In real time, "
        f"{felt['devices']:,} devices on {felt['gateways']} gateways took {felt['worker_cores']} of a core; "
        f"{felt['alerts']:,} alerts were in the database {felt['p50']} s (median) and {felt['p99']} s (p99) "
        f"behind their packets. Live again after `kill -9`: {told_back(felt)}.\n",
    ]
    if profile := found.get("profile_us"):
        parts.append(_of_profile(profile))
    return "\n".join(parts)


def _of_profile(profile: Mapping[str, Mapping[str, float]]) -> str:
    wholes = {gateways: sum(stages.values()) for gateways, stages in profile.items()}
    names = dict.fromkeys(name for stages in profile.values() for name in stages)

    def cell(gateways: str, name: str) -> str:
        us = profile[gateways].get(name, 0.0)
        return f"{us:.1f} µs ({us / wholes[gateways]:.0%})"

    return _table(
        ["stage", *(f"{int(gateways):,} gateways" for gateways in profile)],
        [[name, *(cell(gateways, name) for gateways in profile)] for name in names],
    )


def of_restore(found: Mapping[str, Any]) -> str:
    """Return the results of ``ecgstream bench restore``."""
    met = "" if found["wall_s"] <= found["bar_s"] else " **missed**"
    rows = [
        ["devices, partitions", f"{found['devices']:,}, {found['partitions']}"],
        ["a snapshot, its state in it", f"{found['snapshot_bytes']:,} B, {found['state_bytes']:,} B"],
        ["snapshots written", f"{found['records_written']:,}"],
        ["topic, compacted", f"{found['topic_mb_compacted']} MB"],
        ["topic, as it is read", f"{found['topic_mb_read']} MB"],
        [
            "restored in",
            f"{found['wall_s']} s, of which {found['read_s']} s to read (bar {found['bar_s']:g} s){met}",
        ],
        ["CPU of it", f"{found['cpu_s']} s"],
    ]
    return "\n".join([_of_run(found["run"]), _table(["", ""], rows)])


def _of_run(run: Mapping[str, Any]) -> str:
    return "On " + ", ".join(f"{name} {value}" for name, value in run.items()) + ":\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

"""What benches found, as text and tables in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecgstream.bench import backlog, detectors, narrow, receive, soak
from ecgstream.bench.pipeline import bars, told_back
from ecgstream.documents import table


def of_pipeline(found: Mapping[str, Any]) -> str:
    """Return the results of ``ecgstream bench pipeline``."""
    felt = found["latency_s"]
    parts = [
        _of_run(found["run"]),
        _of_bars(bars(found)),
        table(
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

    return table(
        ["stage", *(f"{int(gateways):,} gateways" for gateways in profile)],
        [[name, *(cell(gateways, name) for gateways in profile)] for name in names],
    )


def of_detectors(found: Mapping[str, Any]) -> str:
    """Return the results of ``ecgstream bench detectors``."""
    return "\n".join(
        [
            _of_run(found["run"]),
            _of_bars(detectors.bars(found)),
            table(
                ["ns a sample and lead", f"median of {found['turns']} turns", "least"],
                [
                    [
                        who,
                        f"{found[f'{name}ns_per_sample_lead']}",
                        f"{found[f'least_{name}ns_per_sample_lead']}",
                    ]
                    for who, name in (
                        (f"detectors, {found['devices']} devices of {found['leads']} leads", ""),
                        ("NeuroKit2, a lead at once", "neurokit_"),
                    )
                ],
            ),
            f"{found['records']} records, {found['seconds']} s of each.\n",
        ]
    )


def of_narrow(found: Mapping[str, Any]) -> str:
    """Return the results of ``ecgstream bench narrow``."""
    keys = ["devices", "line_percent", "median_wait_s", "longest_wait_s", "lost"]
    heads = ["devices", "share of the line, %", "wait, median, s", "longest, s", "packets lost"]
    line = f"{found['line_kbit_s']} kbit/s each way, {found['seconds']:g} s of each"
    return "\n".join(
        [
            _of_run(found["run"]),
            _of_bars(narrow.bars(found)),
            table(heads, [[f"{run[key]:,}" for key in keys] for run in found["runs"]]),
            f"{line}; signal: {found['signal']}.\n",
        ]
    )


def of_backlog(found: Mapping[str, Any]) -> str:
    """Return the results of ``ecgstream bench backlog``."""
    rows = table(["", ""], [[*row] for row in backlog.rows(found)])
    return "\n".join([_of_run(found["run"]), _of_bars(backlog.bars(found)), rows])


def of_receive(found: Mapping[str, Any]) -> str:
    """Return the results of ``ecgstream bench receive``."""
    head = ["µs of a core", "the gateway", "one that only acknowledges", "where it goes"]
    return "\n".join([_of_run(found["run"]), _of_bars(receive.bars(found)), table(head, receive.rows(found))])


def of_soak(found: Mapping[str, Any]) -> str:
    """Return the results of ``ecgstream bench soak``."""

    def grown(name: str) -> str:
        return f"{found[f'{name}_kb_a_minute']} ± {found[f'{name}_kb_a_minute_within']} kB"

    memories = (("heap", "page's memory"), ("browser", "browser"), ("server", "monitor"))
    rows = [[whose, f"{found[f'{name}_mb']} MB", grown(name)] for name, whose in memories]
    return "\n".join(
        [
            _of_run(found["run"]),
            _of_bars(soak.bars(found)),
            table(["", "at the end", "grown a minute"], rows),
            f"{found['sectors']} sectors for {found['minutes']:g} minutes.\n",
        ]
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
    return "\n".join([_of_run(found["run"]), table(["", ""], rows)])


def of_figures(
    run: Mapping[str, Any], found: Mapping[str, Any], bars: Sequence[tuple[str, str, str, bool]]
) -> str:
    """Return figures that need no form of their own, a row each, behind their bars."""
    rows = [
        [name.replace("_", " "), value if isinstance(value, str) else f"{value:,}"]
        for name, value in found.items()
    ]
    return "\n".join([_of_run(run), _of_bars(bars), table(["", ""], rows)])


def _of_bars(bars: Sequence[tuple[str, str, str, bool]]) -> str:
    rows = [[*told, "" if met else "**missed**"] for *told, met in bars]
    return table(["bar", "wanted", "found", ""], rows)


def _of_run(run: Mapping[str, Any]) -> str:
    return "On " + ", ".join(f"{name} {value}" for name, value in run.items()) + ":\n"

"""The figures of a suite as tables for a person, in the terminal or as a page."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_FIGURES = (
    *("se", "ppv", "sp", "tpr", "tnr", "f1", "fpr", "se_50ms", "ppv_50ms"),
    *("episode_se", "episode_ppv", "duration_se", "duration_ppv", "score"),
    *("tp", "fn", "fp", "tn", "hit", "missed", "right", "false"),
    *("share", "by_any_name", "paged", "n"),
    *("auc", "average_auc", "auc_in_noise", "bad_s", "all_s", "ns_per_sample_lead"),
    *("median_s", "worst_s", "median_at_most_s", "worst_at_most_s"),
    *("first_alarm_median_s", "first_alarm_worst_s"),
    *("page_median_s", "page_worst_s", "paged_in_time"),
    *("wanted_bpm", "lowest_bpm", "highest_bpm", "error_bpm", "runs", "met"),
)
_NAMES = {"se": "Se", "ppv": "+P", "sp": "Sp", "tpr": "TPR", "tnr": "TNR", "f1": "F1", "fpr": "FPR"}
_NAMES |= {"se_50ms": "Se 50ms", "ppv_50ms": "+P 50ms"}
_NAMES |= {"auc": "AUC", "average_auc": "average AUC", "auc_in_noise": "AUC in noise"}
_NAMES |= {"ns_per_sample_lead": "ns a sample"}
_FRACTIONS = ("auc", "average_auc", "auc_in_noise")  # 0 to 1, all others in %
_NESTED = (
    *("by_type", "with_pulse", "true_paged", "qrs_by_snr_db"),
    *("seconds_to_alarm", "not_capturing", "capturing"),
    *("irregular_rhythms", "tall_t_waves", "qrs_counted_or_not"),
)
"""Names of what is a table by itself."""
_APART = (*_NESTED, "quality", "quality_by_snr_db", "against")
_WIDTH = 160


def show(found: Mapping[str, Any], html: Path | None = None) -> None:
    """Print what a suite found; with ``html`` also write it as a page."""
    console = Console(record=html is not None, width=_WIDTH if html else None, highlight=False)
    for renderable in tables(found):
        console.print(renderable)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        console.save_html(str(html))


def tables(found: Mapping[str, Any]) -> list[Table | str]:
    """Return what is to be shown, in order."""
    told: list[Table | str] = [_head(found)]
    rows = whole(found)
    told += [_table("", {n: of for n, of in rows.items() if not is_plain(of)})]
    told += [_table(title, of) for title, of in nested(found).items()]
    told += gave_up(found)
    told += [_plain(found, {n: of for n, of in rows.items() if is_plain(of)})]
    if found.get("by_record"):
        told += _by_record(found["by_record"])
    return told


def _head(found: Mapping[str, Any]) -> str:
    unreadable = "".join(f"\nnot read: {reason}" for reason in found.get("unreadable", ()))
    return f"{found['suite']}: {counted(found)}, detectors {found['detectors']}{unreadable}"


def counted(found: Mapping[str, Any]) -> str:
    """Return of how many records, or trials, the figures are."""
    kind = "records" if "records" in found else "trials"
    return f"{len(found[kind])} {kind}"


def whole(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what is told of all records together, by name."""
    return {name: of for name, of in found.items() if isinstance(of, dict) and name not in _APART}


def nested(found: Mapping[str, Any]) -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """Return what is told in a table of its own, by title."""
    told: dict[str, Mapping[str, Mapping[str, Any]]]
    told = {name.replace("_", " "): flat(found[name]) for name in _NESTED if name in found}
    if "quality" in found:
        told["quality by snr db"] = {**found["quality_by_snr_db"], "all": found["quality"]}
    if "against" in found:
        told["beside other QRS detectors"] = _side_by_side(found)
    return told


def _side_by_side(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    each = {"ecgstream": found, **found["against"]}
    rows = {name: of["qrs"] | {"ns_per_sample_lead": of["ns_per_sample_lead"]} for name, of in each.items()}
    for snr in found.get("qrs_by_snr_db", ()):
        rows |= {f"{snr} dB, {name}": of["qrs_by_snr_db"][snr] for name, of in each.items()}
    return rows


def gave_up(found: Mapping[str, Any]) -> list[str]:
    """Return on which records another detector ended with an error, which counts as no beat found."""
    return [
        f"{name} gave up on {record}: {why}"
        for name, of in found.get("against", {}).items()
        for record, why in of["gave_up"].items()
    ]


def is_plain(of: Mapping[str, Any]) -> bool:
    """Return whether figures are no rates, and stand in a line of their own."""
    return not any(name in of for name in _FIGURES)


def flat(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return a table's rows; a row that has rows of its own, such as by packet length, becomes these.

    >>> flat({"a": {"se": 1.0}, "b": {"0.25_s": {"se": 2.0}, "1_s": {"se": 3.0}}})
    {'a': {'se': 1.0}, 'b, 0.25_s': {'se': 2.0}, 'b, 1_s': {'se': 3.0}}
    """
    rows: dict[str, Mapping[str, Any]] = {}
    for name, row in table.items():
        if all(isinstance(one, Mapping) for one in row.values()):
            rows |= {f"{name}, {part}": one for part, one in row.items()}
        else:
            rows[name] = row
    return rows


def figures_of(rows: Mapping[str, Mapping[str, Any] | None]) -> dict[str, str]:
    """Return the figures that some row has, with their headings, in order."""
    names = [name for name in _FIGURES if any(name in (row or {}) for row in rows.values())]
    return {name: _NAMES.get(name, name.replace("_", " ")) for name in names}


def cells(row: Mapping[str, Any] | None, figures: Iterable[str]) -> list[str]:
    """Return a row's figures as text, each with its interval where it has one."""
    return [_cell(row, name) for name in figures]


def _table(title: str, rows: Mapping[str, Mapping[str, Any] | None]) -> Table:
    columns = figures_of(rows)
    table = Table(title=title.replace("_", " "), title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in columns.values():
        table.add_column(heading, justify="right")
    for name, row in rows.items():
        table.add_row(name.replace("_", " "), *cells(row, columns))
    return table


def _cell(row: Mapping[str, Any] | None, name: str) -> str:
    value = (row or {}).get(name)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    interval = (row or {}).get(f"{name}_interval")
    digits = 3 if name in _FRACTIONS else 2
    told = f"{value:.{digits}f}" if isinstance(value, float) else f"{value:,}"
    if not interval:
        return told
    low, high = (f"{end:.{digits if name in _FRACTIONS else 1}f}" for end in interval)
    return f"{told} ({low} to {high})"


def _plain(found: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, row in rows.items():
        told = ", ".join(f"{key.replace('_', ' ')} {number(value)}" for key, value in row.items())
        table.add_row(name.replace("_", " "), told)
    for name, value in found.items():
        if isinstance(value, int | float):
            table.add_row(name.replace("_", " "), number(value))
    return table


def number(value: Any) -> str:
    """Return a figure as text."""
    return "-" if value is None else f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _by_record(rows: Sequence[Mapping[str, Any]]) -> list[Table | str]:
    kinds = [name for name in rows[0] if any(isinstance(row[name], dict) for row in rows)]
    return [_table(f"{kind}, by record", {row["record"]: row[kind] for row in rows}) for kind in kinds]

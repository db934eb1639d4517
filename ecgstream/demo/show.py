"""How a person reads the summary."""

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from alerts.priority import MARKS
from ecgstream.demo.live import STYLES
from ecgstream.demo.summary import AlertLine, Summary
from schemas.conditions import CATALOGUE, Code
from schemas.records import Priority


def show(summary: Summary, console: Console) -> None:
    """Print the summary."""
    console.print(Group(_packets(summary), _beats(summary), _alerts(summary.alerts)))
    missing = summary.missing()
    if summary.expected:
        verdict = f"MISSING: {', '.join(missing)}" if missing else "every scripted trouble has its alert"
        console.print(f"Scripted trouble: {verdict}", style="bold red" if missing else "green")


def _packets(summary: Summary) -> Text:
    p, m = summary.packets, summary.mitdb208
    text = Text("\n")
    text.append(f"{len(summary.devices)} devices, {summary.signal_s} s of signal ")
    text.append(f"at {summary.speed:g} times real time\n")
    text.append(f"Packets: {p.sent} sent, {p.stored} stored, ")
    style = "bold red" if p.lost or p.duplicates else "green"
    text.append(f"{p.lost} lost, {p.duplicates} duplicated", style)
    text.append(f"; {summary.vitals} vital signs and {summary.trends} minute trends stored\n")
    text.append(
        f"MIT-BIH 208 against {m.reference}: {m.matched} beats matched, {m.missed} missed, {m.extra} extra\n"
    )
    return text


def _beats(summary: Summary) -> Table:
    table = Table(title="Beats by class (WFDB codes)", title_justify="left")
    codes = sorted({code for found in summary.beats.values() for code in found}, key="NSVF/Q".find)
    table.add_column("Device")
    for code in codes:
        table.add_column(code, justify="right")
    table.add_column("What it plays")
    for device, label in summary.devices.items():
        found = summary.beats.get(device, {})
        table.add_row(device, *(str(found.get(code, 0)) for code in codes), label)
    return table


def _alerts(alerts: list[AlertLine]) -> Table:
    table = Table(title="Alerts", title_justify="left")
    table.add_column("Onset s", justify="right")
    table.add_column("Device")
    table.add_column("Condition")
    table.add_column("Priority")
    table.add_column("Delay in signal s", justify="right")
    table.add_column("Transport s", justify="right")
    for alert in alerts:
        priority = Priority(alert.priority)
        table.add_row(
            f"{alert.onset:.1f}",
            alert.device,
            CATALOGUE[Code[alert.condition]].text,
            Text(f"{MARKS[priority]} {priority.lower()}", STYLES[priority]),
            f"{alert.delay_signal_s:.1f}",
            f"{alert.transport_s:.2f}",
        )
    return table

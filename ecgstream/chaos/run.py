"""``ecgstream chaos``: play in peace, play disturbed, compare, say.

Every round of faults is played twice; what the two plays have left must not differ.
"""

import json
import logging
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from ecgstream.centre import CentreError
from ecgstream.chaos import load, site
from ecgstream.chaos.database import DatabaseError, Server
from ecgstream.chaos.faults import Striker, Struck
from ecgstream.chaos.judge import judge
from ecgstream.chaos.play import Left, PlayError, to_the_end
from ecgstream.chaos.recovery import Progress
from ecgstream.chaos.schedule import Fault, Round, plan
from ecgstream.chaos.verdict import Verdict
from ecgstream.demo.seed import Commands, SeedError, enrol
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.settings import Settings
from ecgstream.store.migrate import migrate

RUNS = Path("var")
_SHOWN = 20
_SIGNALS_S = 8.0
"""How long the signals of a round take on the machine that the schedule's weights were measured on."""


def chaos(settings: Settings, *, seed: int, faults: int, pager_kills: int, json_file: Path | None) -> int:
    """Run so many faults; return the exit status, 0 only if nothing differs."""
    console = Console()
    try:
        rounds = plan(seed, faults, load.CAST, load.PACE, pager_kills)
    except ValueError as error:
        console.print(f"[bold red]ecgstream chaos:[/] {error}")
        return 1
    folder = (RUNS / f"chaos-{seed}-{datetime.now(UTC):%Y%m%dT%H%M%S-%f}").absolute()
    folder.mkdir(parents=True)
    set_up_logging(settings, "chaos", at_least=logging.ERROR)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # that brokers go away is the point
    try:
        with stop_on_signals() as stop, _server(settings, folder, console) as server:
            run = _Run(settings, server, folder, console, stop)
            verdict = run.rounds(rounds)
    except (CentreError, ServiceUnavailableError, DatabaseError, SeedError, PlayError) as error:
        console.print(f"[bold red]ecgstream chaos:[/] {error}")
        console.print(f"The logs lie in {folder}", soft_wrap=True, highlight=False)
        return 1
    if json_file is not None:
        json_file.write_text(json.dumps(verdict.as_json(), indent=2) + "\n", "utf-8")
    return _tell(console, verdict, folder, seed)


@contextmanager
def _server(settings: Settings, folder: Path, console: Console) -> Iterator[Server]:
    """Give the server that was named, or one of our own."""
    with ExitStack() as stack:
        url = settings.database.get_secret_value()
        if not url:
            console.print("No database is named: PostgreSQL (embedded) is used, which is no TimescaleDB.")
            url = stack.enter_context(EmbeddedPostgres(folder / "postgres")).url
        server = Server(url)
        stack.callback(server.drop_all)
        yield server


@dataclass(slots=True)
class _Run:
    settings: Settings
    server: Server
    folder: Path
    console: Console
    stop: threading.Event
    began_s: float = field(default_factory=time.monotonic)
    name: str = ""

    def rounds(self, rounds: list[Round]) -> Verdict:
        """Play all rounds; return what is wrong with them."""
        self._enrol()
        verdict = Verdict()
        for number, played in enumerate(rounds, 1):
            self._say(f"Round {number} of {len(rounds)}: {len(played.faults)} faults.")
            found = self._round(played, self.folder / f"round-{number}")
            for words in found.wrong()[:_SHOWN]:
                self._say(f"  {words}")
            verdict += found
        return verdict

    def _enrol(self) -> None:
        """Make the database of which every play gets a copy: patients have the same pseudonyms in all."""
        self._say("Enrolling 1,300 facilities, the devices and who wears them …")
        self.name = f"chaos_{uuid.uuid4().hex[:12]}"
        url = self.server.create(self.name)
        migrate(url)
        commands = Commands(self.settings.model_copy(update={"database": SecretStr(url)}))
        enrol(commands, self.folder / "seed", load.DEVICES)
        self.server.close_to_all(self.name)

    def _round(self, played: Round, folder: Path) -> Verdict:
        self._say("  Making the signals …")
        began_s = time.monotonic()
        sources = {gateway: load.sources(gateway, played) for gateway in load.GATEWAYS}
        reels = load.write(folder / "load", sources)
        slowness = _slowness(time.monotonic() - began_s)
        if slowness > 1:
            self._say(f"  This machine is slow: faults come, and all takes, {slowness:.1f} times longer.")
        self._say("  Starting two centres, the one that is struck on three brokers …")
        with ThreadPoolExecutor(1) as pool:
            # Beside each other: what is found depends on the signals alone, not on how fast it is found.
            peace = pool.submit(self._in_peace, played, folder / "undisturbed", reels, slowness)
            found, struck = self._struck(played, folder / "disturbed", reels, slowness)
            expected = peace.result()
        reference = self.server.create(f"{self.name}_far", self.name)
        verdict = judge(sources, expected, found, struck, reference)
        if not verdict.wrong():
            shutil.rmtree(folder)
        return verdict

    def _in_peace(self, played: Round, folder: Path, reels: dict[str, Path], slowness: float) -> Left:
        database = self.server.create(f"{self.name}_peace", self.name)
        with site.undisturbed(self.settings, folder, database, reels, played.seed, slowness) as peace:
            return to_the_end(peace, self.stop)

    def _struck(
        self, played: Round, folder: Path, reels: dict[str, Path], slowness: float
    ) -> tuple[Left, list[Struck]]:
        database = self.server.create(f"{self.name}_chaos", self.name)
        with (
            site.disturbed(self.settings, folder, database, reels, played.seed, slowness) as struck,
            Progress(struck.settings, struck.signal_s, slowness) as progress,
        ):
            striker = Striker(struck, self.server, progress, self._tell_fault)
            self._say("  Playing …")
            striker.begin(played.slower(slowness).faults)
            try:
                found = to_the_end(struck, self.stop, striker.is_over)
            finally:
                striker.stop()
            return found, striker.struck

    def _tell_fault(self, fault: Fault, words: str) -> None:
        target = "" if fault.target in fault.kind else f" ({fault.target})"
        self._say(f"    {fault.at_s:5.1f} s  {fault.kind}{target}{': ' if words else ''}{words}")

    def _say(self, words: str) -> None:
        after_s = time.monotonic() - self.began_s
        self.console.print(f"[{after_s:5.0f} s] {words}", highlight=False, markup=False, soft_wrap=True)


def _slowness(made_s: float) -> float:
    """Return how many times slower this machine is than the one that schedules are made for, 1 at the least.

    A machine that starts services three times slower must be struck three times slower: else one fault meets
    the other, and what is found is that the machine is slow, not that something was lost. It is told by real
    work, since a machine that is shared may be quick for a second and slow for the next minute.

    Args:
        made_s: how long it took to make the signals of a round.
    """
    return max(1.0, made_s / _SIGNALS_S)


def _tell(console: Console, verdict: Verdict, folder: Path, seed: int) -> int:
    """Say how it went; return the exit status."""
    found = verdict.as_json()
    p50, most = found["recovery_s"].values()
    console.print(f"{found['faults']} faults. Live again after {p50} s (median), {most} s at the most.")
    wrong = len(verdict.wrong())
    if not wrong:
        console.print(f"Nothing differs. {found['raw_repeats']} pages came again under the same key.")
        shutil.rmtree(folder)
        return 0
    console.print(f"[bold red]{wrong} things differ.[/] It is repeated with --seed {seed}.")
    (folder / "wrong.txt").write_text("\n".join(verdict.wrong()) + "\n", "utf-8")
    console.print(f"All of them, and the logs, lie in {folder}", soft_wrap=True, highlight=False)
    return 1

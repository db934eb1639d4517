"""The monitor's process: a server of HTTP, and threads that follow the alerts and all that is live.

It speaks plain HTTP on loopback unless told otherwise: TLS is the business of what stands in front of it
(docs/monitor.md).
"""

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from typing import NamedTuple

import psycopg
import structlog
from starlette.routing import BaseRoute

from ecgstream import clients, desk, duty_roster
from ecgstream.board import Board
from ecgstream.broker.access import Service
from ecgstream.broker.ready import be_ready
from ecgstream.consulting.store import Terms
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.metrics import serve
from ecgstream.monitor.app import make_app
from ecgstream.monitor.confirm import Confirm
from ecgstream.monitor.live import routes as live
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.socket import UVICORN, bound
from ecgstream.monitor.live.view import Bed
from ecgstream.monitor.login import Login
from ecgstream.monitor.pages.alarms import Alarms, Following, Say
from ecgstream.monitor.pages.audit import AuditLog
from ecgstream.monitor.pages.case import CasePage
from ecgstream.monitor.pages.clinic import Clinic
from ecgstream.monitor.pages.consultations import Consultations
from ecgstream.monitor.pages.duty import Duty
from ecgstream.monitor.pages.ecg import Ecg
from ecgstream.monitor.pages.judging import Judging
from ecgstream.monitor.pages.overview import Overview
from ecgstream.monitor.pages.patient import Patient
from ecgstream.monitor.pages.report import ReportPage
from ecgstream.monitor.pages.reports import Reports
from ecgstream.monitor.pages.state import State
from ecgstream.monitor.pages.statistics import Statistics
from ecgstream.monitor.pages.teaching import Teaching
from ecgstream.monitor.pages.trial import Ask, Trials
from ecgstream.monitor.pages.walls import WallsPage
from ecgstream.monitor.progress import Progress, Seen
from ecgstream.monitor.provider import Provider
from ecgstream.monitor.read.devices import measured_last, watched
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.sessions import Sessions
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.sign_on import SignOn
from ecgstream.monitor.stored import GoneError, Stored
from ecgstream.monitor.viewer import Viewer
from ecgstream.monitor.walls import Walls
from ecgstream.monitor.wording import WORDINGS
from ecgstream.monitor.workshop import Workshop
from ecgstream.serving import listen, make_server
from ecgstream.settings import PREFIX, Settings
from ecgstream.tries import Tries
from schemas.records import Act, Alert, Roster

_AT_ONCE = 2000
"""Connections: a wall keeps one open; further ones are answered 503."""
_BEAT_S = 1.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    set_up_logging(settings, "monitor")
    if not settings.monitor_url and settings.monitor_host not in _LOOPBACK:
        log.warning("no_monitor_url", said=f"{PREFIX}MONITOR_URL is empty: logins work on this machine alone")
    listening = listen("monitor", settings.monitor_host, settings.monitor_port)
    bound(listening)
    be_ready(settings, Service.MONITOR)
    url = settings.monitor_database.get_secret_value()
    board = Board(lambda: clients.reader(settings), settings.partitions)
    hub = Hub(lambda: clients.reader(settings), settings.partitions)
    with (
        closing(Stored(url)) as stored,
        closing(Workshop(url)) as workshop,
        serve(settings, "monitor") as health,
        stop_on_signals() as stop,
    ):
        served = routes(settings.monitor_url, stored, _sources(settings, board, hub), workshop)
        server = make_server(make_app(served), _AT_ONCE, **UVICORN)
        threads = (
            threading.Thread(target=board.run, args=(stop,), name="board"),
            threading.Thread(target=hub.run, args=(stop,), name="hub"),
            threading.Thread(target=server.run, args=([listening],), name="server"),
        )
        for thread in threads:
            thread.start()
        log.info("monitor_started", host=settings.monitor_host, port=listening.getsockname()[1])
        while not stop.wait(_BEAT_S) and all(thread.is_alive() for thread in threads):
            health.beat()
            health.ready(server.started and board.is_current and hub.is_current)
        fell = not stop.is_set()
        stop.set()
        server.should_exit = True
        for thread in threads:
            thread.join()
        log.info("monitor_stopped")
    if fell:
        sys.exit("ecgstream monitor: a thread of it has ended; the log says why")


class Sources(NamedTuple):
    """What is known besides the database.

    Attributes:
        board: the alerts as they stand.
        hub: signals, numbers and alarms as they come.
        say: writes down what somebody says of one.
        roster: the newest that was published.
        test: sends a test page to a team, for an account; None: the pager has not answered yet.
        progress: how services and gateways stand.
        provider: who else says who somebody is; None: nobody.
        terms: by when cases of consultation are to be answered.
    """

    board: Following
    hub: Hub
    say: Say
    roster: Callable[[], Roster | None]
    test: Ask
    progress: Callable[[], Seen]
    provider: Provider | None = None
    terms: Terms = Terms()


def routes(address: str, stored: Stored, sources: Sources, workshop: Workshop) -> list[BaseRoute]:
    """Return all routes of the monitor, which people reach at an address; empty: on this machine only."""
    pages = ("/overview", "/wall", "/alarms", "/clinic", "/consultations", "/duty", "/walls", "/state")

    def beds_of(viewer: Viewer) -> Mapping[str, Bed]:
        try:
            with stored.as_person(viewer.account) as connection:
                seen = watched(connection, viewer.account)
                if new := sources.hub.unrecalled(seen):  # once for all who look
                    sources.hub.recall(new, measured_last(connection, new))
        except (GoneError, psycopg.errors.InsufficientPrivilege):  # disabled, or of no position any more
            return {}
        if viewer.wall is None:
            return seen
        return {name: bed for name, bed in seen.items() if viewer.wall.facility in bed.path.split(".")}

    def condition(language: str, code: str) -> str:
        return WORDINGS[language].condition(code)

    reads = Reads(stored.note)
    shell = Shell(Sessions(), address, pages, reads)
    walls = Walls(shell.guard, stored)
    provider = sources.provider
    tries, host = Tries(), provider.host if provider else ""
    login = Login(shell, stored, pages[0], tries, provider=host)
    confirm = Confirm(shell.guard, stored, tries, host)
    return [
        *login.routes,
        *(SignOn(shell, stored, login, provider).routes if provider else ()),
        *Overview(shell, stored, opens="/wall").routes,
        *live.routes(sources.hub, walls.watcher_of, beds_of, shell.templates, condition, reads),
        *WallsPage(shell, stored, walls).routes,
        *Clinic(shell, stored).routes,
        *Patient(shell, stored).routes,
        *Ecg(shell, stored).routes,
        *Reports(shell, stored, workshop).routes,
        *ReportPage(shell, stored, workshop, confirm).routes,
        *Consultations(shell, stored, sources.roster, sources.terms).routes,
        *CasePage(shell, stored, sources.roster).routes,
        *Teaching(shell, stored).routes,
        *Statistics(shell, stored).routes,
        *Judging(shell, stored).routes,
        *Alarms(shell, stored, sources.board, sources.say).routes,
        *Duty(shell, stored, sources.roster, sources.board).routes,
        *Trials(shell, stored, sources.roster, sources.board, sources.test, sources.say).routes,
        *State(shell, stored, sources.progress).routes,
        *AuditLog(shell, stored).routes,
    ]


def _sources(settings: Settings, board: Board, hub: Hub) -> Sources:
    def say(alert: Alert, by: str, reason: str, act: Act, silent_s: float) -> Alert | None:
        return desk.say_of(settings, alert, by, reason, act, silent_s)

    progress = Progress(
        lambda: clients.admin(settings), lambda: clients.reader(settings), settings.partitions
    )

    def test(team: str, account: str) -> Alert | None:
        with closing(desk.ask_for_test(settings, team, account)) as becoming:
            return next(becoming, None)

    roster = partial(duty_roster.newest, settings)
    return Sources(board, hub, say, roster, test, progress.seen, _provider(settings), Terms.of(settings))


def _provider(settings: Settings) -> Provider | None:
    issuer, client = settings.monitor_oidc_issuer, settings.monitor_oidc_client
    secret = settings.monitor_oidc_secret.get_secret_value()
    if not issuer:
        return None
    if not (client and secret):
        sys.exit(f"ecgstream monitor: {PREFIX}MONITOR_OIDC_ISSUER wants a client and a secret, too")
    return Provider(issuer, client, secret, settings.monitor_oidc_claim)

"""The web's process: a server of HTTP, and a thread that follows the alerts.

It speaks plain HTTP on loopback unless told otherwise: TLS is the business of what stands in front of it
(docs/web.md).
"""

import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import structlog
from starlette.routing import BaseRoute

from alerts.roster.model import Roster
from ecgstream import clients, desk, duty_roster
from ecgstream.audit import told
from ecgstream.board import Board
from ecgstream.broker.access import Service
from ecgstream.broker.ready import be_ready
from ecgstream.clock import SignalClock
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.links import links_of
from ecgstream.metrics import serve
from ecgstream.serving import listen, make_server
from ecgstream.settings import PREFIX, Settings
from ecgstream.strips.strips import Strips
from ecgstream.web.app import make_app, templates
from ecgstream.web.codes import Codes, CodesError, Doorkeeper
from ecgstream.web.page import AlertPage
from ecgstream.web.reads import Reads
from ecgstream.web.roster_api import RosterApi
from schemas.records import Act, Alert
from schemas.records import Roster as Told

_BEAT_S = 1.0

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    set_up_logging(settings, "web")
    links, people = links_of(settings, Service.WEB), _doorkeeper(settings.codes)
    programs = _doorkeeper(settings.api_keys)
    if people is None:
        log.warning("no_codes", said=f"{PREFIX}CODES names no file: pages are shown, nobody can answer them")
    listening = listen("web", settings.web_host, settings.web_port)
    be_ready(settings, Service.WEB)
    board = Board(lambda: clients.reader(settings), settings.partitions)

    def say(alert: Alert, by: str, reason: str, act: Act) -> Alert | None:
        return desk.say_of(settings, alert, by, reason, act)

    strips = Strips(clients.reader(settings), SignalClock.set_by(settings))
    reads = Reads(partial(told.tell, settings))
    page = AlertPage(templates(), links, people, board, say, strips.of, reads)
    routes = [*page.routes, *(_roster_routes(settings, programs) if programs else ())]
    server = make_server(make_app(routes))
    with closing(strips), serve(settings, "web") as health, stop_on_signals() as stop:
        follows = threading.Thread(target=board.run, args=(stop,), name="board")
        serves = threading.Thread(target=server.run, args=([listening],), name="server")
        follows.start()
        serves.start()
        log.info("web_started", host=settings.web_host, port=listening.getsockname()[1])
        while not stop.wait(_BEAT_S) and serves.is_alive() and follows.is_alive():
            health.beat()
            health.ready(server.started and board.is_current)
        fell = not stop.is_set()
        stop.set()
        server.should_exit = True
        serves.join()
        follows.join()
        log.info("web_stopped")
    if fell:
        sys.exit("ecgstream web: a thread of it has ended; the log says why")


def _doorkeeper(path: Path | None) -> Doorkeeper | None:
    try:
        return None if path is None else Doorkeeper(Codes(path))
    except CodesError as error:
        sys.exit(f"ecgstream web: {error}")


def _roster_routes(settings: Settings, programs: Doorkeeper) -> list[BaseRoute]:
    def newest() -> Told | None:
        return duty_roster.newest(settings)

    def publish(roster: Roster, by: str) -> Told:
        return duty_roster.publish(settings, roster, by)

    return [*RosterApi(programs, newest, publish).routes]

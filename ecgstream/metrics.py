"""Metrics and health of a service over HTTP: what Prometheus and a supervisor ask for.

* ``/metrics``: all metrics of the process, in Prometheus' text format. A service's own are in a module of
  its room (``worker.metrics``, ``store.metrics``, …); their labels are of bounded sets, and none names a
  device or a patient.
* ``/health``: 200 while the service's main loop turns; else 503, and a supervisor should start it anew.
* ``/ready``: 200 while it also has what it works on (its partitions, its database); else 503.

The server runs in threads of its own, so that it answers while the main loop hangs: that is the news.
"""

import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import structlog
from prometheus_client import REGISTRY, Gauge
from prometheus_client.exposition import choose_encoder

from ecgstream import __version__
from ecgstream.settings import PREFIX, Settings

ALIVE_S = 90.0
"""More than the longest that a main loop may wait in one turn: a minute, for the alerts' topic."""

BUILD = Gauge("ecgstream_build_info", "The version that runs, always 1.", ["service", "version"])
READY = Gauge("ecgstream_ready", "1 while the service has what it works on, else 0.")

log = structlog.get_logger()


class Health:
    """What a service says of itself; any thread may say it. Without a server it is said to nobody."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat_s = clock()
        self._ready = False
        self._server: _Server | None = None

    def beat(self) -> None:
        """Say that the main loop has turned."""
        self._beat_s = self._clock()

    def ready(self, is_ready: bool) -> None:
        """Say whether the service has what it works on."""
        self._ready = is_ready
        READY.set(is_ready)

    @property
    def is_alive(self) -> bool:
        """Whether the main loop has turned lately."""
        return self._clock() - self._beat_s < ALIVE_S

    @property
    def is_ready(self) -> bool:
        """Whether it does its work."""
        return self._ready and self.is_alive

    @property
    def port(self) -> int:
        """Where the server listens; 0: there is none."""
        return 0 if self._server is None else int(self._server.server_address[1])

    def serve(self, host: str, port: int) -> None:
        """Start the server.

        Raises:
            OSError: the port cannot be had.
        """
        self._server = _Server((host, port), _Answer)
        self._server.health = self
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> "Health":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    health: Health


class _Answer(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # s: a client that says nothing holds a thread no longer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        health = self.server.health
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept") or "")
            self._answer(HTTPStatus.OK, content_type, encode(REGISTRY))
        elif path == "/health":
            self._say("alive" if health.is_alive else "", "the main loop stands still")
        elif path == "/ready":
            self._say("ready" if health.is_ready else "", "not ready")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /health, /ready\n")

    def _say(self, well: str, ill: str) -> None:
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, "text/plain", f"{well or ill}\n".encode())

    def _answer(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Log nothing: it is asked every few seconds."""


def serve(settings: Settings, service: str) -> Health:
    """Return the service's health, served where ``metrics_port`` says; a port that cannot be had ends us."""
    health = Health()
    BUILD.labels(service, __version__).set(1)
    if settings.metrics_port:
        try:
            health.serve(settings.metrics_host, settings.metrics_port)
        except OSError as error:
            sys.exit(
                f"ecgstream {service}: cannot listen on {settings.metrics_host}:{settings.metrics_port} "
                f"({error.strerror}): give each service of a machine its own {PREFIX}METRICS_PORT"
            )
        log.info("metrics_served", host=settings.metrics_host, port=settings.metrics_port)
    return health

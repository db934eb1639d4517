"""The real parts of the tests: install, start and stop them.

    python -m tests.system.services install               Kafka's jars, TimescaleDB (and a Python 3.13),
                                                          buildah, Chromium, Mosquitto, what checks
                                                          deploy/ and exports (tools)
    python -m tests.system.services run -- pytest …       start them, run the command, stop them
    python -m tests.system.services start | stop | status the same by hand
    python -m tests.system.services python313 -- ARGS     pytest ARGS under Debian 13's Python 3.13

TimescaleDB (Apache edition) is Debian 13's package. On an older Debian it lives in a Debian 13 root of its
own in the user's cache directory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ecgstream.embedded import launch
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.jars import cache_directory, kafka_classpath, kafka_is_here
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.process import lock_directory, tail
from tests.system.browser import install_browser
from tests.system.images import install_buildah
from tests.system.python313 import python313
from tests.system.timescale import INSTALL, Timescale, install_timescale, say, sweep, timescale_is_here
from tests.system.tools import install_tools

KAFKA = "ECGSTREAM_TEST_KAFKA"
TIMESCALE = "ECGSTREAM_TEST_TIMESCALE"
_CHECKOUT = Path(__file__).resolve().parents[2]


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """Start Kafka and TimescaleDB; give the environment that tells tests of them."""
    sweep(Path(tempfile.gettempdir()), "ecgstream-kafka-*")
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecgstream-kafka-"))
        timescale = stack.enter_context(Timescale())
        kafka = stack.enter_context(EmbeddedKafka(Path(directory)))
        yield {KAFKA: kafka.bootstrap, TIMESCALE: timescale}


def run(command: list[str]) -> int:
    """Run a command with the services; return its exit status as a shell would."""
    # In the foreground, unlike what spawn() starts, and yet not to outlive us.
    tied = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "0"]
    with services() as addresses:
        status = subprocess.run([*tied, *command], env={**os.environ, **addresses}, check=False).returncode
    return status if status >= 0 else 128 - status


def _state() -> Path:
    return cache_directory() / "services.json"


def _kept() -> dict[str, str] | None:
    """The state of the services started by hand, None if they do not run."""
    directory = _state().with_name("services")
    lock = lock_directory(directory, 0.0)
    if lock is not None:
        os.close(lock)
        return None
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(_state().read_text()))
    return {}  # held, and not yet written


def keep() -> int:
    """Hold the services until SIGTERM (`start` runs this in the background)."""
    lock = lock_directory(_state().with_name("services"), 0.0)
    if lock is None:
        return 1
    _state().unlink(missing_ok=True)
    with services() as addresses:
        part = _state().with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps({**addresses, "pid": str(os.getpid())}))
        part.rename(_state())
        try:
            signal.pause()
        finally:
            _state().unlink(missing_ok=True)
    return 0


def start() -> int:
    """Start the services in the background and say what to put into the environment."""
    if _kept() is None:
        log = _state().with_suffix(".log")
        with log.open("wb") as file:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.system.services", "keep"],
                cwd=_CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        while not (_kept() or {}).get("pid"):
            if keeper.poll() is not None:
                raise ServiceUnavailableError(f"the services do not start:\n{tail(log)}")
            time.sleep(0.1)
        keeper.returncode = 0  # it is not waited for: it stays
    return status()


def stop() -> int:
    """Stop the services that `start` left running."""
    kept = _kept()
    if kept and "pid" in kept:
        os.kill(int(kept["pid"]), signal.SIGTERM)
        deadline = time.monotonic() + 180
        while _kept() is not None:
            if time.monotonic() > deadline:
                raise ServiceUnavailableError(f"process {kept['pid']} does not stop")
            time.sleep(0.1)
    return 0


def status() -> int:
    """Say what is installed and what runs; 0 if it runs."""
    say(f"# Kafka's jars: {'here' if kafka_is_here() else f'missing ({INSTALL})'}")
    say(f"# TimescaleDB: {'here' if timescale_is_here() else f'missing (as root: {INSTALL})'}")
    kept = _kept()
    for name in (KAFKA, TIMESCALE):
        if kept and name in kept:
            sys.stdout.write(f"export {name}='{kept[name]}'\n")
    return 0 if kept else 3


def install() -> int:
    """Install everything that is not here; what cannot be had hinders nothing else."""
    lacking = []
    for one in (kafka_classpath, install_timescale, install_buildah, install_tools, install_browser):
        try:
            one()
        except ServiceUnavailableError as error:
            lacking.append(str(error))
    if lacking:
        raise ServiceUnavailableError("\n".join(dict.fromkeys(lacking)))
    return 0


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {"install": install, "start": start, "stop": stop, "status": status, "keep": keep}
    parser.add_argument("command", choices=[*commands, "run", "python313"])
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="-- …", help="a command, or pytest's arguments"
    )
    options = parser.parse_args(arguments)
    rest = options.rest[1:] if options.rest[:1] == ["--"] else options.rest
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0 if options.command == "keep" else 143))
    try:
        if options.command == "run":
            if not rest:
                parser.error("run what?")
            return run(rest)
        return python313(rest) if options.command == "python313" else commands[options.command]()
    except ServiceUnavailableError as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

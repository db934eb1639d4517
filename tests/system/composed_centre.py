"""What deploy/compose.yaml starts, started as it says, without containers: its files, settings and secrets.

What a container engine would do is done by hand: a service's secrets lie in a folder of its own, addresses
of the compose network become addresses of this machine, and the image's settings are read from the
Containerfile. Kafka runs from the properties that `start-kafka` puts together; the database is the tests'.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from ecgstream.embedded.kafka import EmbeddedKafka, Security
from ecgstream.embedded.process import end, spawn
from tests.deploy.composed import DEPLOY, compose, secret_targets
from tests.system.timescale import log_folder
from tests.system.tools import tool

CONTAINERFILE = DEPLOY / "images" / "Containerfile"
_KAFKA, _DATABASE = "kafka:9093", "timescaledb:5432/ecgstream"
_NOBODY = "127.0.0.1:9"
PAGES = "web:8080"
"""As whom to ask for what the web shows."""
LOGIN = "monitor:8090"
"""As whom to ask for what the monitor shows."""
_DONE = "/tmp/done"  # noqa: S108 - of the container
_END_OF_NODE = "# --- The same on all"
_DOORS = """
listeners=CLIENTS://127.0.0.1:{broker},OUTSIDE://127.0.0.1:0,INTERNAL://127.0.0.1:0,CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{broker},OUTSIDE://127.0.0.1:0,INTERNAL://127.0.0.1:0
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs=data
"""
"""In place of the ports and folders that a container of its own would have."""


def image_settings() -> dict[str, str]:
    """What `ENV` of the images sets for our services."""
    return dict(re.findall(r"(ECGSTREAM_\w+)=(\S+)", CONTAINERFILE.read_text("utf-8")))


@dataclass
class Composed:
    """A centre as compose would start it.

    Args:
        folder: for everything that it writes.
        database: URL of a superuser in an empty database.
    """

    folder: Path
    database: str
    kafka: EmbeddedKafka | None = None
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.secrets = self.folder / "secrets"
        subprocess.run([DEPLOY / "secrets", self.secrets], check=True, capture_output=True)
        self.services: dict[str, dict[str, Any]] = compose(str(self.secrets))["services"]
        self.files = compose(str(self.secrets))["secrets"]

    def start_kafka(self) -> None:
        """Start the broker with the properties of `start-kafka`, its certificates, its first admin."""
        same_on_all = (DEPLOY / "kafka" / "server.properties").read_text("utf-8").split(_END_OF_NODE)[1]
        one_node = (DEPLOY / "compose" / "one-node.properties").read_text("utf-8")
        properties = f"#{same_on_all}{one_node}{_DOORS}"
        tls = self.folder / "tls"
        tls.mkdir()
        for target, source in secret_targets(self.services["kafka"]).items():
            if target.startswith("/etc/kafka/tls/"):
                shutil.copy(self.files[source]["file"], tls / Path(target).name)
        admin = (self.secrets / "kafka_admin").read_text().strip()
        scram = f"SCRAM-SHA-512=[name=admin,password={admin}]"
        security = Security(properties.replace("/etc/kafka/tls", str(tls)), ("--add-scram", scram))
        self.kafka = EmbeddedKafka(self.folder / "kafka", security)
        self.kafka.start()

    def _here(self, name: str) -> Path:
        """Return the folder of a service's secrets, with the addresses of this machine in them."""
        folder = self.folder / "run" / name
        folder.mkdir(parents=True, exist_ok=True)
        parts = conninfo_to_dict(self.database)
        place = f"{parts['host']}:{parts['port']}/{parts['dbname']}"
        for target, source in secret_targets(self.services[name]).items():
            text = Path(self.files[source]["file"]).read_text("utf-8").replace(_DATABASE, place)
            if source == "database_migrate":
                text = self.database
            (folder / Path(target).name).write_text(text)
        return folder

    def environment(self, name: str) -> dict[str, str]:
        """Return what a service is told."""
        told = {**image_settings(), **self.services[name].get("environment", {})}
        own = self.folder / "own" / name
        own.mkdir(parents=True, exist_ok=True)
        told |= {"ECGSTREAM_METRICS_HOST": "127.0.0.1", "ECGSTREAM_METRICS_PORT": str(self._port(name))}
        told |= {"ECGSTREAM_WEB_HOST": "127.0.0.1", "ECGSTREAM_WEB_PORT": str(self._port(PAGES))}
        told |= {"ECGSTREAM_MONITOR_HOST": "127.0.0.1", "ECGSTREAM_MONITOR_PORT": str(self._port(LOGIN))}
        replaced = {
            "/run/secrets": str(self._here(name)),
            "/var/lib/ecgstream": str(own),
            "/disks/kafka:/disks/timescaledb": str(self.folder),
            "/var/log/postgresql": str(log_folder(self.database)),
            _KAFKA: _NOBODY if self.kafka is None else self.kafka.bootstrap,
        }
        for was, becomes in replaced.items():
            told = {key: str(value).replace(was, becomes) for key, value in told.items()}
        path = f"{self._programs()}:{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ECGSTREAM_", "PG"))}
        return {**kept, **told, "PATH": path}

    def _port(self, name: str) -> int:
        if name not in self.ports:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.ports[name] = int(probe.getsockname()[1])
        return self.ports[name]

    def _programs(self) -> Path:
        """Return the folder of the programs that the images have."""
        folder = self.folder / "bin"
        if not folder.exists():
            folder.mkdir()
            (folder / "ecgstream").write_text(f'#!/bin/sh\nexec {quote(sys.executable)} -m ecgstream "$@"\n')
            (folder / "ecgstream").chmod(0o755)
            (folder / "psql").symlink_to(tool("psql"))
        return folder

    def once(self, name: str) -> str:
        """Run a service that ends by itself; return what it says."""
        done = subprocess.run(
            self._argv(name),
            env=self._of_database(name),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def _of_database(self, name: str) -> dict[str, str]:
        environment = self.environment(name)
        if "PGHOST" in environment:
            parts = conninfo_to_dict(self.database)
            told = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname"}
            environment |= {variable: str(parts[key]) for variable, key in told.items()}
        return environment

    def _argv(self, name: str) -> list[str]:
        service = self.services[name]
        if "entrypoint" not in service:
            return [str(self._programs() / "ecgstream"), *service["command"]]
        shell, inside = service["entrypoint"]
        mounted = {v.split(":")[1]: DEPLOY / v.split(":")[0] for v in service["volumes"]}
        text = mounted[inside].read_text("utf-8").replace("/run/secrets", str(self._here(name)))
        for path, here in mounted.items():
            text = text.replace(path, str(here))
        script = self.folder / f"{name}.script"
        script.write_text(text.replace(_DONE, str(self.folder / "done")))
        return [shell, str(script)]

    def start(self, name: str) -> None:
        """Start a service that stays."""
        with self.log(name).open("ab") as out:
            self.running[name] = spawn(self._argv(name), env=self.environment(name), stdout=out)

    def log(self, name: str) -> Path:
        """Where a service's log lies."""
        return self.folder / f"{name}.log"

    def ask(self, name: str, path: str) -> tuple[int, str]:
        """Ask a service; 0: it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""

    def stop(self) -> dict[str, int]:
        """End everything; return the services' exit statuses."""
        status = {name: end(process) for name, process in self.running.items()}
        self.running.clear()
        if self.kafka is not None:
            self.kafka.stop()
        return status

"""Mosquitto for the tests, configured as in deploy/compose: TLS, passwords, each below its own name."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.process import end, spawn, tail
from tests.certificates import Authority
from tests.system.tools import tool

COMPOSE = Path(__file__).resolve().parents[2] / "deploy" / "compose"
GATEWAYS = ("gateway", "gateway-2")
USERS = (*GATEWAYS, "dev-1", "dev-2", "dev-3")
PATIENCE_S = 60.0


def password(user: str) -> str:
    return f"password-of-{user}"


class Mosquitto:
    """A broker on a free port of loopback; it may be stopped, and started again with what it has kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "mosquitto"
        self.log = self.folder / "log"
        self.authority = self.folder / "authority.pem"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtts://127.0.0.1:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext:
        """For those who trust it."""
        return ssl.create_default_context(cafile=str(self.authority))

    def start(self) -> str:
        """Start it; return its address."""
        program = tool("mosquitto")
        if not self.port:
            self._configure()
        with self.log.open("ab") as out:
            self._process = spawn([program, "-c", self.folder / "mosquitto.conf"], stdout=out)
        deadline = time.monotonic() + PATIENCE_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServiceUnavailableError(f"Mosquitto does not start:\n{tail(self.log)}")
            time.sleep(0.05)
        return self.url

    def stop(self) -> None:
        """Stop it in order: it keeps sessions, and what waits for them."""
        process, self._process = self._process, None
        if process is not None:
            end(process, 30.0, by=signal.SIGTERM)

    def _configure(self) -> None:
        self.folder.mkdir()
        (self.folder / "data").mkdir()
        ours = Authority.make("ecgstream services")
        ours.write(self.authority)
        ours.issue("mosquitto", self.folder / "server.pem")
        passwords = self.folder / "passwords"
        passwords.write_text("".join(f"{user}:{password(user)}\n" for user in USERS))
        subprocess.run([tool("mosquitto_passwd"), "-U", passwords], check=True)
        with socket.create_server(("127.0.0.1", 0)) as one:
            self.port = one.getsockname()[1]
        acl = self.folder / "acl"  # which says of the first gateway what counts for each
        lines = "".join(f"user {user}\ntopic read ecgstream/v1/#\n" for user in GATEWAYS[1:])
        acl.write_text((COMPOSE / "mosquitto.acl").read_text() + lines)
        written = (COMPOSE / "mosquitto.conf").read_text()
        for there, here in {
            "listener 8883": f"listener {self.port} 127.0.0.1",
            "/run/secrets/server.pem": str(self.folder / "server.pem"),
            "/tmp/passwords": str(passwords),  # noqa: S108
            "/etc/ecgstream/mosquitto.acl": str(acl),
            "/mosquitto/data/": f"{self.folder / 'data'}/",
        }.items():
            assert there in written
            written = written.replace(there, here)
        if os.geteuid() == 0:
            written += "user root\n"  # or it would become somebody who may not read these
        (self.folder / "mosquitto.conf").write_text(written)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

"""A server's identity on loopback, and those who trust it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.certificates import Authority


class Identity(NamedTuple):
    """What a server shows, and the file that makes it trusted."""

    context: ssl.SSLContext
    trusted: Path


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.make("authority")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.issue("loopback", folder / "server.pem"))
    return Identity(context, authority.write(folder / "authority.pem"))

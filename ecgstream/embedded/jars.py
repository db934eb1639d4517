"""Apache Kafka's jars, fetched once into the user's cache directory.

The file `kafka-<version>.sha256` beside this one pins every jar: checksum, size, Maven coordinates. After a
change of version, `python -m ecgstream.embedded.jars` writes it anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ecgstream.embedded.errors import ServiceUnavailableError

KAFKA_VERSION = "4.4.0"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",  # else the broker logs nothing
)
_TRIES = 3
_TIMEOUT_S = 60

WAYS_OUT = (
    "Set ECGSTREAM_KAFKA=host:port to use a broker you have, or run the centre in containers: "
    "deploy/README.md."
)


@dataclass(frozen=True)
class Jar:
    """A jar as it is pinned."""

    sha256: str
    size: int
    coordinates: str  # group:artifact:version, or group:artifact:version:classifier

    @property
    def filename(self) -> str:
        """The name in a Maven repository, and in our cache."""
        return "-".join(self.coordinates.split(":")[1:]) + ".jar"


def _pin_file() -> Path:
    return Path(__file__).with_name(f"kafka-{KAFKA_VERSION}.sha256")


def pinned() -> list[Jar]:
    """Read the pinned jars."""
    jars = []
    for line in _pin_file().read_text().splitlines():
        if line and not line.startswith("#"):
            sha256, size, coordinates = line.split()
            jars.append(Jar(sha256, int(size), coordinates))
    return jars


def cache_directory() -> Path:
    """Where this user's downloads are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecgstream"


def kafka_directory() -> Path:
    """Where the jars of the pinned Kafka are, or will be."""
    return cache_directory() / f"kafka-{KAFKA_VERSION}"


def kafka_is_here() -> bool:
    """Say whether every jar is in the cache, by its size."""
    directory = kafka_directory()
    try:
        return all((directory / jar.filename).stat().st_size == jar.size for jar in pinned())
    except OSError:
        return False


def kafka_classpath() -> str:
    """Return Java's class path for Kafka, fetching the jars when they are not here yet.

    Raises ServiceUnavailableError when they cannot be fetched.
    """
    directory = kafka_directory()
    if not kafka_is_here():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(directory.with_name(f"{directory.name}.lock")):
            if not kafka_is_here():  # another process may have fetched them while we waited
                _fetch(directory)
    return os.pathsep.join(str(directory / jar.filename) for jar in pinned())


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(directory: Path) -> None:
    for left in directory.parent.glob(f"{directory.name}.*.part"):
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f"{directory.name}.", suffix=".part", dir=directory.parent))
    try:
        jars = pinned()
        _trust_what_the_machine_trusts()
        context = _maven(part / "maven")
        with _progress(len(jars), sum(jar.size for jar in jars)) as advance:
            for jar in jars:
                file = part / jar.filename
                _download(context, jar.coordinates).rename(file)
                found = hashlib.sha256(file.read_bytes()).hexdigest()
                if found != jar.sha256:
                    message = (
                        f"{jar.filename}, as downloaded, is not the file that ecgstream pins: "
                        f"SHA-256 {found} instead of {jar.sha256}. It is thrown away. {WAYS_OUT}"
                    )
                    raise ServiceUnavailableError(message)
                advance(jar.size)
        shutil.rmtree(part / "maven")
        part.chmod(0o755)
        shutil.rmtree(directory, ignore_errors=True)
        part.rename(directory)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _trust_what_the_machine_trusts() -> None:
    """Let downloads pass a hospital's proxy: its certificate is in the machine's store, not in certifi's."""
    store = ssl.get_default_verify_paths()
    if store.cafile:
        os.environ.setdefault("REQUESTS_CA_BUNDLE", store.cafile)


def _maven(repository: Path) -> Any:
    """Make jgo's context: the registry jgo knows, after those the user told it of (mirrors)."""
    from jgo.config import GlobalSettings  # only a first start needs it
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    registries = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    return MavenContext(repo_cache=repository, remote_repos=registries, timeout=_TIMEOUT_S)


def _download(context: Any, coordinates: str) -> Path:
    artifact = context.create_dependency(coordinates).artifact
    tries = 0
    while True:
        tries += 1
        try:
            return Path(artifact.resolve())
        except (OSError, RuntimeError) as error:  # what requests raises is an OSError
            Path(artifact.cached_path).unlink(missing_ok=True)
            if tries == _TRIES:
                message = (
                    f"Apache Kafka {KAFKA_VERSION} is needed once from the Maven registry, which cannot be "
                    f"reached ({type(error).__name__} at {coordinates}). {WAYS_OUT}"
                )
                raise ServiceUnavailableError(message) from error


@contextmanager
def _progress(count: int, size: int) -> Iterator[Callable[[int], None]]:
    """Show how far the download is: a bar on a terminal, else a line now and then."""
    console = Console(stderr=True)
    title = f"Fetching Apache Kafka {KAFKA_VERSION}"
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(title, total=size)
            yield lambda more: progress.advance(task, more)
        return

    done = files = 0

    def advance(more: int) -> None:
        nonlocal done, files
        before, done, files = done, done + more, files + 1
        if done * 4 // size > before * 4 // size:
            sys.stderr.write(f"{title}: {files} of {count} jars, {done / 1e6:.0f} of {size / 1e6:.0f} MB\n")

    sys.stderr.write(f"{title} (once): {count} jars, {size / 1e6:.0f} MB\n")
    yield advance


def pin() -> None:
    """Resolve Kafka's dependencies anew and write the file of pins."""
    with tempfile.TemporaryDirectory() as directory:
        context = _maven(Path(directory))
        inputs, others = context.resolver.resolve([context.create_dependency(c) for c in COORDINATES])
        lines = []
        for dependency in [*inputs, *others]:
            artifact = dependency.artifact
            parts = [artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier]
            content = _download(context, ":".join(part for part in parts if part)).read_bytes()
            coordinates = ":".join(part for part in parts if part)
            lines.append(f"{hashlib.sha256(content).hexdigest()} {len(content)} {coordinates}\n")
    head = "# Written by `python -m ecgstream.embedded.jars`: SHA-256, bytes, Maven coordinates.\n"
    _pin_file().write_text(head + "".join(lines))


if __name__ == "__main__":
    pin()

"""Kafka's jars, without a network: a stand-in registry gives the files."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from requests.exceptions import ConnectionError as NoConnection

from ecgstream.embedded import jars
from ecgstream.embedded.errors import ServiceUnavailableError

CONTENT = {"org.example:one:1.0": b"one" * 100, "org.example:two:2.0": b"two" * 200}


class Registry:
    """Stands in for jgo's context."""

    def __init__(self, directory: Path, content: dict[str, bytes], failures: int = 0) -> None:
        self.directory = directory
        self.content = content
        self.failures = failures
        self.asked = 0

    def into(self, directory: Path) -> Registry:
        self.directory = directory
        return self

    def create_dependency(self, coordinates: str) -> Any:
        file = self.directory / coordinates.replace(":", "_")

        def resolve() -> Path:
            self.asked += 1
            file.parent.mkdir(parents=True, exist_ok=True)
            assert not file.exists()  # as jgo demands
            if self.failures:
                self.failures -= 1
                file.write_bytes(b"half a f")
                raise NoConnection("no route")
            file.write_bytes(self.content[coordinates])
            return file

        return SimpleNamespace(artifact=SimpleNamespace(resolve=resolve, cached_path=file))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    pins = tmp_path / "pins"
    lines = [f"{hashlib.sha256(data).hexdigest()} {len(data)} {name}\n" for name, data in CONTENT.items()]
    pins.write_text("# a comment\n" + "".join(lines))
    registry = Registry(tmp_path, dict(CONTENT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(jars, "_pin_file", lambda: pins)
    monkeypatch.setattr(jars, "_maven", registry.into)
    return registry


def kept() -> list[str]:
    return sorted(path.name for path in jars.cache_directory().iterdir() if not path.name.endswith(".lock"))


def test_jars_are_fetched_once(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    first = jars.kafka_classpath()
    assert [Path(jar).read_bytes() for jar in first.split(":")] == list(CONTENT.values())
    assert "Fetching Apache Kafka" in capsys.readouterr().err
    assert jars.kafka_classpath() == first
    assert registry.asked == 2
    assert capsys.readouterr().err == ""


def test_a_registry_out_of_reach_names_the_ways_out(registry: Registry) -> None:
    registry.failures = 10**6
    with pytest.raises(ServiceUnavailableError) as caught:
        jars.kafka_classpath()
    assert "cannot be reached (ConnectionError at org.example:one:1.0)" in str(caught.value)
    assert "ECGSTREAM_KAFKA=host:port" in str(caught.value)
    assert "deploy/README.md" in str(caught.value)
    assert kept() == []


def test_a_break_in_between_is_tried_again(registry: Registry) -> None:
    registry.failures = 2
    jars.kafka_classpath()
    assert jars.kafka_is_here()


def test_a_file_that_is_not_the_pinned_one_is_not_kept(registry: Registry) -> None:
    registry.content["org.example:two:2.0"] = b"owt" * 200
    with pytest.raises(ServiceUnavailableError, match=r"two-2\.0\.jar, as downloaded, is not the file"):
        jars.kafka_classpath()
    assert kept() == []
    assert not jars.kafka_is_here()


def test_a_jar_that_was_cut_is_fetched_again(registry: Registry) -> None:
    jar = Path(jars.kafka_classpath().split(":")[0])
    jar.write_bytes(b"on")
    jars.kafka_classpath()
    assert jar.read_bytes() == CONTENT["org.example:one:1.0"]


def test_a_fetch_that_was_broken_off_leaves_nothing(registry: Registry) -> None:
    left = jars.kafka_directory().with_name(f"{jars.kafka_directory().name}.abc.part")
    left.mkdir(parents=True)
    (left / "one-1.0.jar").write_bytes(b"half")
    jars.kafka_classpath()
    assert kept() == [jars.kafka_directory().name]


def test_two_at_once_fetch_once(registry: Registry) -> None:
    threads = [threading.Thread(target=jars.kafka_classpath) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.asked == 2
    assert jars.kafka_is_here()


def test_every_real_jar_is_pinned() -> None:
    pinned = jars.pinned()
    names = [jar.coordinates for jar in pinned]
    assert set(jars.COORDINATES) <= set(names)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in pinned)
    assert len({jar.filename for jar in pinned}) == len(pinned)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    program = "import sys, ecgstream.embedded.jars; print('jgo' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"

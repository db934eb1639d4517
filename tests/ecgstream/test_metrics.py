"""What Prometheus and a supervisor are answered."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

import ecgstream
from ecgstream.metrics import ALIVE_S, Health, serve
from ecgstream.settings import Settings

LABELS = {
    "service", "version", "partition", "reason", "result", "topic", "table", "priority", "channel", "state",
    "server", "group", "code", "le", "outcome", "status",
}  # fmt: skip
"""Each of a bounded set; none of them names a device, a gateway or a patient."""


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Iterator[Health]:
    with Health(clock) as made:
        made.serve("127.0.0.1", 0)
        yield made


def ask(health: Health, path: str, **more: Any) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{health.port}{path}", **more)


def test_a_service_whose_loop_stands_still_is_not_alive(health: Health, clock: Clock) -> None:
    health.ready(is_ready=True)
    assert (ask(health, "/health").status_code, ask(health, "/ready").status_code) == (200, 200)
    clock.now_s += ALIVE_S + 1
    assert (ask(health, "/health").status_code, ask(health, "/ready").status_code) == (503, 503)
    health.beat()
    assert (ask(health, "/health").status_code, ask(health, "/ready").status_code) == (200, 200)


def test_a_service_is_ready_only_while_it_says_so(health: Health) -> None:
    assert (ask(health, "/health").status_code, ask(health, "/ready").status_code) == (200, 503)
    health.ready(is_ready=True)
    assert ask(health, "/ready").text == "ready\n"
    assert REGISTRY.get_sample_value("ecgstream_ready") == 1
    health.ready(is_ready=False)
    assert ask(health, "/ready").status_code == 503
    assert REGISTRY.get_sample_value("ecgstream_ready") == 0


def test_metrics_are_given_as_prometheus_reads_them(health: Health) -> None:
    serve(Settings(kafka="nowhere:1"), "sink")  # no port: nothing listens, and all is counted
    answer = ask(health, "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    (build,) = (s for s in families["ecgstream_build_info"].samples if s.labels["service"] == "sink")
    assert (build.labels["version"], build.value) == (ecgstream.__version__, 1)
    assert "process_resident_memory_bytes" in families
    assert answer.headers["content-type"].startswith("text/plain")


def test_anything_else_is_not_there(health: Health) -> None:
    assert ask(health, "/").status_code == 404
    assert httpx.post(f"http://127.0.0.1:{health.port}/metrics").status_code == 501


def test_a_port_that_is_taken_is_one_line_that_says_what_to_do(health: Health) -> None:
    with pytest.raises(SystemExit, match=r"cannot listen .* \(Address already in use\): give each service"):
        serve(Settings(kafka="nowhere:1", metrics_port=health.port), "sink")


def our_metrics() -> dict[str, MetricWrapperBase]:
    found = {}
    for module in pkgutil.walk_packages(ecgstream.__path__, "ecgstream."):
        if module.name.endswith("metrics"):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, MetricWrapperBase):
                    found[value.describe()[0].name] = value
    return found


def test_every_metric_has_our_name_and_bounded_labels() -> None:
    found = our_metrics()
    assert {"ecgstream_worker_lag_seconds", "ecgstream_sink_rows", "ecgstream_pager_alerts"} <= set(found)
    assert [name for name in found if not name.startswith("ecgstream_")] == []
    assert {label for metric in found.values() for label in metric._labelnames} <= LABELS

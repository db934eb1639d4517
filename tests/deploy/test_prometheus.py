"""Alert rules speak of metrics that exist, and each is explained and has a timeline, which promtool plays."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from tests.deploy.composed import DEPLOY, TOP, compose

FOLDER = DEPLOY / "prometheus"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
TIMELINES = [
    test
    for timeline in yaml.safe_load((FOLDER / "alerts.test.yml").read_text("utf-8"))["tests"]
    for test in timeline["alert_rule_test"]
]
OF_PROMETHEUS = {"up", "process_start_time_seconds", "process_cpu_seconds_total"}
FUNCTIONS = {
    "sum",
    "count",
    "max",
    "rate",
    "increase",
    "deriv",
    "changes",
    "absent",
    "histogram_quantile",
    "time",
}
WORDS = {"by", "on", "and", "or"}


def metrics() -> dict[str, Metric]:
    """Every metric that a service of ours serves, by the names of its samples."""
    modules = [
        ".".join(path.relative_to(TOP).with_suffix("").parts)
        for folder in ("ecgstream", "alerts", "devices")
        for path in (TOP / folder).rglob("*metrics.py")
    ]
    assert len(modules) >= 5
    for module in modules:
        importlib.import_module(module)
    found = {}
    for metric in REGISTRY.collect():
        for suffix in ("", "_total", "_bucket", "_count", "_sum"):
            found[f"{metric.name}{suffix}"] = metric
    return found


KNOWN = metrics()


def names(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    plain = re.sub(r"\{.*?\}|\[.*?\]|\b(by|on) \(.*?\)|\"[^\"]*\"", " ", expression)
    return set(re.findall(r"[a-z_]\w*", plain)) - FUNCTIONS - WORDS - {"e9"}


@pytest.mark.parametrize("alert", RULES)
def test_a_rule_reads_metrics_that_exist(alert: str) -> None:
    found = names(RULES[alert]["expr"])
    assert found
    assert {name for name in found - OF_PROMETHEUS if name not in KNOWN} == set()
    assert {name for name in found - OF_PROMETHEUS if not name.startswith("ecgstream_")} == set()


@pytest.mark.parametrize("alert", RULES)
def test_a_rule_says_how_urgent_it_is_and_what_is_the_matter(alert: str) -> None:
    rule = RULES[alert]
    assert rule["labels"]["priority"] in ("high", "medium", "low")
    assert len(rule["annotations"]["summary"]) > 20


@pytest.mark.parametrize("alert", RULES)
def test_a_rule_has_a_timeline_that_raises_it_and_most_one_that_does_not(alert: str) -> None:
    raised = [bool(test.get("exp_alerts")) for test in TIMELINES if test["alertname"] == alert]
    assert any(raised)
    compared_beside_others = {"CheckpointsSlow", "RegistryFails"}
    assert not all(raised) or alert in compared_beside_others


@pytest.mark.parametrize("alert", RULES)
def test_a_rule_is_explained_to_whoever_is_woken_by_it(alert: str) -> None:
    assert f"| `{alert}` |" in (TOP / "docs" / "operations.md").read_text("utf-8")


def test_labels_of_rules_are_labels_of_the_metrics() -> None:
    for alert, rule in RULES.items():
        for name, labels in re.findall(r"(\w+)\{(.*?)\}", rule["expr"]):
            if name in KNOWN:
                used = set(re.findall(r"(\w+)=", labels)) - {"job", "instance"}
                of_metric = set(label_names(name))
                assert used <= of_metric, (alert, name)


def label_names(name: str) -> tuple[str, ...]:
    collectors = getattr(REGISTRY, "_names_to_collectors")  # noqa: B009 - private, and there is no other way
    return tuple(getattr(collectors[name], "_labelnames", ()))


def test_every_service_of_compose_is_asked() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    asked = {t for job in config["scrape_configs"] for s in job["static_configs"] for t in s["targets"]}
    served = {
        name
        for name, service in compose()["services"].items()
        if service["image"].startswith("ecgstream-")
        and service.get("healthcheck", {}).get("test", [""])[1:2] == ["healthy"]
    }
    port = re.findall(
        r"ECGSTREAM_METRICS_PORT=(\d+)", (DEPLOY / "images" / "Containerfile").read_text("utf-8")
    )
    assert asked == {f"{name}:{port[0]}" for name in served}

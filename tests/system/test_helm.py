"""What Helm makes of the chart, held against the schemas of Kubernetes, KEDA and the Prometheus Operator."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as operator
from pydantic import SecretStr

from ecgstream.cli import app
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.settings import PREFIX, Settings
from tests.deploy.composed import DEPLOY, GATEWAYS, services_of_the_cli
from tests.system.conftest import lacking
from tests.system.tools import tool

CHART = DEPLOY / "helm" / "ecgstream"
KUBERNETES = ("1.27", "1.37")
"""The oldest that the chart takes, and the newest whose schemas are here."""
OTHERS: dict[str, Any] = {
    "ScaledObject": keda.ScaledObject,
    "TriggerAuthentication": keda.TriggerAuthentication,
    "PodMonitor": operator.PodMonitor,
    "PrometheusRule": operator.PrometheusRule,
}
NEEDED: dict[str, Any] = {
    "image": {"repository": "example.org/ecgstream-centre"},
    "kafka": {"bootstrap": "kafka-1:9093,kafka-2:9093", "caSecret": "kafka-ca"},
}
VALUES: dict[str, dict[str, Any]] = {
    "needed": {},
    "everything": {
        "worker": {"scale": {"enabled": True, "min": 4}},
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "receive": {"enabled": True, "repository": "example.org/ecgstream-gateway"},
        "settings": {
            "lost_link_s": "15",
            "keep_traces_days": "365",
            "web_url": "https://monitor.example",
        },
        "nodeSelector": {"for": "ecgstream"},
        "tolerations": [{"key": "for", "operator": "Equal", "value": "ecgstream", "effect": "NoSchedule"}],
        "priorityClassName": "patients",
        "image": {"tag": "0.1.0-rc1", "pullSecrets": ["registry-login"]},
    },
    "a ward": {
        "worker": {"replicas": 1},
        "pager": {"replicas": 1},
        "web": {"replicas": 1},
        "sink": {"replicas": 1},
        "networkPolicy": {"enabled": False},
        "migrate": {"enabled": False},
    },
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no broker": ({"kafka": {"bootstrap": ""}}, "bootstrap"),
    "no image": ({"image": {"repository": ""}}, "repository"),
    "a value that nobody knows": ({"worker": {"replica": 3}}, "replica"),
    "a secret in the clear": ({"settings": {"database": "postgresql://me:word@db/x"}}, "'database'"),
    "a key in the clear": ({"settings": {"link_key": "k" * 32}}, "'link_key'"),
    "more workers than partitions": ({"kafka": {"partitions": 4}, "worker": {"replicas": 5}}, "no work"),
    "more by lag than partitions": ({"worker": {"scale": {"max": 33}}}, "no work"),
    "a second registry": ({"registry": {"replicas": 2}}, "registry"),
    "a receiver without an image": ({"receive": {"enabled": True}}, "receive.repository"),
    "an image that changes": ({"image": {"tag": "latest"}}, "tag"),
}
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def helm() -> str:
    try:
        return tool("helm")
    except ServiceUnavailableError as error:
        why = error
    lacking(why)
    raise why


def merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    both = {**low, **high}
    for key in low.keys() & high.keys():
        if isinstance(low[key], dict):
            both[key] = merged(low[key], high[key])
    return both


def run(helm: str, tmp_path: Path, values: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "values.json"
    file.write_text(json.dumps(merged(NEEDED, values)))
    argv = [helm, *words, "--values", file, "--kube-version", f"{KUBERNETES[0]}.0"]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.fixture(params=VALUES)
def manifests(request: pytest.FixtureRequest, helm: str, tmp_path: Path) -> list[Manifest]:
    done = run(helm, tmp_path, VALUES[request.param], "template", "centre", str(CHART), "--namespace", "ecg")
    assert done.returncode == 0, done.stderr
    found = [m for m in yaml.safe_load_all(done.stdout) if m]
    assert len(found) > 8
    return found


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pods' specifications, by service."""
    found = {}
    for manifest in manifests:
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            labels = spec["template"]["metadata"]["labels"]
            found[labels["app.kubernetes.io/component"]] = spec["template"]["spec"]
    return found


@pytest.mark.parametrize("name", VALUES)
def test_the_chart_has_no_flaw_that_helm_knows(helm: str, tmp_path: Path, name: str) -> None:
    done = run(helm, tmp_path, VALUES[name], "lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_values_that_cannot_be_meant_are_refused(helm: str, tmp_path: Path, name: str) -> None:
    values, said = REFUSED[name]
    done = run(helm, tmp_path, values, "template", "centre", str(CHART))
    assert done.returncode != 0
    assert said in done.stderr


def test_every_manifest_is_what_kubernetes_takes(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        if manifest["kind"] in OTHERS:
            read = OTHERS[manifest["kind"]].model_validate(manifest)
            # Fields that it does not know would be gone.
            assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest
        else:
            for version in KUBERNETES:
                kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_does_not_exist_is_noticed(manifests: list[Manifest]) -> None:
    (worker,) = (m for m in manifests if m["kind"] == "StatefulSet")
    worker["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessProb"):
        kubernetes_validate.validate(worker, KUBERNETES[0], strict=True)


def test_every_service_of_the_centre_runs_and_is_probed(manifests: list[Manifest]) -> None:
    found = pods(manifests)
    # They run in hospitals, or beside the database's server, which is not in the chart either.
    lasting = services_of_the_cli() - (GATEWAYS - {"receive"}) - {"witness"}
    assert lasting - {"receive"} <= set(found)
    for service, pod in found.items():
        (container,) = pod["containers"]
        assert container["args"][0] == service
        assert len(container["args"]) == 1 or service == "receive"
        assert container["args"][0] in app
        probes = {key for key in container if key.endswith("Probe")}
        assert probes == (
            {"startupProbe", "livenessProbe", "readinessProbe"} if service in lasting else set()
        )


def test_pods_may_do_nothing_that_they_need_not(manifests: list[Manifest]) -> None:
    for pod in pods(manifests).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]
        assert not container["image"].endswith(":latest")


def test_settings_exist_and_are_accepted(
    manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    maps = {m["metadata"]["name"]: m["data"] for m in manifests if m["kind"] == "ConfigMap"}
    for pod in pods(manifests).values():
        (container,) = pod["containers"]
        environment = {e["name"]: e.get("value", "pod-0") for e in container["env"]}
        for source in container.get("envFrom", ()):
            environment |= maps[source["configMapRef"]["name"]]
        assert set(environment) <= known
        with monkeypatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            if f"{PREFIX}KAFKA" in environment:
                (tmp_path / "kafka_password").write_text("word")
                patch.setenv(f"{PREFIX}SECRETS", str(tmp_path))
            if "lost_link_s" in str(maps).lower():
                assert (Settings().lost_link_s, Settings().keep_traces_days) == (15.0, 365)
            assert Settings().kafka_security == (
                "SASL_SSL" if f"{PREFIX}KAFKA" in environment else "PLAINTEXT"
            )


def test_secrets_are_named_and_never_made(manifests: list[Manifest]) -> None:
    assert not [m for m in manifests if m["kind"] == "Secret"]
    secret = {
        f"{PREFIX}{f.upper()}" for f, info in Settings.model_fields.items() if info.annotation is SecretStr
    }
    for service, pod in pods(manifests).items():
        (container,) = pod["containers"]
        assert not secret & {e["name"] for e in container["env"]}
        (volume,) = (v for v in pod["volumes"] if v["name"] == "secrets")
        names = [source["secret"]["name"] for source in volume["projected"]["sources"]]
        assert names[0] == f"ecgstream-{service}"
        assert names[1:] == (["kafka-ca"] if service in services_of_the_cli() else [])


def test_workers_have_names_that_last_and_are_never_more_than_partitions(manifests: list[Manifest]) -> None:
    (workers,) = (m for m in manifests if m["kind"] == "StatefulSet")
    (container,) = workers["spec"]["template"]["spec"]["containers"]
    (static,) = (e for e in container["env"] if e["name"] == f"{PREFIX}WORKER")
    assert static["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    scaled = [m for m in manifests if m["kind"] == "ScaledObject"]
    assert len(scaled) + ("replicas" in workers["spec"]) == 1
    for one in scaled:
        (settings,) = (m["data"] for m in manifests if f"{PREFIX}PARTITIONS" in m.get("data", {}))
        assert one["spec"]["maxReplicaCount"] == int(settings[f"{PREFIX}PARTITIONS"])
        assert one["spec"]["scaleTargetRef"]["name"] == workers["metadata"]["name"]
        (trigger,) = one["spec"]["triggers"]
        assert (trigger["metadata"]["consumerGroup"], trigger["metadata"]["topic"]) == (
            "ecgstream-worker",
            "ecg.ingest",
        )


def test_whoever_runs_more_than_once_is_not_disturbed_at_once(manifests: list[Manifest]) -> None:
    guarded = {
        m["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        for m in manifests
        if m["kind"] == "PodDisruptionBudget"
    }
    several = {
        m["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        for m in manifests
        if m["kind"] == "Deployment" and m["spec"]["replicas"] > 1
    }
    assert guarded == several | {"worker"}


def test_a_selector_never_changes_with_a_version(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        selector = manifest.get("spec", {}).get("selector", {}).get("matchLabels", {})
        assert set(selector) <= {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component")}


@pytest.mark.parametrize("name", ["web", "monitor"])
def test_what_people_open_is_a_service_of_the_ports_that_its_pods_name(
    manifests: list[Manifest], name: str
) -> None:
    (service,) = (
        m for m in manifests if m["kind"] == "Service" and m["metadata"]["name"] == f"centre-{name}"
    )
    (pod,) = (m for m in manifests if m["kind"] == "Deployment" and m["metadata"]["name"] == f"centre-{name}")
    labels = pod["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (container,) = pod["spec"]["template"]["spec"]["containers"]
    listens = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert [port["targetPort"] for port in service["spec"]["ports"]] == [name]
    assert listens[name] == getattr(Settings(), f"{name}_port")
    told = {e["name"]: e.get("value") for e in container["env"]}
    assert told[f"{PREFIX}{name.upper()}_HOST"] == "0.0.0.0"  # noqa: S104 - of the pod
    assert told.get(f"{PREFIX}CODES") == ("/run/secrets/codes" if name == "web" else None)


def test_what_a_receiver_has_answered_outlives_its_pod(manifests: list[Manifest]) -> None:
    claims = {m["metadata"]["name"] for m in manifests if m["kind"] == "PersistentVolumeClaim"}
    receivers = [
        m for m in manifests if m["metadata"]["name"] == "centre-receive" and m["kind"] == "Deployment"
    ]
    assert len(receivers) == len(claims)
    for receiver in receivers:
        pod = receiver["spec"]["template"]["spec"]
        (data,) = (v for v in pod["volumes"] if v["name"] == "data")
        assert {data["persistentVolumeClaim"]["claimName"]} == claims
        assert receiver["spec"]["strategy"] == {"type": "Recreate"}
        assert pod["containers"][0]["image"] == "example.org/ecgstream-gateway:0.1.0-rc1"


def test_nobody_reaches_a_service_but_who_reads_metrics_and_takes_people_in(
    manifests: list[Manifest],
) -> None:
    policies = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "NetworkPolicy"}
    for service in pods(manifests) if policies else ():
        spec = policies[f"centre-{service}"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        found = {ingress["ports"][0]["port"]: ingress["from"] for ingress in spec["ingress"]}
        assert set(found) == {"metrics"} | ({service} & {"web", "monitor", "receive"})
        assert len(found) == len(spec["ingress"])
        assert len({str(whence) for whence in found.values()}) == len(found)
        ports = {p["port"] for rule in spec["egress"] for p in rule["ports"]}
        assert (443 in ports) == (service in ("pager", "watch"))

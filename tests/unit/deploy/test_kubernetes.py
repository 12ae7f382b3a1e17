"""The manifests: hardened pods, probes that the api answers, budgets, and one number for every embedder and node."""

from typing import Any

import pytest

from tests.unit.deploy.started import KUBERNETES, containers, kustomization, manifests, workloads

SERVING = [found for found in workloads() if found["kind"] != "Job"]
MANIFESTS = manifests()


def named(found: dict[str, Any]) -> str:
    return str(found["metadata"]["name"])


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [found for found in MANIFESTS if found["kind"] == kind]


def test_kustomize_reads_every_file() -> None:
    for name in ("base", "keda"):
        files = {path.name for path in (KUBERNETES / name).glob("*.yaml")} - {"kustomization.yaml"}
        assert files == {resource for resource in kustomization(name)["resources"] if resource.endswith(".yaml")}
    assert {image["name"] for image in kustomization()["images"]} == {one["image"] for _, one in containers()}


@pytest.mark.parametrize("workload", workloads(), ids=named)
def test_pods_are_not_root_and_change_nothing_of_themselves(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= set(container["resources"])


@pytest.mark.parametrize("workload", SERVING, ids=named)
def test_every_role_has_a_budget_for_disruptions(workload: dict[str, Any]) -> None:
    budgets = [found["spec"]["selector"] for found in of_kind("PodDisruptionBudget")]
    assert budgets.count(workload["spec"]["selector"]) == 1
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"] == labels


def test_every_role_that_can_be_asked_is_probed() -> None:
    for name, container in containers():
        probe = container.get("readinessProbe", {})
        if "exec" in probe:
            words = " ".join(probe["exec"]["command"])
            assert f"manage.py {' '.join(container['args'][:2])}" in words
            assert words.endswith("--check")
        elif name == "embeddings-api":
            assert probe["httpGet"]["path"] == "/readyz"
            probes = [container[kind] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]
            # Under the address of a pod the api would refuse them.
            assert all(one["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "localhost"}] for one in probes)
        else:
            assert name in ("embeddings-beat", "embeddings-bootstrap", "embeddings-bulk")


def test_prometheus_reaches_the_counters_of_every_role_that_has_some() -> None:
    counted = {
        container["name"]
        for _, container in containers()
        for item in container["env"]
        if item["name"] == "METRICS_PORT"
        and {"name": "metrics", "containerPort": int(item["value"])} in container["ports"]
    }
    policy = next(found for found in of_kind("NetworkPolicy") if named(found) == "embeddings-metrics")
    (roles,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert counted == set(roles["values"]) == {"embedder", "node", "indexer"}


def test_nodes_and_embedders_take_their_number_from_their_pod() -> None:
    # The role bulk has one for its volume alone.
    numbered = [found for found in SERVING if found["kind"] == "StatefulSet" and named(found) != "embeddings-bulk"]
    assert {named(found) for found in numbered} == {"embeddings-embedder", "embeddings-node-0", "embeddings-node-1"}
    for found in numbered:
        (container,) = found["spec"]["template"]["spec"]["containers"]
        sources = [item["valueFrom"]["fieldRef"]["fieldPath"] for item in container["env"] if "fieldRef" in str(item)]
        assert sources == ["metadata.labels['apps.kubernetes.io/pod-index']"]


def test_every_shard_has_the_replicas_of_the_layout() -> None:
    (generated,) = kustomization()["configMapGenerator"]
    replicas = [found["spec"]["replicas"] for found in SERVING if named(found).startswith("embeddings-node-")]
    assert [f"REPLICAS={count}" for count in set(replicas)] == [
        literal for literal in generated["literals"] if literal.startswith("REPLICAS=")
    ]


def test_only_the_api_is_reached() -> None:
    everything, api, metrics = of_kind("NetworkPolicy")
    assert everything["spec"]["podSelector"] == {"matchLabels": {"app": "embeddings"}}
    assert set(everything["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in everything["spec"]
    assert api["spec"]["podSelector"]["matchLabels"]["role"] == "api"
    (rule,) = metrics["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "metrics"}]
    assert {labels["app"] for labels in (found["spec"]["template"]["metadata"]["labels"] for found in workloads())} == {
        "embeddings"
    }


def test_the_scaler_scales_what_is_there() -> None:
    (scaler,) = of_kind("ScaledObject")
    target = scaler["spec"]["scaleTargetRef"]
    (found,) = [one for one in SERVING if (one["kind"], named(one)) == (target["kind"], target["name"])]
    assert "replicas" not in found["spec"]
    assert scaler["spec"]["minReplicaCount"] >= 1

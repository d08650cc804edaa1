"""From a step to its pod: golden files, and what each option does."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.pod_bench import kubernetes_config

from airflow_mlpipe.compute.kubernetes_ import names
from airflow_mlpipe.compute.kubernetes_.spec import pod_of, secret_of
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model import Environment, Gpu, PipelineData, Resources
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.step import CodeSpec, OutputPath, OutputPort, StepSpec, Text
from airflow_mlpipe.runtime.job import Job, PinnedImage
from airflow_mlpipe.runtime.plan import plan

GOLDEN = Path(__file__).parents[2] / "golden" / "kubernetes"
DIGEST = "sha256:" + "ab" * 32
WORKSPACE = names.workspace_label("s3://ml/workspace")
AGENT = "registry/mlpipe-agent:1"
GPUS = {
    "a100": {
        "node_selector": {"cloud.google.com/gke-accelerator": "nvidia-tesla-a100"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "memory": "40Gi",
    },
    "h100": {"node_selector": {"gpu": "h100"}, "memory": "80Gi"},
    "slice": {"resource": "nvidia.com/mig-1g.10gb", "memory": "10Gi"},
}
TEMPLATE = """
metadata:
  labels: {team: vision, mlpipe.dag: another}
spec:
  dnsPolicy: Default
  terminationGracePeriodSeconds: 120
  tolerations: [{key: team, operator: Equal, value: vision, effect: NoSchedule}]
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a, b]}]}]
  volumes: [{name: certificates, configMap: {name: company-ca}}]
  containers:
    - name: main
      image: ignored
      env: [{name: HTTPS_PROXY, value: "http://proxy:3128"}, {name: LANG, value: ignored}]
      volumeMounts: [{name: certificates, mountPath: /etc/company}]
    - name: metrics
      image: registry/metrics:1
  initContainers:
    - name: mlpipe-agent
      resources: {limits: {memory: 4Gi}}
    - name: warm-up
      image: registry/warm-up:1
"""


def config(**members: object) -> KubernetesConfig:
    return kubernetes_config(agent_image=AGENT, **members)


def job(resources: Resources | None = None, **members: Any) -> Job:
    """A step with a script."""
    step = StepSpec(
        label="vision/manual__2026-11-21T23:22:16+00:00/train.fit",
        kind="script",
        code=CodeSpec(root="/nowhere", entry="train.py"),
        command=(Text("--lr", "--lr"), Text("{{ lr }}", 0.1), Text("x", "$(HOME) costs $5"), OutputPath("model")),
        parameters={"depth": 3},
        outputs=(OutputPort(data=PipelineData("model")),),
        environment=Environment(image="registry/train:1", variables={"PRICE": "$$ and $(X)"}),
        resources=resources,
    )
    who = Producer(
        dag_id="vision", task_id="train.fit", run_id="manual__2026-11-21T23:22:16+00:00", map_index=3, try_number=2
    )
    found = Job(
        step=step,
        fingerprint="mlp1:" + "0" * 64,
        same="mlp1:" + "0" * 64,
        attempt="0123456789abcdef",
        producer=who,
        image=PinnedImage(name="registry/train:1", identity=DIGEST, reference=f"registry/train@{DIGEST}"),
    )
    return replace(found, **members)


FULL = Resources(cpu=1.5, memory="16Gi", gpu=Gpu(2, kind="a100"), shm="2Gi", disk="100Gi")
CASES: dict[str, tuple[Job, KubernetesConfig]] = {
    "least": (job(), config()),
    "all": (
        job(FULL, secrets={"token": "swordfish"}, timeout=3600.0),
        config(
            gpus=GPUS,
            namespace="ml",
            service_account="training",
            priority_class="batch",
            runtime_class="nvidia",
            queue="team-a",
            image_pull_secrets=["registry"],
            volumes={"lake": {"claim": "lake", "sub_path": "raw", "read_only": True}, "workspace": "ml"},
            labels={"cost": "research"},
            annotations={"example.com/owner": "vision@example.com"},
            read_only=True,
            user="2000:3000",
            publish_seconds=900,
        ),
    ),
    "template": (job(Resources(gpu=Gpu(1, kind="h100"))), config(gpus=GPUS, template=TEMPLATE)),
    "gpu_of_any_kind": (job(Resources(gpu=1)), config(gpus=GPUS)),
    "gpu_by_memory": (job(Resources(gpu=Gpu(1, memory="40Gi"))), config(gpus=GPUS)),
    "own_user": (
        job(image=PinnedImage(name="t", identity=DIGEST, reference=f"t@{DIGEST}", user="4242:4343")),
        config(),
    ),
}


def pod(name: str) -> dict[str, Any]:
    """The pod of a case."""
    one, options = CASES[name]
    return pod_of(one, plan(one, worker={}), options, workspace=WORKSPACE)


def main(found: dict[str, Any]) -> dict[str, Any]:
    """The user's container."""
    return next(c for c in found["spec"]["containers"] if c["name"] == "main")


@pytest.mark.parametrize("name", CASES)
def test_the_pod_is_the_golden_one(name: str) -> None:
    """What a cluster is asked for changes only on purpose; ``WRITE_GOLDEN=1`` writes the files."""
    found, file = pod(name), GOLDEN / f"{name}.json"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert json.loads(file.read_text()) == found


@pytest.mark.parametrize("name", CASES)
def test_an_api_takes_the_pod(name: str) -> None:
    """Its fields and types are those of the published API, and its values pass the rules."""
    from kubernetes_double.objects import defaults, rules, schema
    from kubernetes_double.objects.resources import PODS

    document = schema.check_types(PODS, {**pod(name), "metadata": {**pod(name)["metadata"], "namespace": "ml"}})
    defaults.pod(document)
    assert rules.check(PODS, document) == []


@pytest.mark.parametrize("name", [name for name in CASES if name != "template"])
def test_the_pod_passes_the_restricted_standard(name: str) -> None:
    """Of Pod Security; what a template adds is the deployment's."""
    from kubernetes_double.objects.pod_security import violations

    assert violations(pod(name)["spec"], {"pod-security.kubernetes.io/enforce": "restricted"}) is None


def test_no_secret_is_in_the_pod() -> None:
    """Neither its value, nor what could be computed from it."""
    assert "swordfish" not in json.dumps(pod("all"))


def test_the_program_gets_what_its_author_wrote() -> None:
    """A cluster makes one of two dollars, and so leaves each one that was there."""
    found = main(pod("least"))
    assert "$$(HOME) costs $$5" in found["args"]
    assert {"name": "PRICE", "value": "$$$$ and $$(X)"} in found["env"]
    assert "command" not in found


def test_the_shared_folder_is_the_agents_and_inputs_are_read_only() -> None:
    """The program cannot write to its inputs, nor see how datastores are opened."""
    mounts = {m["mountPath"]: m for m in main(pod("all"))["volumeMounts"]}
    assert mounts["/mlpipe/inputs"]["readOnly"] is True
    assert not any("stores" in m["name"] for m in mounts.values())
    assert mounts["/mlpipe-data/lake"] == {
        "name": "mlpipe-data-0",
        "mountPath": "/mlpipe-data/lake",
        "subPath": "raw",
        "readOnly": True,
    }


def test_a_template_adds_and_does_not_replace() -> None:
    """Containers are merged by name, variables and mounts by their key; what the step says stays."""
    found = pod("template")
    container = main(found)
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert variables["HTTPS_PROXY"] == "http://proxy:3128"
    assert variables["LANG"] == "C.UTF-8"
    assert container["image"] == f"registry/train@{DIGEST}"
    assert {m["mountPath"] for m in container["volumeMounts"]} >= {"/mlpipe", "/etc/company"}
    assert [c["name"] for c in found["spec"]["initContainers"]] == ["mlpipe-agent", "warm-up"]
    assert found["spec"]["initContainers"][0]["resources"]["limits"]["memory"] == "4Gi"
    assert found["spec"]["terminationGracePeriodSeconds"] == 120
    assert found["metadata"]["labels"]["team"] == "vision"
    assert found["metadata"]["labels"]["mlpipe.dag"] == "vision"


def test_the_order_of_the_template_and_of_gpus_is_met_by_both() -> None:
    """Node affinity of two sides is met together: of their terms, each pair is one."""
    one = job(Resources(gpu=Gpu(1, memory="40Gi")))
    found = pod_of(one, plan(one, worker={}), config(gpus=GPUS, template=TEMPLATE), workspace=WORKSPACE)
    affinity = found["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    keys = [[e["key"] for e in term["matchExpressions"]] for term in affinity["nodeSelectorTerms"]]
    assert keys == [["cloud.google.com/gke-accelerator", "zone"], ["gpu", "zone"]]


@pytest.mark.parametrize(
    ("gpu", "gpus", "words"),
    [
        (Gpu(1, kind="a100"), {}, "does not say which GPUs it has"),
        (Gpu(1, kind="v100"), GPUS, "valid: 'a100 of 40Gi', 'h100 of 80Gi', 'slice of 10Gi'"),
        (Gpu(1, memory="81Gi"), GPUS, "does not have such GPUs"),
    ],
)
def test_gpus_that_are_not_there_are_said_at_once(gpu: Gpu, gpus: dict[str, Any], words: str) -> None:
    """With those that there are."""
    one = job(Resources(gpu=gpu))
    with pytest.raises(DefinitionError, match=words):
        pod_of(one, plan(one, worker={}), config(gpus=gpus), workspace=WORKSPACE)


def test_a_resource_of_its_own_is_asked_for() -> None:
    """A slice of a GPU has another name."""
    one = job(Resources(gpu=Gpu(1, kind="slice")))
    found = pod_of(one, plan(one, worker={}), config(gpus=GPUS), workspace=WORKSPACE)
    assert main(found)["resources"]["limits"] == {"nvidia.com/mig-1g.10gb": "1"}


def test_root_is_refused_by_the_cluster_unless_the_deployment_says_so() -> None:
    """``image`` leaves the user to the image."""
    one = job()
    found = pod_of(one, plan(one, worker={}), config(user="image"), workspace=WORKSPACE)
    assert main(found)["securityContext"]["runAsNonRoot"] is False
    assert "runAsUser" not in main(found)["securityContext"]


def test_the_agent_runs_as_the_program_where_that_is_known() -> None:
    """So that it can read what the program wrote for itself alone."""
    spec = pod("own_user")["spec"]
    assert spec["initContainers"][0]["securityContext"]["runAsUser"] == 4242
    assert spec["securityContext"]["fsGroup"] == 4343
    assert "runAsUser" not in main(pod("own_user"))["securityContext"]


def test_the_secret_has_the_pods_name_and_labels() -> None:
    """So that whoever removes the one finds the other."""
    one, options = CASES["all"]
    found = secret_of(one, options, {"stores.json": b"{}"}, workspace=WORKSPACE)
    assert found["metadata"] == pod("all")["metadata"]
    assert found["data"] == {"stores.json": "e30="}
    assert found["immutable"] is True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("train", "train"),
        ("", ""),
        ("vision/run/train", "vision-run-train-"),
        ("größe", "gr-e-"),
        ("x" * 64, "x" * 50 + "-"),
        ("-x-", "x-"),
        ("日本", ""),
    ],
)
def test_values_of_labels_are_made_to_fit(text: str, value: str) -> None:
    """What fits stays; what does not gets a digest, so that two stay two."""
    from kubernetes_double.objects.names import labels

    found = names.label_value(text)
    assert found.startswith(value)
    assert names.label_value(text) == found
    assert list(labels("labels", {"mlpipe.dag": found})) == []
    assert found == text or names.label_value(text + "!") != found


@pytest.mark.parametrize("task", ["train", "Train.Fit", "größe/x", "y" * 300, "_", "9", "a-", "日本"])
def test_names_are_what_a_cluster_takes(task: str) -> None:
    """And the host's name fits too."""
    who = replace(job().producer, task_id=task)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", names.name_of(job(producer=who)))

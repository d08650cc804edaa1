"""What a cluster and people do to pods: told in words, blamed on the right one, and nothing is left."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.pod_bench import BucketStores, PodPlace, kubernetes_config
from support.pods import until

from airflow_mlpipe.errors import (
    ComputeError,
    ConfigurationError,
    InputError,
    MLPipeError,
    OutOfMemoryError,
    StepCancelledError,
)
from airflow_mlpipe.model import DataReference, Datastore, Gpu, Resources
from airflow_mlpipe.model.step import InputPath, InputPort, OutputPath
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.testing.compute_contract import FILE as OUT
from airflow_mlpipe.testing.compute_contract import ComputeBench, outputs

if TYPE_CHECKING:
    from kubernetes_double.double import KubernetesDouble
    from servers import S3Server

pytestmark = pytest.mark.slow

SLEEPS = "echo up; sleep 600"
MASK = "mlpipe.workspace"


class Benched:
    """A bench whose compute's options a test chooses, with short ways to look into the cluster."""

    def __init__(self, root: Path, double: KubernetesDouble, s3: S3Server, namespace: str, **members: object) -> None:
        self.double, self.namespace, self.members = double, namespace, members
        self.url, self.options = f"s3://{s3.new_bucket()}/ml", s3.options
        self.stores = BucketStores(url=self.url, options=self.options)
        self.root = root
        image = str(members.pop("image"))
        self.bench = ComputeBench(root, lambda _: self.compute(), image=image, given_stores=self.stores)

    def compute(self, **more: object) -> Any:
        """A new one."""
        members = {"kubeconfig": str(self.double.kubeconfig), "namespace": self.namespace, **self.members, **more}
        config = kubernetes_config(resolve_digest=False, **{"user": "1000:1000", **members})
        return PodPlace(config=config, url=self.url, options=self.options, root=self.root).compute(self.stores)

    @property
    def lines(self) -> list[str]:
        """Of the task's log."""
        return self.bench.lines

    def run(self, job: Job, on: str = "", do: Callable[[], object] | None = None, **more: object) -> JobResult:
        """Run it; when a line begins with ``on``, do something from another thread."""
        done = threading.Event()

        def on_line(line: str) -> None:
            self.lines.append(line)
            if do is not None and line.startswith(on) and not done.is_set():
                done.set()
                threading.Thread(target=do).start()

        return self.compute(**more).run(job, on_line)

    def sh(self, text: str, on: str = "", do: Callable[[], object] | None = None, **members: Any) -> JobResult:
        """Run a shell's script."""
        more = members.pop("config", {})
        return self.run(self.bench.job("sh", "-c", text, "sh", **members), on, do, **more)

    def pods(self) -> list[dict[str, Any]]:
        """As they are now."""
        from kubernetes_double.objects.resources import PODS

        return self.double.store.all(PODS, self.namespace)

    def pod(self) -> str:
        """The only one's name."""
        (found,) = self.pods()
        return str(found["metadata"]["name"])

    def left(self) -> list[dict[str, Any]]:
        """Pods and secrets."""
        from kubernetes_double.objects.resources import SECRETS

        return [*self.pods(), *self.double.store.all(SECRETS, self.namespace)]

    def said(self, words: str) -> bool:
        """Whether a line holds these words."""
        return any(words in line for line in self.lines)


@pytest.fixture
def cloud(
    tmp_path: Path, kubernetes_double: KubernetesDouble, s3: S3Server, base_image: str, agent_image: str
) -> Iterator[Benched]:
    """A namespace of the test's own; at its end nothing of ours is in it."""
    labels = {"kubernetes-double/network": "host", "pod-security.kubernetes.io/enforce": "restricted"}
    name = kubernetes_double.add_namespace(f"test-{uuid.uuid4().hex[:10]}", labels)
    found = Benched(tmp_path, kubernetes_double, s3, name, image=base_image, agent_image=agent_image)
    yield found
    try:
        until(lambda: not found.left())
        assert not list(found.stores.store.list("candidates"))
    finally:
        kubernetes_double.clear(name)


# ---- before the program runs -----------------------------------------------------------------------------------------


def test_a_pod_that_no_node_takes_is_told_and_given_up(cloud: Benched) -> None:
    """In the scheduler's own words, in the log while it waits and in the error; the pod goes."""
    with pytest.raises(ComputeError, match=r"no node had room .* 2 Insufficient nvidia\.com/gpu") as caught:
        cloud.sh("true", resources=Resources(gpu=1), config={"queue_seconds": 2})
    assert caught.value.reason == "queue"
    assert cloud.said("waiting for a node: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu")


def test_a_gpu_that_comes_later_is_waited_for(cloud: Benched) -> None:
    """As a cluster's autoscaler makes it: the pod goes to the node of the wanted kind, past its taint."""
    from kubernetes_double.options import Node

    name = f"gpu-{uuid.uuid4().hex[:6]}"
    node = Node(
        name=name,
        allocatable={"nvidia.com/gpu": "2"},
        labels={"gpu": "a100"},
        taints=(("nvidia.com/gpu", "present", "NoSchedule"),),
    )
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    gpus = {"a100": {"node_selector": {"gpu": "a100"}, "tolerations": tolerations}}
    try:
        cloud.sh(
            "true",
            "waiting for a node",
            lambda: cloud.double.add_node(node),
            resources=Resources(gpu=Gpu(2, kind="a100")),
            config={"gpus": gpus},
        )
    finally:
        cloud.double.remove_node(name)
    assert cloud.said(f"on {name}")


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("Not/An:Image!", "cannot be used: .*parse image name"),
        ("localhost:1/none:1", "could not be pulled in 1 seconds"),
    ],
)
def test_an_image_that_does_not_come_is_said(cloud: Benched, image: str, words: str) -> None:
    """At once where it never will, else after a while."""
    job = cloud.bench.job("true")
    assert job.image is not None
    with pytest.raises(MLPipeError, match=words):
        cloud.run(replace(job, image=replace(job.image, reference=image)), image_seconds=1)


def test_an_image_that_runs_as_root_is_said(cloud: Benched) -> None:
    """With the way out."""
    with pytest.raises(ConfigurationError, match=r'may not run as its user.*"user": "1000:1000"'):
        cloud.sh("true", config={"user": None})


def test_data_that_are_not_there_are_said(cloud: Benched) -> None:
    """The agent's error is the step's, with its kind."""
    port = InputPort(name="raw", data=DataReference(Datastore("lake"), "none.csv"))
    with pytest.raises(InputError, match="the data are not there"):
        cloud.sh("true", inputs=(port,))


def test_a_namespace_that_forbids_is_said(cloud: Benched, tmp_path: Path) -> None:
    """Which right is missing; nothing was made."""
    _, kubeconfig = cloud.double.add_user(f"nobody-{uuid.uuid4().hex[:6]}", (("list", "pods"),))
    with pytest.raises(ConfigurationError, match=r"cannot create resource .*docs/computes.md lists the rights"):
        cloud.sh("true", config={"kubeconfig": str(kubeconfig)})


def test_the_rights_of_the_docs_are_enough(cloud: Benched) -> None:
    """A worker that may do what docs/computes.md lists, and nothing else, runs a step."""
    import yaml

    page = (Path(__file__).parents[2] / "docs" / "computes.md").read_text()
    role = next(
        d for text in page.split("```yaml")[1:] for d in yaml.safe_load_all(text.split("```")[0]) if d["kind"] == "Role"
    )
    allowed = tuple((verb, name) for rule in role["rules"] for name in rule["resources"] for verb in rule["verbs"])
    _, kubeconfig = cloud.double.add_user(f"worker-{uuid.uuid4().hex[:6]}", allowed, (cloud.namespace,))
    cloud.sh("echo ran", config={"kubeconfig": str(kubeconfig)})
    assert cloud.said("ran")


# ---- while it runs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "reason", "words"),
    [
        ("evict", "evicted", "ended by its node: The node was low on resource"),
        ("preempt", "preempted", "to make room for one of a higher priority"),
        ("delete", "deleted", "somebody deleted the pod"),
    ],
)
def test_what_ends_a_pod_from_outside_is_not_the_steps_fault(cloud: Benched, do: str, reason: str, words: str) -> None:
    """It is told as what it is, so that it is done again; also if the program ends well when it is asked to."""
    from kubernetes_double.objects import deletion
    from kubernetes_double.objects.resources import PODS
    from kubernetes_double.objects.store import Key

    def act() -> None:
        name = cloud.pod()
        if do == "delete":
            deletion.delete(cloud.double.store, Key(PODS, cloud.namespace, name), {})
        else:
            getattr(cloud.double, do)(name, cloud.namespace)

    with pytest.raises(ComputeError, match=words) as caught:
        cloud.sh("trap 'exit 0' TERM; echo up; while true; do sleep 0.1; done", "up", act, grace=1.0)
    assert caught.value.reason == reason


def test_a_node_that_is_lost_is_no_fault_of_the_step(cloud: Benched) -> None:
    """Its pod is ended by force when its time of grace is over."""
    from kubernetes_double.options import Node

    name = f"lost-{uuid.uuid4().hex[:6]}"
    cloud.double.add_node(Node(name=name, labels={"kind": "spot"}, allocatable={"nvidia.com/gpu": "1"}))
    try:
        with pytest.raises(ComputeError, match="its node is lost") as caught:
            cloud.sh(SLEEPS, "up", lambda: cloud.double.lose_node(name), resources=Resources(gpu=1), grace=1.0)
    finally:
        cloud.double.find_node(name)
        cloud.double.remove_node(name)
    assert caught.value.reason == "lost"


def test_too_much_memory_is_the_steps_fault(cloud: Benched) -> None:
    """With the limit, and not as signal 9."""
    script = "x = []\nfor _ in range(4000): x.append(b'x' * 2**20)"
    with pytest.raises(OutOfMemoryError, match="its limit is 64 MiB"):
        cloud.run(cloud.bench.job(script=script, resources=Resources(memory="64Mi")))


def test_cancelling_a_step_that_waits_removes_its_pod(cloud: Benched) -> None:
    """It never ran."""
    compute = cloud.compute()

    def on_line(line: str) -> None:
        if line.startswith("waiting for a node"):
            threading.Thread(target=compute.cancel).start()

    with pytest.raises(StepCancelledError):
        compute.run(cloud.bench.job("true", resources=Resources(gpu=1)), on_line)


# ---- trouble of the API ----------------------------------------------------------------------------------------------


def test_requests_that_the_api_cannot_serve_are_sent_again(cloud: Benched) -> None:
    """Errors of the server, too many requests, and an answer that was lost: one pod is made."""
    cloud.double.fail_next(1, 503, method="GET", path=f"{cloud.namespace}/pods$")
    cloud.double.fail_next(1, 429, method="POST", path=f"{cloud.namespace}/secrets$", headers={"Retry-After": "1"})
    cloud.double.lose_next_answers(1, method="POST", path=f"{cloud.namespace}/pods$")
    cloud.double.fail_next(1, 500, method="PATCH", path=f"{cloud.namespace}/secrets")
    cloud.sh("echo ran")
    assert cloud.lines.count("ran") == 1


def test_broken_connections_lose_no_line_and_double_none(cloud: Benched) -> None:
    """Of watches and of the log, while the program writes."""

    def act() -> None:
        cloud.double.drop_logs()
        cloud.double.drop_watches()
        cloud.double.forget_versions()

    cloud.sh("i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.1; done", "line 20", act)
    assert [line for line in cloud.lines if line.startswith("line ")] == [f"line {i}" for i in range(60)]


def test_an_outage_is_sat_out(cloud: Benched) -> None:
    """The pod runs on meanwhile, and its result counts."""

    def act() -> None:
        with cloud.double.outage():
            until(lambda: cloud.pods()[0]["status"]["containerStatuses"][0]["state"].get("terminated"))

    job = cloud.bench.job("sh", "-c", 'echo up; sleep 3; printf x > "$1"', "sh", OutputPath("o"), outputs=outputs(OUT))
    (out,) = cloud.run(job, "up", act).outputs
    assert cloud.bench.read(out) == b"x"


def test_a_log_that_cannot_be_read_loses_no_result(cloud: Benched) -> None:
    """It decides nothing."""
    cloud.double.fail_next(100, 500, method="GET", path=f"{cloud.namespace}/pods/.*/log")
    job = cloud.bench.job("sh", "-c", 'echo up; printf x > "$1"', "sh", OutputPath("o"), outputs=outputs(OUT))
    (out,) = cloud.run(job).outputs
    assert cloud.bench.read(out) == b"x"


def test_a_step_asks_little_of_the_api(cloud: Benched) -> None:
    """Eight requests, however long its program runs: Airflow's own pod operator asks as many before it has begun."""
    cloud.sh("sleep 5")
    asked = [(r.method, r.path.rpartition(cloud.namespace)[2]) for r in cloud.double.requests(path=cloud.namespace)]
    assert len(asked) <= 9, asked


# ---- volumes and secrets ---------------------------------------------------------------------------------------------


def test_a_datastore_that_is_a_volume_is_mounted(cloud: Benched) -> None:
    """Its data are where they are: nothing is copied, and the program cannot change them."""
    from kubernetes import client, config

    api = config.new_client_from_config(str(cloud.double.kubeconfig))
    core = client.CoreV1Api(api)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    core.create_namespaced_persistent_volume_claim(cloud.namespace, {"metadata": {"name": "models"}, "spec": spec})
    volumes = {"lake": "models"}
    lake = Datastore("lake")
    made = cloud.bench.job(
        "sh", "-c", 'printf data > "$1"', "sh", OutputPath("o"), outputs=outputs(replace(OUT, datastore=lake))
    )
    (out,) = cloud.run(made, volumes=volumes).outputs
    key = out.uri.partition("/lake/")[2]
    port = InputPort(name="raw", data=DataReference(lake, key))
    text = 'test -L "$1"; cat "$1"; ! sh -c \'echo x >> "$1"\' sh "$1"'
    cloud.run(cloud.bench.job("sh", "-ec", text, "sh", InputPath("raw"), inputs=(port,)), volumes=volumes)
    assert cloud.said("data")
    core.delete_namespaced_persistent_volume_claim("models", cloud.namespace)
    api.close()

"""Tasks in containers: a whole Airflow with the DockerExecutor beside the LocalExecutor, and a real Docker engine."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.airflow import RunningAirflow, start
from support.gate import Gate

from airflow_mlpipe.executors.spec import DEPLOYMENT
from airflow_mlpipe.experiment import Run
from tools.airflow_embedded import wait_for

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.docker]

ROOT = Path(__file__).parents[2]
SECONDS = 300

BESIDE = """
@dag(schedule=None)
def beside():
    @task
    def local():
        import os
        return os.path.exists("/airflow-workload.json")

    @task(executor="box")
    def boxed(elsewhere: bool):
        import os
        return [elsewhere, os.path.exists("/airflow-workload.json")]

    @task(executor="DockerExecutor")
    def fails():
        print("about to fail")
        raise ValueError("of the task's own")

    boxed(local())
    fails()

beside()
"""
HOLD = """
from airflow_mlpipe.executors import DockerConfig

@dag(schedule=None, params={"name": Param("", type="string")})
def hold():
    @task(
        executor="DockerExecutor",
        executor_config=DockerConfig(
            cpus=0.75, memory="1Gi", shm="96Mi", mounts=["@NOTES@:/notes:rw"], environment={"COLOUR": "red"}
        ).executor_config(),
    )
    def wait(params):
        import os, pathlib, signal, sys, time

        notes = pathlib.Path("/notes", params["name"])

        def ended(*_):
            notes.with_suffix(".terminated").touch()
            sys.exit(1)

        signal.signal(signal.SIGTERM, ended)
        print("waiting in a container that is", os.environ["COLOUR"])
        notes.with_suffix(".started").touch()
        while not notes.with_suffix(".go").exists():
            time.sleep(0.1)
        return "done"

    wait()

hold()
"""
ASKS = """
@dag(schedule=None)
def asks():
    for name, config in {
        "gpu": {"gpus": 1},
        "unknown": {"gpu": 1},
        "wrong": {"memory": "much"},
        "image": {"image": "mlpipe-tests/there-is-no-such-image:1"},
        "mount": {"mounts": ["/etc:/host"]},
        "network": {"network": "bridge"},
    }.items():
        @task(task_id=name, executor="DockerExecutor", executor_config={"docker": config})
        def never():
            raise AssertionError("executed")
        never()

asks()
"""
DEFERS = """
from datetime import timedelta
from airflow.sdk import BaseOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

class Defers(BaseOperator):
    def execute(self, context):
        print("before the deferral")
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=1)), method_name="resumed")

    def resumed(self, context, event):
        print("after the deferral")
        return "resumed"

with DAG("defers", schedule=None):
    Defers(task_id="twice", executor="DockerExecutor")
"""
STEPS = """
from airflow_mlpipe import CommandStep, PipelineData

with DAG("steps", schedule=None):
    out = PipelineData("out", kind="file")
    CommandStep(
        task_id="step",
        executor="DockerExecutor",
        arguments=["sh", "-c", "ls /airflow-workload.json > $1", "-", out],
        outputs=[out],
    )
"""
DOCS = "".join(
    re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/executors.md").read_text(), re.MULTILINE | re.DOTALL)
)


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """An Airflow whose tasks run in containers.

    :param engine: a client of the engine. :param gate: through which Airflow, and only it, reaches the engine.
    :param notes: a folder that the tasks of ``hold`` see as ``/notes``. :param deployment: the containers' label.
    """

    airflow: RunningAirflow
    engine: Any
    gate: Gate
    notes: Path
    deployment: str

    @property
    def containers(self) -> list[Any]:
        """All that this Airflow made and did not remove."""
        label = f"{DEPLOYMENT}={self.deployment}"
        return self.engine.containers.list(all=True, ignore_removed=True, filters={"label": label})

    def nothing_is_left(self) -> None:
        """Wait until no container is there."""
        wait_for(lambda: not self.containers, SECONDS)

    def hold(self) -> tuple[Run, str]:
        """Start a run of ``hold``, and wait until its task runs.  Returns the name of its notes, too."""
        name = secrets.token_hex(4)
        run = self.airflow.submit("hold", name=name)
        wait_for((self.notes / f"{name}.started").exists, SECONDS)
        return run, name

    def container(self, run: Run) -> Any:
        """The one container of a run's task."""
        (found,) = [c for c in self.containers if c.labels["airflow_mlpipe.executor.run"] == run.run_id]
        return found

    def let_go(self, name: str) -> None:
        """Let the task of ``hold`` end."""
        (self.notes / f"{name}.go").touch()


def log_of(run: Run, task_id: str) -> str:
    """The first try's log, as the UI shows it."""
    answer = run.api.get(run.resource("taskInstances", task_id, "logs", 1), full_content=True)
    return json.dumps(answer["content"])


def log_shows(run: Run, task_id: str, *texts: str) -> None:
    """Wait until the log has these texts: the executor keeps the output after the task's end is known."""
    log = ""

    def is_there() -> bool:
        nonlocal log
        log = log_of(run, task_id)
        return all(text in log for text in texts)

    try:
        wait_for(is_there, 60)
    except TimeoutError:
        pytest.fail(f"not all of {texts} in the log: {log}")


def instance(run: Run, task_id: str) -> dict[str, Any]:
    """A task instance."""
    return run.api.get(run.resource("taskInstances", task_id))


def end_of(run: Run) -> str:
    """Wait for the run's end: its state."""
    return run.wait_for_completion(show_output=False, timeout_seconds=SECONDS, raise_on_error=False).state


@contextmanager
def scheduler_killed(boxed: Boxed) -> Iterator[Callable[[], None]]:
    """Kill the scheduler with all of its processes; the function that is given starts another one.

    The second one is ended, and Airflow has none then: use it in the last test.
    """
    leader = psutil.Process(boxed.airflow.login.pid)
    (first,) = [p for p in leader.children() if "scheduler" in p.cmdline()]
    environment = first.environ()
    family = [first, *first.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=60)
    second: list[subprocess.Popen[bytes]] = []

    def restart() -> None:
        with (boxed.airflow.folder / "second-scheduler.log").open("wb") as log:
            command = [str(Path(sys.executable).parent / "airflow"), "scheduler"]
            second.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))

    try:
        yield restart
    finally:
        for process in second:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=120)


@pytest.fixture(scope="module")
def image(engine) -> Iterator[str]:
    """An image with this machine's Python, which finds the packages of the host at the host's own paths."""
    from tools.base_image import BUSYBOX, load

    if not BUSYBOX.exists():
        pytest.skip("CONTAINER TESTS ARE SKIPPED: there is no busybox to make an image of")
    environment = [
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH=/usr/local/lib",
        f"PYTHONPATH={ROOT}:{sysconfig.get_path('purelib')}",
        "PYTHONDONTWRITEBYTECODE=1",  # what is mounted is compiled, and read-only
    ]
    tag = f"mlpipe-tests/airflow-from-host:{secrets.token_hex(8)}"  # another checkout has other paths
    load(engine, tag, config={"Env": environment})
    yield tag
    engine.images.remove(tag)


@pytest.fixture(scope="module")
def boxed(engine, image, tmp_path_factory) -> Iterator[Boxed]:
    """The Airflow of this module; what it left behind is removed."""
    socket = engine.api.base_url
    if not socket.startswith("http+docker://"):
        pytest.skip("CONTAINER TESTS ARE SKIPPED: the engine is on another machine, which has not this one's folders")
    folder = tmp_path_factory.mktemp("boxed")
    notes = folder / "notes"
    notes.mkdir()
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    gate = Gate(folder / "engine.sock", host.removeprefix("unix://"))
    gate.open()
    deployment = secrets.token_hex(8)
    mounted = (ROOT / "airflow_mlpipe", sysconfig.get_path("purelib"), folder / "dags")
    mounts = [f"{path}:{path}:ro" for path in mounted] + [f"{folder}/workspace:{folder}/workspace:rw"]
    (folder / "workspace").mkdir()
    airflow = start(
        folder,
        AIRFLOW__CORE__EXECUTOR="LocalExecutor,box:airflow_mlpipe.executors.DockerExecutor",
        AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD="10",
        AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC="2",
        AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL="5",
        AIRFLOW__MLPIPE_DOCKER__HOST=f"unix://{gate.front}",
        AIRFLOW__MLPIPE_DOCKER__DEPLOYMENT=deployment,
        AIRFLOW__MLPIPE_DOCKER__IMAGE=image,
        AIRFLOW__MLPIPE_DOCKER__PULL="never",
        AIRFLOW__MLPIPE_DOCKER__NETWORK="host",
        AIRFLOW__MLPIPE_DOCKER__MOUNTS=",".join(mounts),
        AIRFLOW__MLPIPE_DOCKER__ALLOWED_MOUNTS=str(notes),
        AIRFLOW__MLPIPE_DOCKER__ENVIRONMENT="AIRFLOW__CORE__DAGS_FOLDER,AIRFLOW__CORE__LOAD_EXAMPLES,"
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT,AIRFLOW__MLPIPE__WORKSPACE",
        AIRFLOW__MLPIPE_DOCKER__ORPHAN_SECONDS="2",
        AIRFLOW__MLPIPE_DOCKER__GRACE_SECONDS="5",
    )
    found = Boxed(airflow=airflow, engine=engine, gate=gate, notes=notes, deployment=deployment)
    try:
        dags = {"beside": BESIDE, "hold": HOLD, "asks": ASKS, "defers": DEFERS, "steps": STEPS, "vision": DOCS}
        for name, source in dags.items():
            airflow.write(name, source.replace("@NOTES@", str(notes)))
        yield found
    finally:
        airflow.airflow.stop()
        gate.close()
        for container in found.containers:
            container.remove(force=True)


def test_a_task_runs_in_a_container_beside_one_that_does_not(boxed):
    """Values go from one to the other, the states of both count, and the container is removed."""
    run = boxed.airflow.submit("beside")
    assert end_of(run) == "failed"
    assert run.get_xcom("boxed", "return_value") == [False, True]
    assert instance(run, "fails")["state"] == "failed"
    log_shows(run, "fails", "about to fail", "of the task's own")
    boxed.nothing_is_left()


def test_a_task_gets_what_it_asked_for_and_its_token_is_nowhere_to_be_inspected(boxed):
    """The limits are the container's; the log is read while it runs; the token is in none of what Docker shows."""
    run, name = boxed.hold()
    container = boxed.container(run)
    host = container.attrs["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["ShmSize"]) == (750_000_000, 2**30, 96 * 2**20)
    assert host["NetworkMode"] == "host"
    log_shows(run, "wait", "waiting in a container that is red")
    assert instance(run, "wait")["executor"] == "DockerExecutor"
    workload = container.exec_run(["cat", "/airflow-workload.json"]).output
    token = json.loads(workload)["token"]
    assert len(token) > 100
    assert token not in json.dumps(container.attrs) + json.dumps(container.top())
    boxed.let_go(name)
    assert end_of(run) == "success"
    assert run.get_xcom("wait", "return_value") == "done"
    log_shows(run, "wait", "waiting in a container that is red")
    assert token not in log_of(run, "wait")
    boxed.nothing_is_left()


@pytest.fixture(scope="module")
def refused(boxed) -> Run:
    """A run whose tasks ask for what they cannot get."""
    run = boxed.airflow.submit("asks")
    assert end_of(run) == "failed"
    return run


@pytest.mark.parametrize(
    ("task_id", "words"),
    [
        ("gpu", "GPUs are asked for, and the engine can give none to a container"),
        ("unknown", "executor_config['docker']: unknown member. given: ['gpu']"),
        ("wrong", "executor_config['docker']['memory']: not an amount of memory. given: 'much'"),
        ("image", "the image is not on the engine, and is not pulled ([mlpipe_docker] pull = never)"),
        ("mount", "tasks may not mount this. given: '/etc'"),
        ("network", "tasks may not use this network. given: 'bridge'"),
    ],
)
def test_what_cannot_be_given_fails_the_task_in_words(boxed, refused, task_id, words):
    """The task's log and the audit log name the member or the cause, the scheduler goes on, and no container stays."""
    assert instance(refused, task_id)["state"] == "failed"
    log_shows(refused, task_id, words)
    about = {"dag_id": "asks", "task_id": task_id, "event": "state mismatch"}
    (event,) = refused.api.get("/api/v2/eventLogs", **about)["event_logs"]
    assert words in event["extra"]
    boxed.nothing_is_left()


def test_a_task_that_defers_goes_on_in_a_second_container(boxed):
    """Its log has the output of both, in order."""
    run = boxed.airflow.submit("defers")
    assert end_of(run) == "success"
    assert run.get_xcom("twice", "return_value") == "resumed"
    log_shows(run, "twice", "before the deferral", "after the deferral")
    boxed.nothing_is_left()


def test_a_step_runs_in_a_container_and_is_reused(boxed):
    """The workspace is the same there; the second run's container finds the result of the first."""
    first = boxed.airflow.submit("steps")
    assert end_of(first) == "success"
    second = boxed.airflow.submit("steps")
    assert end_of(second) == "success"
    decisions = [step.outcome.decision for run in (first, second) for step in run.get_steps()]
    assert decisions == ["executed", "reused"]
    boxed.nothing_is_left()


def test_marking_a_task_failed_ends_its_container(boxed):
    """The program is asked to end, the container goes, and the state is that of whoever marked it."""
    run, name = boxed.hold()
    run.api.patch(run.resource("taskInstances", "wait"), {"new_state": "failed"})
    boxed.nothing_is_left()
    assert (boxed.notes / f"{name}.terminated").exists()
    assert instance(run, "wait")["state"] == "failed"


def test_a_container_that_is_killed_fails_its_task_in_words(boxed):
    """It is known at once, and not when the heartbeat is missed."""
    run, _ = boxed.hold()
    boxed.container(run).kill("SIGKILL")
    assert end_of(run) == "failed"
    log_shows(run, "wait", "was killed (exit code 137)", "waiting in a container")
    boxed.nothing_is_left()


def test_an_engine_that_is_away_fails_what_is_new_and_keeps_what_runs(boxed):
    """A new task fails with the engine's absence in its log; the running one is found again, and counts."""
    run, name = boxed.hold()
    boxed.gate.close()
    try:
        late = boxed.airflow.submit("hold", name="late")
        assert end_of(late) == "failed"
        log_shows(late, "wait", f"Docker engine at unix://{boxed.gate.front}", "the engine")
        boxed.let_go(name)
    finally:
        boxed.gate.open()
    assert end_of(run) == "success"
    boxed.nothing_is_left()


def test_a_new_scheduler_adopts_the_containers_of_one_that_was_killed(boxed):
    """One that still runs is followed to its end; one that ended meanwhile is told by its exit code."""
    run, name = boxed.hold()
    other, _ = boxed.hold()
    before = boxed.container(run).id
    with scheduler_killed(boxed) as restart:
        boxed.container(other).kill("SIGKILL")
        restart()
        assert end_of(other) == "failed"
        log_shows(other, "wait", "was killed (exit code 137)")
        assert boxed.container(run).id == before
        boxed.let_go(name)
        assert end_of(run) == "success"
        assert instance(run, "wait")["try_number"] == 1
        log_shows(run, "wait", "waiting in a container")
        boxed.nothing_is_left()

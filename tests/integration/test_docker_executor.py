"""The DockerExecutor as a scheduler drives it, on a real Docker engine: queues, slots, events, revocation."""

from __future__ import annotations

import secrets
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.executors import DockerExecutor
from airflow_mlpipe.executors.spec import DEPLOYMENT
from tools.airflow_embedded import wait_for

SECONDS = 120
SLEEPS = "mlpipe-tests/sleeps:1"


def workload(task_id: str, **executor_config: Any) -> Any:
    """What the scheduler queues for a task."""
    from airflow.executors.workloads import BundleInfo, ExecuteTask, TaskInstanceDTO

    ti = TaskInstanceDTO(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        task_id=task_id,
        dag_id="d",
        run_id="r",
        try_number=1,
        map_index=-1,
        pool_slots=1,
        priority_weight=1,
        queue="default",
        executor_config={"docker": executor_config} if executor_config else None,
    )
    return ExecuteTask(
        ti=ti,
        token="a-token",
        dag_rel_path=Path("d.py"),
        bundle_info=BundleInfo(name="b"),
        log_path=f"d/{task_id}/attempt=1.log",
    )


@pytest.fixture
def settings(monkeypatch, tmp_path) -> dict[str, str]:
    """Options of a deployment of its own."""
    found = {
        "DEPLOYMENT": secrets.token_hex(8),
        "API_URL": "http://api-server:8080/execution/",
        "PULL": "never",
        "GRACE_SECONDS": "1",
        "ORPHAN_SECONDS": "0",
    }
    for name, value in found.items():
        monkeypatch.setenv(f"AIRFLOW__MLPIPE_DOCKER__{name}", value)
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "logs"))
    return found


@pytest.fixture
def containers(engine, settings) -> Iterator[Any]:
    """The deployment's containers: a function.  What is left is removed."""

    def listed() -> list[Any]:
        label = f"{DEPLOYMENT}={settings['DEPLOYMENT']}"
        return engine.containers.list(all=True, ignore_removed=True, filters={"label": label})

    yield listed
    for container in listed():
        container.remove(force=True)


@pytest.fixture
def executor(containers, engine, base_image, monkeypatch) -> Iterator[DockerExecutor]:
    """A started one, whose image takes the command and sleeps instead."""
    from tools.base_image import load

    load(engine, SLEEPS, config={"Entrypoint": ["sh", "-c", "echo asleep; sleep 1000"]})
    monkeypatch.setenv("AIRFLOW__MLPIPE_DOCKER__IMAGE", SLEEPS)
    found = DockerExecutor(parallelism=4)
    found.start()
    yield found
    found.end()


def beat_until(executor: DockerExecutor, ready) -> dict[Any, tuple[Any, Any]]:
    """Heartbeats of the scheduler until something is so: the events meanwhile, the last of each key."""
    events: dict[Any, tuple[Any, Any]] = {}

    def is_ready() -> bool:
        executor.heartbeat()
        events.update(executor.get_event_buffer())
        return bool(ready())

    wait_for(is_ready, SECONDS, every=0.1)
    return events


def told(executor: DockerExecutor, one: Any) -> str:
    """Wait for the event that a workload runs: the id of its container."""
    events: dict[Any, tuple[Any, Any]] = {}
    wait_for(lambda: events.update(beat_until(executor, lambda: True)) or one.ti.key in events, SECONDS, every=0.1)
    state, container = events[one.ti.key]
    assert state == "running"
    return container


@pytest.mark.docker
def test_a_started_container_is_told_with_its_id(executor, containers):
    """The scheduler keeps it as the task instance's external executor id."""
    one = workload("one")
    executor.queue_workload(one, session=None)
    assert told(executor, one) == containers()[0].id
    assert executor.running == {one.ti.key}
    assert executor.slots_occupied == 1


@pytest.mark.docker
def test_no_more_run_than_there_are_slots(executor, containers, monkeypatch):
    """The others stay in the queue."""
    executor.end()
    monkeypatch.setenv("AIRFLOW__MLPIPE_DOCKER__SLOTS", "2")
    executor.start()
    for number in range(3):
        executor.queue_workload(workload(f"t{number}"), session=None)
    beat_until(executor, lambda: len(containers()) == 2)
    executor.heartbeat()
    assert (len(executor.running), len(executor.queued_tasks)) == (2, 1)


@pytest.mark.docker
def test_a_revoked_task_is_stopped_and_nothing_is_told(executor, containers):
    """Airflow decides what becomes of a task that was stuck; its queue is left, too."""
    one, two = workload("one"), workload("two")
    executor.queue_workload(one, session=None)
    beat_until(executor, containers)
    executor.queue_workload(two, session=None)
    executor.get_event_buffer()
    for task in (one, two):
        executor.revoke_task(ti=SimpleNamespace(key=task.ti.key))
    events = beat_until(executor, lambda: not containers())
    assert not {state for state, _ in events.values()} - {"running"}
    assert (executor.running, executor.queued_tasks) == (set(), {})


@pytest.mark.docker
def test_a_revoked_task_that_is_queued_again_gets_another_container(executor, containers):
    """With the same key; the first container goes, and the second is followed."""
    one = workload("one")
    executor.queue_workload(one, session=None)
    first = told(executor, one)
    executor.revoke_task(ti=SimpleNamespace(key=one.ti.key))
    executor.queue_workload(one, session=None)
    beat_until(executor, lambda: [c.status for c in containers() if c.id != first] == ["running"])
    beat_until(executor, lambda: first not in [c.id for c in containers()])
    assert executor.running == {one.ti.key}


@pytest.mark.docker
def test_a_task_that_airflow_gave_up_is_stopped(executor, containers):
    """The scheduler takes a task without heartbeats from the executor; its container must not go on."""
    one = workload("one")
    executor.queue_workload(one, session=None)
    beat_until(executor, lambda: containers() and containers()[0].status == "running")
    executor.fail(one.ti.key)
    beat_until(executor, lambda: not containers())


@pytest.mark.docker
def test_an_image_without_airflow_is_told_and_the_log_has_what_python_said(executor, containers, base_image, tmp_path):
    """The usual mistake with an image."""
    one = workload("one", image=base_image)
    executor.queue_workload(one, session=None)
    events = beat_until(executor, lambda: one.ti.key not in executor.running and not executor.queued_tasks)
    state, info = events[one.ti.key]
    assert state == "failed"
    assert "ended with exit code 1 before it had told the task's state" in info
    beat_until(executor, lambda: not containers())
    log = "".join(file.read_text() for file in (tmp_path / "logs" / "d" / "one").iterdir())
    assert "No module named 'airflow'" in log
    assert "ended with exit code 1" in log
    assert "a-token" not in log + str(info)


@pytest.mark.docker
def test_the_output_is_shown_while_the_task_runs(executor, containers):
    """Asked for in the API server, where no executor was started."""
    one = workload("one")
    executor.queue_workload(one, session=None)
    beat_until(executor, lambda: containers() and b"asleep" in containers()[0].logs())
    (message,), (text,) = DockerExecutor().get_task_log(one.ti, 1)
    assert text == "asleep\n"
    assert message == f"Output of container {containers()[0].id[:12]}"
    assert DockerExecutor().get_task_log(workload("other").ti, 1) == ([], [])


def test_a_log_that_cannot_be_read_says_why(settings, monkeypatch):
    """The reader of a log gets a message, and not an error of the server."""
    monkeypatch.setenv("AIRFLOW__MLPIPE_DOCKER__HOST", "unix:///nowhere/engine.sock")
    (message,), lines = DockerExecutor().get_task_log(workload("one").ti, 1)
    assert "Docker engine at unix:///nowhere/engine.sock" in message
    assert "the engine does not answer" in message
    assert lines == []


def test_without_the_docker_sdk_the_start_names_the_extra(settings, monkeypatch):
    """The scheduler says it when it starts, and not with the first task."""
    monkeypatch.setitem(sys.modules, "docker", None)  # cannot be imported
    with pytest.raises(ConfigurationError, match=r"airflow-provider-mlpipe\[docker\]"):
        DockerExecutor().start()


def test_the_provider_registers_the_executor():
    """As ``airflow providers executors`` lists it."""
    from airflow.providers_manager import ProvidersManager

    assert "airflow_mlpipe.executors.DockerExecutor" in ProvidersManager().executor_class_names

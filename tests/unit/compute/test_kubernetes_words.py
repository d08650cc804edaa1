"""What statuses of pods mean, and how pods are merged."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from airflow_mlpipe.compute.kubernetes_ import state, words
from airflow_mlpipe.compute.kubernetes_.log import later, since_second, stamped
from airflow_mlpipe.compute.kubernetes_.merge import merge
from airflow_mlpipe.errors import ComputeError, ConfigurationError


def pod(going: bool = False, **status: Any) -> dict[str, Any]:
    """A pod with this status."""
    metadata = {"name": "p", **({"deletionTimestamp": "2026-11-21T00:00:00Z"} if going else {})}
    return {"metadata": metadata, "spec": {}, "status": status}


def disrupted(reason: str) -> dict[str, Any]:
    """A pod that a cluster ends before its time."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "says\n  why"}
    return pod(going=True, conditions=[condition])


@pytest.mark.parametrize(
    ("found", "reason", "said"),
    [
        (disrupted("PreemptionByScheduler"), "preempted", "higher priority: says why"),
        (disrupted("DeletionByTaintManager"), "lost", "node is lost, or was tainted"),
        (disrupted("DeletionByPodGC"), "lost", "node is gone"),
        (disrupted("EvictionByEvictionAPI"), "evicted", "drained"),
        (disrupted("TerminationByKubelet"), "evicted", "ended by its node"),
        (disrupted("SomethingNew"), "evicted", "ended by the cluster"),
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "evicted", "Evicted: low on memory"),
        (pod(phase="Failed", reason="NodeShutdown"), "evicted", "NodeShutdown"),
        (pod(reason="NodeLost"), "lost", "node is lost"),
        (pod(going=True), "deleted", "somebody deleted"),
    ],
)
def test_what_was_done_to_a_pod_is_told(found: dict[str, Any], reason: str, said: str) -> None:
    """With a reason for code and words for people."""
    error = words.ended_from_outside(found, "step")
    assert error is not None
    assert error.reason == reason
    assert said in str(error)


def test_a_pod_that_ended_by_itself_was_not_ended_from_outside() -> None:
    """Then its program's exit code counts."""
    assert words.ended_from_outside(pod(phase="Failed"), "step") is None


@pytest.mark.parametrize(
    ("reason", "message", "kind"),
    [
        ("InvalidImageName", "couldn't parse", ConfigurationError),
        ("ErrImageNeverPull", "not present", ConfigurationError),
        ("ErrImagePull", "manifest unknown: manifest unknown", ConfigurationError),
        ("ImagePullBackOff", 'Back-off pulling image: "pull access denied"', ConfigurationError),
        ("ErrImagePull", "dial tcp: i/o timeout", None),
        ("ImagePullBackOff", "Back-off pulling image", None),
        ("ContainerCreating", "", None),
    ],
)
def test_an_image_that_may_still_come_is_waited_for(reason: str, message: str, kind: type[Exception] | None) -> None:
    """What a registry will say again is told at once."""
    found = words.image_trouble("main", reason, message, "image", "step")
    assert (type(found) if found else None) is kind


@pytest.mark.parametrize(
    ("reason", "message", "kind"),
    [
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", ConfigurationError),
        ("CreateContainerConfigError", 'secret "x" not found', ComputeError),
        ("CreateContainerError", "context deadline exceeded", ComputeError),
        ("PodInitializing", "", None),
    ],
)
def test_a_container_that_is_not_created_is_told(reason: str, message: str, kind: type[Exception] | None) -> None:
    """The deployment's mistake is told apart from the node's trouble."""
    found = words.container_trouble("main", reason, message, "step")
    assert (type(found) if found else None) is kind


@pytest.mark.parametrize(
    ("terminated", "number"),
    [
        ({"reason": "StartError", "message": 'exec: "x": executable file not found in $PATH'}, errno.ENOENT),
        ({"reason": "ContainerCannotRun", "message": "exec /x: permission denied"}, errno.EACCES),
        ({"reason": "StartError", "message": "exec /x: exec format error"}, errno.ENOEXEC),
        ({"reason": "Error", "exitCode": 127}, 0),
    ],
)
def test_a_program_that_was_not_started_is_known(terminated: dict[str, Any], number: int) -> None:
    """Whatever runs containers on the node; exit code 127 alone is the program's."""
    assert words.start_error(terminated) == number


@pytest.mark.parametrize(
    ("finished", "asked"),
    [("2026-11-21T00:00:09Z", False), ("2026-11-21T00:00:10Z", True), ("2026-11-21T00:00:11Z", True), (None, False)],
)
def test_a_program_that_ended_when_it_was_asked_to_was_not_done(finished: str | None, asked: bool) -> None:
    """A pod is asked so long before its time of deletion as it has grace."""
    metadata = {"name": "p", "deletionTimestamp": "2026-11-21T00:01:10Z", "deletionGracePeriodSeconds": 60}
    assert words.was_asked_to_end({"metadata": metadata, "status": {}}, finished) is asked
    assert words.was_asked_to_end(pod(reason="Evicted"), finished)
    assert not words.was_asked_to_end(pod(), finished)


def test_a_pod_that_its_node_did_not_admit_is_told() -> None:
    """No program was started."""
    error = words.refused_by_node(pod(phase="Failed", reason="OutOfcpu", message="Node didn't have enough"), "step")
    assert error is not None
    assert "before its program was started (OutOfcpu: Node didn't have enough)" in str(error)


def test_moments_are_read_with_and_without_fractions() -> None:
    """As the API and as logs write them."""
    assert state.seconds_between("2026-11-21T00:00:00Z", "2026-11-21T00:00:01.5Z") == 1.5
    assert state.seconds_between("2026-11-21T00:00:01Z", "2026-11-21T00:00:00Z") == 0
    assert state.seconds_between(None, "2026-11-21T00:00:00Z") == 0
    assert state.age(None) == 0


def test_lines_that_were_read_are_left_out() -> None:
    """The API starts with the second; trailing zeros of a fraction may be missing."""
    lines = [b"2026-11-21T00:00:05.1Z a\n", b"2026-11-21T00:00:05.12Z b\n", b"2026-11-21T00:00:05.123456789Z c d\n"]
    found = list(stamped(lines, "2026-11-21T00:00:05.12Z"))
    assert found == [("2026-11-21T00:00:05.123456789Z", b"c d\n")]
    assert later("2026-11-21T00:00:05.12Z", "2026-11-21T00:00:05.1Z") == "2026-11-21T00:00:05.12Z"
    assert since_second("2026-11-21T00:00:05.12Z") == "2026-11-21T00:00:05Z"


def test_merging_changes_neither_side() -> None:
    """Members by name, elements by their key, the rest added once."""
    base = {"a": {"x": 1}, "tolerations": [{"key": "a"}], "env": [{"name": "A", "valueFrom": {"x": 1}}], "args": ["a"]}
    over = {
        "a": {"y": 2},
        "tolerations": [{"key": "a"}, {"key": "b"}],
        "env": [{"name": "A", "value": "1"}],
        "args": [],
    }
    before = repr((base, over))
    assert merge(base, over) == {
        "a": {"x": 1, "y": 2},
        "tolerations": [{"key": "a"}, {"key": "b"}],
        "env": [{"name": "A", "value": "1"}],
        "args": [],
    }
    assert repr((base, over)) == before
    assert merge(base, {"a": None}) == base

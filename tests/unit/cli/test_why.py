"""``why`` on a real workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.answers import fingerprint, producer, run

from airflow_mlpipe.fingerprint.key import KeyDocument
from airflow_mlpipe.fingerprint.reasons import explain
from airflow_mlpipe.model.records import Reason, StepRun
from airflow_mlpipe.store.heartbeat import Lease
from airflow_mlpipe.store.workspace import Workspace

Mlpipe = Callable[..., object]
OLD = KeyDocument(step="script", params={"lr": 0.1, "name": "a"})
NEW = KeyDocument(step="script", params={"lr": 0.3, "name": "a"})


def _executed(key: KeyDocument, run_id: str, previous: KeyDocument | None, **more: object) -> StepRun:
    return StepRun(
        step=producer(run_id),
        fingerprint=key.fingerprint,
        reasons=explain(previous, key),
        previous=previous.fingerprint if previous else None,
        **{"decision": "executed", "started": 100.0, "seconds": 2.0} | more,
    )


@pytest.fixture
def history(workspace: Workspace) -> Workspace:
    """A step that ran twice, with another learning rate the second time."""
    for key, step_run in ((OLD, _executed(OLD, "r1", None)), (NEW, _executed(NEW, "r2", OLD, started=200.0))):
        workspace.keys.put(key.fingerprint, key.to_json())
        workspace.runs.put(step_run)
    return workspace


def test_a_change_is_shown_before_and_after(history: Workspace, mlpipe: Mlpipe) -> None:
    """The parameter, its old value and its new one."""
    shown = mlpipe("why", "digits", "train", "r2")
    assert shown.code == 0
    assert "EXECUTED in 2.0 s" in shown.out
    assert ["WHAT", "WHICH", "BEFORE", "NOW"] in shown.rows
    assert ["PARAM", "lr", "0.1", "0.3"] in shown.rows
    assert f"compared with {OLD.fingerprint}" in shown.out


def test_the_first_execution_is_new(history: Workspace, mlpipe: Mlpipe) -> None:
    """There is nothing to compare with, and the output says so."""
    shown = mlpipe("why", "digits", "train", "r1")
    assert ["NEW"] in shown.rows
    assert "no earlier run of this step is known" in shown.out


def test_without_a_run_it_is_the_latest_one(history: Workspace, mlpipe: Mlpipe) -> None:
    """Also when that one failed: it is the one that people ask about."""
    failed = replace(run("x", "r3", decision="failed"), fingerprint=NEW.fingerprint)
    history.runs.put(failed)
    document = mlpipe("why", "digits", "train", "-o", "json").document
    assert (document["step"]["run_id"], document["decision"]) == ("r3", "failed")


def test_a_step_is_not_mistaken_for_one_of_a_similar_name(history: Workspace, mlpipe: Mlpipe) -> None:
    """A task whose id ends alike, or another instance, is another step."""
    history.runs.put(replace(_executed(OLD, "r9", None), step=producer("r9", task_id="group.train")))
    history.runs.put(replace(_executed(OLD, "r9", None), step=producer("r9", map_index=0)))
    assert mlpipe("why", "digits", "train", "-o", "json").document["step"]["run_id"] == "r2"
    assert mlpipe("why", "digits", "train", "--map-index", "0", "-o", "json").document["step"]["run_id"] == "r9"


def test_a_reuse_names_who_produced_it_and_what_it_saved(history: Workspace, mlpipe: Mlpipe) -> None:
    """And what had changed since the run before, although the result was there."""
    history.runs.put(
        StepRun(
            step=producer("r3"),
            fingerprint=OLD.fingerprint,
            decision="reused",
            origin=producer("r1"),
            saved=60.0,
            started=300.0,
            previous=NEW.fingerprint,
        )
    )
    shown = mlpipe("why", "digits", "train")
    assert "REUSED the result of digits/r1/train, saved 1 m 00 s" in shown.out
    assert ["PARAM", "lr", "0.3", "0.1"] in shown.rows


def test_json_has_the_reasons_and_the_differences(history: Workspace, mlpipe: Mlpipe) -> None:
    """Members that programs can rely on."""
    document = mlpipe("why", "digits", "train", "r2", "-o", "json").document
    change = {"code": "PARAM", "subject": "lr", "old": "0.1", "new": "0.3"}
    assert document == {
        "mlpipe": "why/1",
        "step": producer("r2").to_json(),
        "decision": "executed",
        "abandoned": False,
        "reasons": [change],
        "differences": [change],
        "fingerprint": NEW.fingerprint,
        "previous": OLD.fingerprint,
        "origin": None,
        "started": 200.0,
        "seconds": 2.0,
        "saved": 0.0,
    }


def test_an_unchanged_step_that_was_forced_says_that_nothing_changed(history: Workspace, mlpipe: Mlpipe) -> None:
    """The reason is not a difference."""
    forced = replace(_executed(NEW, "r3", NEW, started=300.0), reasons=(Reason(code="FORCED", new="by train"),))
    history.runs.put(forced)
    shown = mlpipe("why", "digits", "train", "r3")
    assert ["FORCED", "by", "train"] in shown.rows
    assert "nothing changed" in shown.out


def test_a_lost_key_document_costs_the_differences_only(history: Workspace, mlpipe: Mlpipe) -> None:
    """The reasons are in the run itself."""
    history.runs.put(replace(_executed(NEW, "r3", OLD), previous=fingerprint("lost")))
    document = mlpipe("why", "digits", "train", "r3", "-o", "json").document
    assert document["differences"] is None
    assert document["reasons"]


def test_an_uncacheable_step_says_why(history: Workspace, mlpipe: Mlpipe) -> None:
    """It has no fingerprint."""
    reason = Reason(code="UNCACHEABLE", subject="params.model", new="sklearn.SVC")
    history.runs.put(replace(_executed(NEW, "r3", None), fingerprint=None, reasons=(reason,)))
    shown = mlpipe("why", "digits", "train", "r3")
    assert "none: the step is uncacheable" in shown.out
    assert ["UNCACHEABLE", "params.model", "sklearn.SVC"] in shown.rows


def _running(workspace: Workspace, **more: object) -> StepRun:
    step_run = replace(_executed(NEW, "r3", OLD, decision="running", seconds=None), **more)
    workspace.runs.put(step_run)
    return step_run


def test_a_step_that_runs_has_not_ended(history: Workspace, mlpipe: Mlpipe) -> None:
    """Its lease is held by itself."""
    held = history.leases.acquire(NEW.fingerprint, _running(history).step)
    assert isinstance(held, Lease)
    assert "EXECUTING: it has not ended" in mlpipe("why", "digits", "train", "r3").out


@pytest.mark.parametrize("taken_over_by", [None, "r4"])
def test_a_step_whose_worker_is_gone_was_ended_from_outside(
    history: Workspace, mlpipe: Mlpipe, taken_over_by: str | None
) -> None:
    """Nobody holds its lease, or another run does; where to look is said."""
    _running(history)
    if taken_over_by:
        history.leases.acquire(NEW.fingerprint, producer(taken_over_by))
    shown = mlpipe("why", "digits", "train", "r3")
    assert "ENDED FROM OUTSIDE" in shown.out
    assert "has not ended" not in shown.out
    assert "the task's log: DAG digits, run r3, task train, try 1" in shown.out
    assert mlpipe("why", "digits", "train", "r3", "-o", "json").document["abandoned"] is True


@pytest.mark.parametrize("unknown", [{"fingerprint": None}, {"reasons": (Reason(code="NEVER"),)}])
def test_a_running_step_without_a_lease_is_not_called_gone(
    history: Workspace, mlpipe: Mlpipe, unknown: dict[str, object]
) -> None:
    """An uncacheable step and one that is never reused take no lease, so nothing is known."""
    _running(history, **unknown)
    assert "EXECUTING: it has not ended" in mlpipe("why", "digits", "train", "r3").out


def test_a_failed_step_points_to_its_log(history: Workspace, mlpipe: Mlpipe) -> None:
    """The workspace keeps why it executed, not why it failed."""
    history.runs.put(replace(_executed(NEW, "r3", OLD, decision="failed"), step=producer("r3", map_index=2)))
    shown = mlpipe("why", "digits", "train", "r3", "--map-index", "2")
    assert "FAILED after 2.0 s" in shown.out
    assert "the task's log: DAG digits, run r3, task train, map index 2, try 1" in shown.out


def test_an_unknown_step_is_an_error(history: Workspace, mlpipe: Mlpipe) -> None:
    """It names the steps that are known."""
    shown = mlpipe("why", "digits", "trian")
    assert shown.code == 2
    assert "'train'" in shown.err


def test_an_unknown_run_is_answered_with_the_known_ones(history: Workspace, mlpipe: Mlpipe) -> None:
    """Those of the DAG."""
    shown = mlpipe("why", "digits", "train", "r9")
    assert shown.code == 2
    assert "this run is not remembered. given: 'digits/r9/train'" in shown.err
    assert "'r1'" in shown.err
    assert "'r2'" in shown.err


@pytest.mark.parametrize(("count", "said"), [(3, "--map-index 0, 1, 2."), (12, "--map-index 0 to 11.")])
@pytest.mark.parametrize("run_id", [[], ["r3"]])
def test_a_mapped_step_without_an_index_is_answered_with_the_indexes(
    history: Workspace, mlpipe: Mlpipe, count: int, said: str, run_id: list[str]
) -> None:
    """It is remembered, so the message does not say that it is not."""
    for index in range(count):
        history.runs.put(replace(run("x", "r3"), step=producer("r3", task_id="fit", map_index=index)))
    shown = mlpipe("why", "digits", "fit", *run_id)
    assert shown.code == 2
    assert "the step is mapped" in shown.err
    assert said in shown.err
    assert "remembered" not in shown.err

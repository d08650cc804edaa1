"""``gc`` on a real workspace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.answers import fingerprint, record

from airflow_mlpipe.store.base import TEMPORARY
from airflow_mlpipe.store.workspace import Workspace

Mlpipe = Callable[..., object]
ATTEMPT = "attempts/mlp1-00/try-1/log"


@pytest.fixture
def garbage(workspace: Workspace) -> Workspace:
    """A result that is needed, and what a crashed attempt left."""
    workspace.records.publish(record("kept", outputs=()))
    workspace.store.put(ATTEMPT, b"x" * 2048)
    return workspace


def _line(document: dict, kind: str) -> dict:
    return next(line for line in document["kinds"] if line["kind"] == kind)


def test_young_garbage_stays(garbage: Workspace, mlpipe: Mlpipe) -> None:
    """By default nothing that was written within the last day is taken."""
    document = mlpipe("gc", "--yes", "-o", "json").document
    assert (document["garbage"], document["deleted"], document["grace_seconds"]) == (0, 0, 86400.0)
    assert garbage.store.head(ATTEMPT) is not None


def test_the_grace_time_is_the_deployments(garbage: Workspace, mlpipe: Mlpipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """``[mlpipe] gc_grace_hours`` unless ``--grace`` says otherwise."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__GC_GRACE_HOURS", "0")
    assert mlpipe("gc", "--dry-run", "-o", "json").document["garbage"] == 1
    assert mlpipe("gc", "--dry-run", "--grace", "1h", "-o", "json").document["garbage"] == 0


def test_a_dry_run_says_and_leaves(garbage: Workspace, mlpipe: Mlpipe) -> None:
    """Counts and bytes by kind."""
    document = mlpipe("gc", "--dry-run", "--grace", "0", "--list", "-o", "json").document
    assert _line(document, "attempt") == {"kind": "attempt", "count": 1, "bytes": 2048, "kept": 0}
    assert _line(document, "record")["kept"] == 1
    assert (document["dry_run"], document["deleted"]) == (True, 0)
    assert [o["key"] for o in document["objects"]] == [ATTEMPT]
    assert garbage.store.head(ATTEMPT) is not None


def test_a_dry_run_for_people_is_a_table(garbage: Workspace, mlpipe: Mlpipe) -> None:
    """Kind, how many, how much, and how many are needed."""
    rows = mlpipe("gc", "--dry-run", "--grace", "0").rows
    assert ["attempt", "1", "2.0", "KiB", "0"] in rows
    assert ["record", "0", "0", "B", "1"] in rows


def test_gc_removes_what_it_said(garbage: Workspace, mlpipe: Mlpipe) -> None:
    """And nothing else."""
    shown = mlpipe("gc", "--grace", "0", "--yes")
    assert "removed 1 objects, 2.0 KiB" in shown.out
    assert garbage.store.head(ATTEMPT) is None
    assert garbage.records.get(fingerprint("kept")) is not None


def test_gc_asks_first(garbage: Workspace, mlpipe: Mlpipe) -> None:
    """Where nobody can answer, nothing is removed."""
    shown = mlpipe("gc", "--grace", "0")
    assert shown.code == 2
    assert "--yes" in shown.err
    assert garbage.store.head(ATTEMPT) is not None


def test_results_that_were_not_used_for_long_go_when_asked(garbage: Workspace, mlpipe: Mlpipe) -> None:
    """Pinned ones stay."""
    garbage.records.publish(record("pinned", outputs=()))
    garbage.pins.pin(fingerprint("pinned"), "ann")
    mlpipe("gc", "--grace", "0", "--older-than", "0s", "--yes")
    assert {r.fingerprint for r in garbage.records.list()} == {fingerprint("pinned")}


def test_this_host_is_cleared_when_asked(
    garbage: Workspace, mlpipe: Mlpipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nothing used for so long goes from its cache and scratch; a dry run leaves it."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AIRFLOW__MLPIPE__SCRATCH", str(tmp_path / "scratch"))
    dead = tmp_path / "scratch" / "0123456789abcdef"
    dead.mkdir(parents=True)
    for options in (("--host", "0s", "--dry-run"), ("--host", "1d", "--yes")):
        mlpipe("gc", *options)
        assert dead.exists()
    shown = mlpipe("gc", "--host", "0s", "--yes", "-o", "json")
    assert shown.document["host"] == {"attempts": 1, "checkpoints": 0, "values": 0, "environments": 0, "bytes": 0}
    assert not dead.exists()


def test_what_a_killed_copy_left_in_a_named_datastore_goes(
    garbage: Workspace, mlpipe: Mlpipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unfinished writes in its root; what else lies there stays."""
    lake = {"lake": {"url": (tmp_path / "lake").as_uri()}}
    monkeypatch.setenv("AIRFLOW__MLPIPE__DATASTORES", json.dumps(lake))
    unfinished, plain = tmp_path / "lake" / TEMPORARY / "1-abc", tmp_path / "lake" / "plain.txt"
    unfinished.parent.mkdir(parents=True)
    unfinished.touch()
    plain.touch()
    mlpipe("gc", "--datastore", "lake", "--grace", "0", "--yes")
    assert plain.exists()
    assert not unfinished.exists()


def test_an_unknown_datastore_is_an_error(garbage: Workspace, mlpipe: Mlpipe) -> None:
    """It is named."""
    shown = mlpipe("gc", "--dry-run", "--datastore", "lake")
    assert shown.code == 1
    assert "lake" in shown.err
    assert "Traceback" not in shown.err


def test_a_value_of_a_dag_that_airflow_does_not_know_stays(
    workspace: Workspace, mlpipe: Mlpipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the database does not answer: a shell with another database takes nothing."""
    from support.answers import reference

    from airflow_mlpipe.model.records import Producer

    monkeypatch.setenv("AIRFLOW__CORE__XCOM_BACKEND", "airflow_mlpipe.xcom.XComBackend")
    workspace.values.put(Producer(dag_id="never seen", task_id="t", run_id="r"), "return_value", [reference("a")])
    document = mlpipe("gc", "--grace", "0", "--yes", "-o", "json").document
    assert (document["deleted"], _line(document, "value")["kept"]) == (0, 1)

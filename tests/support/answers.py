"""Small valid values of everything that a workspace remembers, for tests that care about one member at a time."""

from __future__ import annotations

import hashlib

from airflow_mlpipe.model.records import Producer, Reason, ReuseRecord, StepRun
from airflow_mlpipe.model.reference import OutputReference


def fingerprint(seed: object = "") -> str:
    """A fingerprint; another one for another seed."""
    return f"mlp1:{hashlib.sha256(str(seed).encode()).hexdigest()}"


def producer(run_id: str = "run-1", *, dag_id: str = "digits", task_id: str = "train", **more: int) -> Producer:
    """A task instance."""
    return Producer(dag_id=dag_id, task_id=task_id, run_id=run_id, **more)


def reference(content: str = "model", *, name: str = "model", **more: str) -> OutputReference:
    """A reference to a file with this content, which need not be in any store."""
    digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    members = {"kind": "file", "digest": digest, "identity": digest, "datastore": "", "uri": f"file:///{digest}"}
    return OutputReference(name=name, size=len(content), files=1, **(members | more))  # type: ignore[arg-type]


def record(
    seed: object = "", *, outputs: tuple[OutputReference, ...] | None = None, run_id: str = "run-1"
) -> ReuseRecord:
    """A complete result of a step with one output."""
    return ReuseRecord(
        fingerprint=fingerprint(seed),
        producer=producer(run_id),
        outputs=(reference(),) if outputs is None else outputs,
        xcoms={"return_value": 1},
        metrics={"accuracy": 0.5},
        started=1_700_000_000.0,
        seconds=12.5,
    )


def run(seed: object = "", run_id: str = "run-1", **more: object) -> StepRun:
    """A run that executed."""
    members = {"decision": "executed", "reasons": (Reason(code="PARAM", subject="lr", old="0.1", new="0.3"),)} | more
    return StepRun(step=producer(run_id), fingerprint=fingerprint(seed), **members)  # type: ignore[arg-type]

"""``job.json`` in, ``result.json`` out: the contract between whoever decides and whoever runs.

Nothing secret is in it and nothing large: inputs are references, secrets are names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlpipe.model.code import CodeSnapshot
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import StepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedImage:
    """A container image as a step runs in it, whatever its tag points to later.

    :param name: as the author wrote it. :param identity: the digest that is part of the fingerprint.
    :param reference: what a container is started by. :param user: of its configuration; empty for root.
    :param python_path: ``PYTHONPATH`` of its configuration, which ours stands before.
    :param is_described: whether its configuration was seen, so that the last two are known.
    """

    name: str
    identity: str
    reference: str
    user: str = ""
    python_path: str | None = None
    is_described: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt of a step.

    :param fingerprint: or, for a step that is uncacheable, a name unique to the attempt.
    :param secrets: values by name; handed to the compute in memory, written only to files that the step alone reads.
    :param producer: the task instance, for labels and names; ``None`` outside of Airflow.
    :param same: equal for jobs that do the same, so that one may go on with what another started: the fingerprint of a
        step that has one, recorded or not.
    :param resumed: whether the program was started by an earlier part of this try, so that its end counts, whatever it
        is. :param log_since: the moment after which its lines are new.
    :param image: what a container is started by.
    :param timeout: seconds the program may run; ``None``: no limit (Airflow's ``execution_timeout`` stands above it).
    :param grace: seconds between SIGTERM and SIGKILL.
    """

    step: StepSpec
    fingerprint: str
    attempt: str
    snapshot: CodeSnapshot | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    producer: Producer | None = None
    same: str | None = None
    resumed: bool = False
    log_since: str = ""
    image: PinnedImage | None = None
    timeout: float | None = None
    grace: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A finished attempt whose outputs are published (and not yet recorded).

    :param result: the JSON that the program wrote to ``MLPIPE_RESULT``; ``None`` if it wrote none.
    :param values: small values that a function returned, by output, as XCom carries them.
    :param peak_bytes: the most memory that the program's processes used together.
    """

    outputs: tuple[OutputReference, ...]
    result: Any = None
    values: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    peak_bytes: int | None = None

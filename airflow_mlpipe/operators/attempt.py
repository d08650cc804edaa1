"""One task instance on its journey: the state that ``pre_execute`` makes and ``execute`` goes on with."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.find import find_compute
from airflow_mlpipe.errors import InputChangedError, UncacheableError
from airflow_mlpipe.fingerprint.code import read_code
from airflow_mlpipe.fingerprint.environment import environment_identity
from airflow_mlpipe.fingerprint.identity import ContentIdentity
from airflow_mlpipe.fingerprint.key import KeyDocument, build_key
from airflow_mlpipe.hooks.previews import shown
from airflow_mlpipe.hooks.trusted import checked
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.lineage import VersionedData
from airflow_mlpipe.model.code import CodeSnapshot
from airflow_mlpipe.model.records import Producer, Reason, ReuseRecord, StepRun
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.row import fitted
from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.operators.again import Patience
from airflow_mlpipe.operators.decide import Decision, Gone, Question, decide
from airflow_mlpipe.operators.force import forced_in
from airflow_mlpipe.operators.masking import without_secrets
from airflow_mlpipe.operators.plain_files import with_plain_files
from airflow_mlpipe.operators.spec import Resolved, producer_of
from airflow_mlpipe.operators.xcoms import VALUE
from airflow_mlpipe.runtime.identify import identify_input
from airflow_mlpipe.runtime.job import Job, JobResult, PinnedImage

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprinted:
    """A step with all that its fingerprint is made of.

    :param image: in which it will run, resolved once; ``None`` without one.
    :param key: ``None`` when something has no canonical form; ``uncacheable`` then says what.
    """

    resolved: Resolved
    snapshot: CodeSnapshot | None
    inputs: Mapping[str, ContentIdentity]
    environment: Mapping[str, Any]
    key: KeyDocument | None
    image: PinnedImage | None = None
    uncacheable: Reason | None = None


def patience_of(stores: Stores, say: Callable[[str], object]) -> Patience:
    """How a deployment deals with computes that fail."""
    settings = stores.settings
    return Patience(retries=settings.compute_retries, delay=settings.compute_retry_seconds, say=say)


def fingerprint(resolved: Resolved, stores: Stores, say: Callable[[str], object] = lambda _: None) -> Fingerprinted:
    """Look at code, inputs and environment, and make the key.

    :param say: gets lines for the task's log.
    :raises InputError: for an input that is missing, cannot be read, or is outside of this deployment.
    """
    spec, cache = resolved.spec, stores.settings.cache
    for port in (*spec.inputs, *spec.resource_inputs):
        for reference in port.references:
            checked(reference, where=f"{spec.label}: input {port.name!r}", workspace=stores.workspace)
    spec = with_plain_files(spec)
    resolved = replace(resolved, spec=spec)
    snapshot = read_code(spec.code, cache_dir=cache) if spec.code else resolved.snapshot
    inputs = {p.name: identify_input(p, stores) for p in (*spec.inputs, *spec.resource_inputs)}
    image = _pin(spec, stores, say)
    environment = identify_environment(resolved, snapshot, image, stores)
    hashed = replace(spec, command=resolved.hashed, parameters=resolved.hashed_parameters)
    key, uncacheable = None, None
    try:
        key = build_key(
            hashed,
            snapshot=snapshot,
            inputs=inputs,
            environment=environment,
            salt=stores.settings.salt,
            templated_params=resolved.run_params,
        )
        _ = key.fingerprint
    except UncacheableError as error:
        key, uncacheable = None, Reason(code="UNCACHEABLE", subject=error.path, new=error.type_name)
    return Fingerprinted(
        resolved=resolved,
        snapshot=snapshot,
        inputs=inputs,
        environment=environment,
        key=key,
        image=image,
        uncacheable=uncacheable,
    )


def _pin(spec: StepSpec, stores: Stores, say: Callable[[str], object]) -> PinnedImage | None:
    if (image := spec.environment.image) is None:
        return None
    compute = find_compute(spec.compute_target, stores=stores)
    return patience_of(stores, say).call(lambda _: compute.pin(image, where=spec.label), where=spec.label)


def identify_environment(
    resolved: Resolved, snapshot: CodeSnapshot | None, image: PinnedImage | None, stores: Stores
) -> Mapping[str, Any]:
    """The environment's part of the key, without secrets.  Of an image its digest counts, wherever its tag points."""
    found = environment_identity(
        resolved.spec.environment,
        root="",
        imports=snapshot.imports if snapshot else frozenset(),
        worker_variables=os.environ,
        cache_dir=stores.settings.cache,
    )
    if image is not None:
        found["image"] = image.identity
    variables = without_secrets(found.get("variables", {}), stores.workspace.salt)
    return {**found, "variables": variables} if variables else found


def ask(step: Fingerprinted, context: Context, stores: Stores) -> Decision:
    """Decide: reuse, execute, or wait."""
    return decide(stores.workspace, question_in(step, context, lambda output: is_gone(output, stores)))


def question_in(step: Fingerprinted, context: Context, gone: Gone) -> Question:
    """What there is to decide in a run."""
    who, spec = producer_of(context), step.resolved.spec
    return Question(
        step=who,
        key=step.key,
        reuse=spec.reuse,
        forced=forced_in(context),
        uncacheable=step.uncacheable,
        reran=tuple(p.name for p in spec.inputs if any(_is_of(r, who) for r in p.references)),
        gone=gone,
        files=wanted_files(spec),
    )


def wanted_files(spec: StepSpec) -> tuple[str, ...]:
    """Outputs of a function whose bytes go somewhere."""
    return tuple(o.name for o in spec.outputs if o.data.needs_file) if spec.function is not None else ()


def _is_of(reference: OutputReference, who: Producer) -> bool:
    """Whether an output was published in the same DAG run."""
    return (reference.dag_id, reference.run_id) == (who.dag_id, who.run_id)


def is_gone(output: OutputReference, stores: Stores) -> bool:
    """Whether an output is missing from its datastore, or is not what was recorded."""
    return bool(stores.contents(output.datastore).missing(output.digest, output.kind))


def recheck(step: Fingerprinted, stores: Stores) -> None:
    """The inputs and the environment are still what the fingerprint says.

    :raises InputChangedError: naming the input that changed while the step ran.
    """
    spec = step.resolved.spec
    for port in (*spec.inputs, *spec.resource_inputs):
        if port.data is None or port.data.version is not None:
            continue
        before, now = step.inputs[port.name], identify_input(port, stores)
        if before.deciding != now.deciding:
            raise InputChangedError(
                "the input changed while the step ran; its result is not published",
                where=f"{spec.label}: input {port.name!r}",
                given=f"{before.digest} before, {now.digest} after",
                fix="run the step again when nobody writes its input",
            )
    if identify_environment(step.resolved, step.snapshot, step.image, stores) != step.environment:
        raise InputChangedError(
            "the environment changed while the step ran; its result is not published", where=spec.label
        )


def read_data(step: Fingerprinted, stores: Stores) -> Iterator[VersionedData]:
    """What a step reads, for lineage."""
    for port in (*step.resolved.spec.inputs, *step.resolved.spec.resource_inputs):
        if port.data is not None:
            store, path = stores.datastore(port.data.datastore), port.data.path.rstrip("/")
            yield VersionedData(store.uri(path) if path else store.url, step.inputs[port.name].digest)
        for reference in port.references:
            yield VersionedData(reference.uri, reference.digest)


def job_of(
    step: Fingerprinted, who: Producer, *, recorded: bool, secrets: Mapping[str, str], attempt: str | None = None
) -> Job:
    """What the compute is given.

    :param recorded: whether the result will be recorded for reuse; if not, the attempt gets a name of its own, and its
        record keeps the outputs from gc without ever being found.
    :param attempt: its name, for a description; by default one that no other attempt has.
    """
    attempt = attempt or hashlib.sha256(f"{who}\0{who.try_number}\0{time.time_ns()}".encode()).hexdigest()
    name = step.key.fingerprint if recorded and step.key else f"mlp1:{attempt}"
    return Job(
        step=step.resolved.spec,
        fingerprint=name,
        attempt=attempt[:16],
        snapshot=step.snapshot,
        secrets=secrets,
        producer=who,
        same=step.key.fingerprint if step.key else None,
        image=step.image,
    )


def is_deferrable(wanted: bool | None) -> bool:
    """What the author said, else Airflow's default for all operators."""
    if wanted is not None:
        return wanted
    from airflow.sdk.configuration import conf

    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def record_of(job: Job, who: Producer, result: JobResult, started: float) -> ReuseRecord:
    """The result as it is remembered."""
    outputs = tuple(
        fitted(
            replace(
                o,
                fingerprint=job.fingerprint,
                dag_id=who.dag_id,
                task_id=who.task_id,
                run_id=who.run_id,
                preview=shown(o.preview),
            )
        )
        for o in result.outputs
    )
    xcoms = dict(result.values) if job.step.function is None or job.step.function.names else {}
    if job.step.function is None and result.result is not None:
        xcoms["return_value"] = result.result
    elif job.step.function is not None and not job.step.function.names:
        xcoms = {"return_value": result.values[VALUE]} if VALUE in result.values else {}
    return ReuseRecord(
        fingerprint=job.fingerprint,
        producer=who,
        outputs=outputs,
        xcoms=xcoms,
        metrics=result.metrics,
        started=started,
        seconds=result.seconds,
    )


def run_of_reuse(who: Producer, record: ReuseRecord, remarks: tuple[Reason, ...], previous: StepRun | None) -> StepRun:
    """What is remembered of a step that was reused."""
    return StepRun(
        step=who,
        fingerprint=record.fingerprint,
        decision="reused",
        reasons=remarks,
        origin=record.producer,
        saved=record.seconds,
        started=time.time(),
        previous=previous.fingerprint if previous else None,
        outputs=record.outputs,
    )

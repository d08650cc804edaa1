"""One transfer on its journey: what a rendered :class:`DataTransferStep` looks at, decides, does and records."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError, InputError
from airflow_mlpipe.fingerprint.key import KeyDocument
from airflow_mlpipe.hooks.trusted import checked
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.data import DataReference
from airflow_mlpipe.model.records import ReuseRecord, StepRun
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import InputPort, OutputPort, StepSpec
from airflow_mlpipe.operators.attempt import Fingerprinted, question_in
from airflow_mlpipe.operators.decide import Decision, Reused, Wait, look_up
from airflow_mlpipe.operators.plain_files import data_of
from airflow_mlpipe.operators.ports import data_from_plain
from airflow_mlpipe.operators.spec import Resolved, input_port, producer_of
from airflow_mlpipe.store.leases import Busy
from airflow_mlpipe.transfer.destination import Destination
from airflow_mlpipe.transfer.ends import destination_of, source_of
from airflow_mlpipe.transfer.engine import Delivered, carry_out, told
from airflow_mlpipe.transfer.identity import Contents, digest_of, identity_of
from airflow_mlpipe.transfer.looking import Look, look
from airflow_mlpipe.transfer.options import TransferOptions, check_options
from airflow_mlpipe.transfer.pace import Pace
from airflow_mlpipe.transfer.progress import files, size
from airflow_mlpipe.transfer.source import ContentSource, Source
from airflow_mlpipe.transfer.state import StateStore

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mlpipe.operators.transfer import DataTransferStep

_SHOWN = 50
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLook(Fingerprinted):
    """A transfer with all that its fingerprint is made of, and what there is to do.

    :param target: the destination as it is named.
    """

    found: Look
    target: DataReference


def look_in(step: DataTransferStep, context: Context, stores: Stores, say: Callable[[str], object]) -> TransferLook:
    """Look at both sides of a rendered step.

    :param say: is told what is wrong with neither side, and yet may be wrong.
    :raises DefinitionError: for what only shows after rendering. :raises InputError: when there is nothing to transfer.
    """
    who = producer_of(context)
    where = f"step {who.task_id!r}"
    options = check_options(
        mode=step.mode,
        include=step.include,
        exclude=step.exclude,
        bandwidth=step.bandwidth,
        concurrency=step.concurrency,
        dry_run=step.dry_run,
        where=where,
    )
    target = data_from_plain(step.output_data[0].name, step.destination)
    port = _port(input_port(step.inputs[0], where), str(who), stores)
    source = _source(port, target, stores, options, where)
    destination = _destination(step, target, source, stores, where)
    found = look(source, destination, options)
    if lost := found.lost:
        shown = ", ".join(lost[:5]) + (", ..." if len(lost) > 5 else "")
        say(
            f"WARNING: what was moved here before is gone, or changed, and the source has it no more: {shown} "
            f"({len(lost)} in all)"
        )
    contents = {file.path: (file.size, file.content) for file in found.files}
    key = key_of(step, found, contents, stores)
    spec = StepSpec(
        label=str(who),
        kind=step.kind,
        inputs=(port,),
        outputs=(OutputPort(data=step.output_data[0]),),
        reuse=step.reuse,
    )
    resolved = Resolved(spec=spec, hashed=(), hashed_parameters={}, run_params={})
    return TransferLook(
        resolved=resolved, snapshot=None, inputs=key.inputs, environment={}, key=key, found=found, target=target
    )


def _port(port: InputPort, label: str, stores: Stores) -> InputPort:
    """The source's port, with data where upstream delivered plain files."""
    at = f"{label}: source"
    if port.many or (port.data is None and not port.references):
        what = "a transfer has one source" if port.many else "upstream wrote no such output"
        raise InputError(what, where=at, fix="name one DataReference, or one output of one step")
    for reference in port.references:
        checked(reference, where=at, workspace=stores.workspace)
    if port.references and port.references[0].path is not None:
        return InputPort(name=port.name, data=data_of(port.references[0], port.name))
    return port


def _source(port: InputPort, target: DataReference, stores: Stores, options: TransferOptions, where: str) -> Source:
    if port.data is not None:
        return source_of(port.data, target, stores, options.mode)
    reference = port.references[0]
    if options.mode == "move":
        raise DefinitionError(
            "what a step published belongs to the workspace and cannot be moved away",
            where=where,
            given=f"output {reference.name!r} of {reference.task_id!r}",
            fix="write mode='copy'",
        )
    return ContentSource(reference=reference, contents=stores.contents(reference.datastore))


def _destination(
    step: DataTransferStep, target: DataReference, source: Source, stores: Stores, where: str
) -> Destination:
    if step.destination.get("kind") == "file" and source.kind == "folder":
        raise DefinitionError(
            "the source is a folder, and the destination a file",
            where=where,
            given=f"PipelineData({target.name!r}, kind='file')",
            fix="leave out kind='file'",
        )
    return destination_of(target, source, stores, where=f"{where}: destination")


def key_of(step: DataTransferStep, found: Look, contents: Contents, stores: Stores) -> KeyDocument:
    """The key: what the files are, where they go, and what else would make another result of them."""
    options = found.options
    params = {
        "destination": found.destination.uri,
        "mode": options.mode,
        "include": list(options.include),
        "exclude": list(options.exclude),
    }
    return KeyDocument(
        step=step.kind,
        params=params,
        inputs={"source": identity_of(contents, found.source.kind)},
        version=step.reuse.version,
        salt=stores.settings.salt,
    )


def lease_of(found: Look) -> str:
    """What no two transfers hold at once: their destination, as the name of a lease."""
    place = f"mlpipe.destination\0{found.destination.store.url}/{found.destination.root}"
    return f"mlp1:{hashlib.sha256(place.encode()).hexdigest()}"


def to_do(found: Look) -> bool | str:
    """What is to be done at a destination of which a result is recorded; ``False``: nothing."""
    if found.plan.is_empty:
        return False
    return told(found) if found.plan.send or found.plan.delete or found.plan.remove else "it is not marked as whole"


def decide_in(step: Fingerprinted, context: Context, stores: Stores, lease_name: str) -> Decision:
    """Decide; an :class:`Execute` has the destination for itself when this returns, but for a dry run."""
    assert isinstance(step, TransferLook)
    question = question_in(step, context, lambda _: to_do(step.found))
    found = look_up(stores.workspace, question)
    if isinstance(found, Reused) or step.found.options.dry_run:
        return found
    lease = stores.workspace.leases.acquire(lease_name, question.step)
    return Wait(busy=lease) if isinstance(lease, Busy) else replace(found, lease=lease)


def transfer(step: DataTransferStep, run: StepRun, pace: Pace, say: Say) -> tuple[ReuseRecord, KeyDocument]:
    """Do it.  The key that is returned knows the digests of what passed, so that the next run finds the record."""
    looked = step._step
    assert isinstance(looked, TransferLook)
    found = looked.found
    anew = any(reason.code == "FORCED" for reason in run.reasons)
    if anew or StateStore(found.destination.store, found.destination.root).stamp() != found.state.stamp:
        # Whoever had the destination before may have delivered something since we looked.
        found = look(found.source, found.destination, found.options, anew=anew)
    say(told(found))
    began = time.time()
    delivered = carry_out(found, pace, say)
    key = key_of(step, found, delivered.files, step._stores)
    fingerprint = key.fingerprint
    if step.reuse.policy == "never":
        # Its record keeps what is told of it, and is never found.
        fingerprint = f"mlp1:{hashlib.sha256(f'{run.step}-{run.step.try_number}-{began}'.encode()).hexdigest()}"
    record = ReuseRecord(
        fingerprint=fingerprint,
        producer=run.step,
        outputs=(_reference(looked, found, delivered, run, fingerprint),),
        metrics=_metrics(found, delivered),
        started=run.started,
        seconds=time.time() - began,
    )
    say(f"{files(len(delivered.files))} ({_bytes(delivered)}) are at {found.destination.uri}")
    return record, key


def _bytes(delivered: Delivered) -> str:
    return size(sum(number for number, _ in delivered.files.values()))


def _reference(
    looked: TransferLook, found: Look, delivered: Delivered, run: StepRun, fingerprint: str
) -> OutputReference:
    kind = found.destination.kind
    digest = digest_of(delivered.files, kind)
    who = run.step
    return OutputReference(
        name=looked.target.name,
        kind=kind,
        digest=digest,
        identity=digest,
        datastore=looked.target.datastore.spelling,
        uri=found.destination.uri,
        size=sum(number for number, _ in delivered.files.values()),
        files=len(delivered.files),
        filename=found.destination.root.rpartition("/")[2] if kind == "file" else "",
        fingerprint=fingerprint,
        dag_id=who.dag_id,
        task_id=who.task_id,
        run_id=who.run_id,
        path=found.destination.root,
    )


def _metrics(found: Look, delivered: Delivered) -> dict[str, float]:
    return {
        "files_sent": delivered.sent,
        "bytes_sent": delivered.sent_bytes,
        "files_unchanged": len(found.plan.keep),
        "files_deleted": delivered.deleted,
        "files_removed_from_source": delivered.removed,
    }


def unchanged(found: Look) -> str:
    """What is said when there is nothing to do."""
    total = size(sum(file.size for file in found.files))
    return f"nothing changed: {files(len(found.files))} ({total}) are at {found.destination.uri}"


def say_dry(found: Look, say: Say) -> dict[str, Any]:
    """Say what would be done; the same in short as the task's result."""
    plan = found.plan
    say(f"DRY RUN to {found.destination.uri}: {told(found)}; nothing is changed")
    for what, paths in (
        ("send", [file.path for file in plan.send]),
        ("remove at the destination", plan.delete),
        ("remove from the source", [file.path for file in plan.remove]),
    ):
        for path in paths[:_SHOWN]:
            say(f"would {what}: {path}")
        if len(paths) > _SHOWN:
            say(f"would {what}: {len(paths) - _SHOWN:,} more")
    return {
        "dry_run": True,
        "send": len(plan.send),
        "bytes": plan.size,
        "unchanged": len(plan.keep),
        "delete": len(plan.delete),
        "remove_from_source": len(plan.remove),
    }

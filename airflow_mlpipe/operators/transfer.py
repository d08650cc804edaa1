"""DataTransferStep: data from one datastore to another, as a step.

The worker does it all, with :mod:`airflow_mlpipe.transfer`; the journey is that of every step: look, decide, execute,
publish.  Its fingerprint is made of what is at the source and of where it goes; a recorded result stands as long as a
listing of each side says that there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import DataReference, PipelineData
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.operators.base import StepOperator
from airflow_mlpipe.operators.ports import data_to_plain, is_xcom
from airflow_mlpipe.operators.program import Said
from airflow_mlpipe.transfer.options import CONCURRENCY, check_options

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.model.records import StepRun
    from airflow_mlpipe.operators.attempt import Fingerprinted
    from airflow_mlpipe.operators.decide import Decision, Reused
    from airflow_mlpipe.operators.transferring import TransferLook
    from airflow_mlpipe.transfer.looking import Look
    from airflow_mlpipe.transfer.pace import Pace

_OPTIONS = ("mode", "include", "exclude", "bandwidth", "concurrency", "dry_run")
_PLACEHOLDERS = {
    "dag": "{{ dag.dag_id | replace('/', '_') }}",
    "run": "{{ run_id | replace('/', '_') }}",
    "task": "{{ task.task_id | replace('/', '_') }}",
    "map": "{{ [ti.map_index, 0] | max }}",
}


class DataTransferStep(StepOperator):
    """Brings a file, a folder or what matches a glob from one datastore to another.

    Purpose: data where a step, or somebody else, wants them, without a program that copies them.

    How it works: one listing of each side and what was delivered before say what is to be sent.  It goes in parallel,
    in bounded memory, hashed as it passes; where both sides are on one server the server copies.  A folder's manifest
    is removed first and written last.  What has arrived is written down each second, so that a transfer that was
    killed goes on where it was.

    What it does not do: it compresses nothing, keeps no empty folders, times or permissions, and sends a file that was
    under way when it was killed from its beginning.

    :param source: a :class:`DataReference` (a path that ends in ``/`` is a folder), or an output of another step.
    :param destination: a :class:`DataReference`; its ``name`` names the output.  A file goes to that very path, or, if
        it ends in ``/``, into that folder.  Or a :class:`PipelineData` with ``datastore`` and ``path``, which is the
        edge to the steps that take it.
    :param mode: ``"copy"`` adds and overwrites; ``"sync"`` also removes, below the destination, what the source does
        not have; ``"move"`` also removes from the source what was verified at the destination.
    :param include: patterns of files that take part, in the syntax of gitignore; none: all.
    :param exclude: patterns of those that do not; ``sync`` leaves them alone at the destination, too.
    :param bandwidth: at most so many bytes per second; a number, or a text like ``"50 MiB/s"``.
    :param concurrency: files under way at once.
    :param dry_run: only say what would be done; the tasks after it are skipped.
    :param reuse, allow_reuse: as for every step.  Forcing it sends everything again.

    All but ``reuse`` and ``allow_reuse`` may hold templates.

    :raises DefinitionError: for every mistake that can be seen in the DAG file.
    """

    template_fields: Sequence[str] = ("inputs", "destination", *_OPTIONS)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "inputs": "json",
        "destination": "json",
        "include": "json",
        "exclude": "json",
    }
    kind = "transfer"
    runs_program: ClassVar[bool] = False
    exclusive_in: ClassVar[str] = "writes to the same destination"

    destination: dict[str, Any]
    mode: Any
    include: Any
    exclude: Any
    bandwidth: Any
    concurrency: Any
    dry_run: Any

    def __init__(
        self,
        *,
        task_id: str,
        source: Any,
        destination: DataReference | PipelineData,
        mode: str = "copy",
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        bandwidth: float | str | None = None,
        concurrency: int | str = CONCURRENCY,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        where = f"step {task_id!r}"
        _refuse_program(kwargs, where)
        output, place = _output(destination, where)
        said = {
            "mode": mode,
            "include": include if is_xcom(include) or isinstance(include, str) else list(include or ()),
            "exclude": exclude if is_xcom(exclude) or isinstance(exclude, str) else list(exclude or ()),
            "bandwidth": bandwidth,
            "concurrency": concurrency,
            "dry_run": dry_run,
        }
        known = {name: _DEFAULTS[name] if _later(value) else value for name, value in said.items()}
        check_options(**known, where=where)
        _check_source(source, destination, where)
        # Said here, so that what default_args say of programs is not about this step.
        super().__init__(task_id=task_id, inputs={"source": source}, outputs=[output], **_NO_PROGRAM, **kwargs)
        vars(self).update(destination=place, **said)

    @classmethod
    def complete(cls, said: Said, *, where: str) -> Said:
        """There is no program."""
        return Said((), None, None, None, "closure")

    @classmethod
    def partial(cls, **kwargs: Any) -> NoReturn:
        """:raises DefinitionError: always."""
        raise DefinitionError(
            "a transfer is not mapped",
            where=f"step {kwargs.get('task_id')!r}",
            fix="take one DataReference with a glob or include=, or write a loop that makes a step for each source",
        )

    # ---- in the worker, and in a plan ----------------------------------------------------------------------------

    def look(self, context: Context, stores: Stores, say: Callable[[str], object]) -> TransferLook:
        """One listing of each side, and what there is to do."""
        from airflow_mlpipe.operators.transferring import look_in

        return look_in(self, context, stores, say)

    def is_gone(self, step: Fingerprinted, output: OutputReference, stores: Stores) -> bool | str:
        """Whether there is something to do, whatever was recorded; and what."""
        from airflow_mlpipe.operators.transferring import to_do

        return to_do(_found(step))

    # ---- in the worker -------------------------------------------------------------------------------------------

    def decided(self, step: Fingerprinted, context: Context) -> Decision:
        """Whoever executes has the destination for itself."""
        from airflow_mlpipe.operators.transferring import decide_in

        return decide_in(step, context, self._stores, self.lease_name(step))

    def lease_name(self, step: Fingerprinted) -> str:
        """The destination's."""
        from airflow_mlpipe.operators.transferring import lease_of

        return lease_of(_found(step))

    def _reuse(self, decision: Reused, context: Context) -> NoReturn:
        from airflow_mlpipe.operators.transferring import unchanged
        from airflow_mlpipe.transfer.engine import remember

        found = _found(self._step)
        remember(found)
        self.log.info(unchanged(found))
        super()._reuse(decision, context)

    def _execute(self, context: Context) -> Any:
        found = _found(self._step)
        if not found.options.dry_run:
            return super()._execute(context)
        from airflow.sdk.exceptions import DownstreamTasksSkipped

        from airflow_mlpipe.operators.transferring import say_dry
        from airflow_mlpipe.operators.xcoms import push_return_value

        push_return_value(context, say_dry(found, self._say))
        raise DownstreamTasksSkipped(tasks=sorted(self.downstream_task_ids))  # type: ignore[no-untyped-call]

    def _run_and_publish(self, context: Context, run: StepRun) -> Any:
        from airflow_mlpipe.operators.transferring import transfer
        from airflow_mlpipe.transfer.pace import Pace

        self._pace: Pace = Pace(_found(self._step).options.bandwidth)
        record, key = transfer(self, run, self._pace, self._say)
        workspace = self._stores.workspace
        workspace.keys.put(key.fingerprint, key.to_json())
        published = workspace.records.publish(record, replace=self._decision.replace)
        known = replace(run, fingerprint=key.fingerprint, seconds=record.seconds)
        return self._hand_on(context, known, published.record)

    def on_kill(self) -> None:
        """End the transfer; what has arrived is not sent again."""
        if (pace := getattr(self, "_pace", None)) is not None:
            pace.cancel()


_DEFAULTS: Mapping[str, Any] = {
    "mode": "copy",
    "include": (),
    "exclude": (),
    "bandwidth": None,
    "concurrency": CONCURRENCY,
    "dry_run": False,
}
_NO_PROGRAM: Mapping[str, Any] = {
    **dict.fromkeys(("arguments", "command", "parameters", "source_directory", "script_name", "code")),
    **dict.fromkeys(("environment", "resources", "resource_inputs", "secrets")),
    "include": (),
    "compute_target": "local",
    "sorted_listings": True,
    "deferrable": False,
}


def _found(step: Fingerprinted) -> Look:
    from airflow_mlpipe.operators.transferring import TransferLook

    assert isinstance(step, TransferLook)
    return step.found


def _later(value: Any) -> bool:
    """Whether a value is known in a run only."""
    return is_xcom(value) or (isinstance(value, str) and ("{{" in value or "{%" in value))


def _refuse_program(given: Mapping[str, Any], where: str) -> None:
    refused = sorted({*_NO_PROGRAM, "inputs", "outputs"} & set(given))
    if refused:
        raise DefinitionError(
            f"a DataTransferStep has no {refused[0]}",
            where=where,
            valid="source, destination, mode, include, exclude, bandwidth, concurrency, dry_run, reuse, allow_reuse,"
            " and the arguments of Airflow's BaseOperator",
            fix="the worker transfers by itself; for a program take a ScriptStep or a CommandStep",
        )


def _check_source(source: Any, destination: Any, where: str) -> None:
    """What is wrong with the source as far as the DAG file shows."""
    if source is None or isinstance(source, (str, list, tuple)):
        raise DefinitionError(
            "a transfer has one source",
            where=f"{where}: source",
            given=source,
            valid="a DataReference, or an output of another step",
            fix="for several, take a folder or a glob, or a step for each",
        )
    if not isinstance(source, DataReference) or not isinstance(destination, DataReference):
        return
    if _later(source.path) or _later(destination.path) or source.datastore != destination.datastore:
        return
    if source.path.rstrip("/") == destination.path.rstrip("/"):
        raise DefinitionError("source and destination are the same place", where=where, given=source.path)


def _output(destination: Any, where: str) -> tuple[PipelineData, dict[str, Any]]:
    """The declared output, and the place where it goes, as a dict that Airflow can render and serialise."""
    at = f"{where}: destination"
    if isinstance(destination, PipelineData):
        if destination.datastore is None or destination.path is None:
            raise DefinitionError(
                "a destination needs a datastore and a path",
                where=at,
                given=f"PipelineData({destination.name!r})",
                fix=f"write PipelineData({destination.name!r}, datastore=..., path='folder/{{run}}')",
            )
        path = destination.path.format(**_PLACEHOLDERS)
        if destination.kind == "folder":
            path = f"{path.rstrip('/')}/"
        place = data_to_plain(DataReference(destination.datastore, path, name=destination.name))
        return destination, place | {"kind": destination.kind}
    if not isinstance(destination, DataReference):
        raise DefinitionError(
            "not a destination",
            where=at,
            given=destination,
            valid="DataReference(datastore, path), or PipelineData(name, datastore=..., path=...)",
        )
    if destination.version is not None or destination.identity != "auto":
        raise DefinitionError(
            "a destination has no version and no identity", where=at, fix="leave out version= and identity="
        )
    if destination.is_glob and not _later(destination.path):
        raise DefinitionError("a destination is a path, not a pattern", where=at, given=destination.path)
    return PipelineData(destination.name), data_to_plain(destination)

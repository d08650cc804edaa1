"""Run a module on the examples that lie in its folder: no DAG, no database, a workspace that is thrown away.

``tests/<case>/case.yaml`` says what goes in and what comes out::

    inputs: {prepared: data}                 # paths in the case's folder
    params: {components: 8}
    outputs:
      features: features                     # equal to this file or folder
      metrics: {equals: metrics.json, tolerance: 0.001}   # JSON, or numbers in text, nearly equal
      report: {}                             # anything, but there
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError, MLPipeError
from airflow_mlpipe.fingerprint.code import read_code
from airflow_mlpipe.model.data import DataReference, Datastore, PipelineData
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.step import CodeSpec, FunctionCall, InputPort, OutputPort, StepSpec
from airflow_mlpipe.modules.case_files import Case, Expected, read_cases
from airflow_mlpipe.modules.commands import command_of
from airflow_mlpipe.modules.comparing import unlike
from airflow_mlpipe.modules.definition import NO_CODE, ModuleDefinition, OutputDeclaration
from airflow_mlpipe.modules.fetching import bring
from airflow_mlpipe.modules.functions import function_code, port_document
from airflow_mlpipe.modules.params import complete_params
from airflow_mlpipe.modules.reading import read_module
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.values.structure import encode

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.model.reference import OutputReference

VALUE = "value"
"""What the one result of a function is called."""

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How a case went.  :param problems: empty when it passed."""

    case: str
    problems: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """For ``--output json``."""
        return {"case": self.case, "passed": self.passed, "problems": list(self.problems), "seconds": self.seconds}


def run_cases(
    folder: str | Path,
    *,
    cases: Iterable[str] = (),
    compute: str = "local",
    keep: str | Path | None = None,
    stores: Stores | None = None,
    say: Say = lambda _: None,
) -> list[CaseResult]:
    """Run the cases of a module.

    :param cases: only these. :param compute: where. :param keep: folder for copies of what they wrote.
    :param say: gets the lines that the programs print.
    :raises DefinitionError: for mistakes in the module or in a case, and for a module without cases.
    """
    folder = Path(folder).absolute()
    definition = read_module(folder)
    if definition.kind == "pipeline":
        raise DefinitionError(
            "a module of steps is not run by itself", where=str(folder), fix="test the modules of its steps"
        )
    wanted = read_cases(folder, definition, cases)
    found = []
    with tempfile.TemporaryDirectory(prefix="mlpipe-module-test-") as top:
        own = _own(stores, Path(top))
        for case in wanted:
            started = time.monotonic()
            try:
                problems = _run(definition, folder, case, compute, own, say, None if keep is None else Path(keep))
            except MLPipeError as error:
                problems = (str(error),)
            found.append(CaseResult(case=case.name, problems=problems, seconds=time.monotonic() - started))
    return found


def _own(stores: Stores | None, top: Path) -> Stores:
    """This deployment's, with a workspace that is thrown away."""
    from airflow_mlpipe.hooks.settings import load_settings
    from airflow_mlpipe.hooks.workspace import Stores as Opened

    settings = stores.settings if stores is not None else load_settings()
    return Opened(replace(settings, workspace=(top / "workspace").as_uri(), workspace_connection=None))


def _run(
    definition: ModuleDefinition, folder: Path, case: Case, compute: str, stores: Stores, say: Say, keep: Path | None
) -> tuple[str, ...]:
    from airflow_mlpipe.compute.find import find_compute

    spec = spec_of(definition, folder, case, compute)
    target = find_compute(compute, stores=stores)
    target.check(spec)
    image = spec.environment.image
    job = Job(
        step=spec,
        fingerprint=f"mlp1:{token_hex(32)}",
        attempt=token_hex(8),
        snapshot=read_code(spec.code, cache_dir=stores.cache)
        if spec.code is not None
        else function_code(definition, str(folder), stores.cache).snapshot,
        image=None if image is None else target.pin(image, where=spec.label),
    )
    result = target.run(job, say)
    with tempfile.TemporaryDirectory(prefix="mlpipe-module-case-") as scratch:
        written = (keep or Path(scratch)).absolute() / case.name
        there = {output.name: _bring(output, stores, written) for output in result.outputs}
        return tuple(problem for expected in case.outputs for problem in _compare(expected, there))


def _bring(output: OutputReference, stores: Stores, written: Path) -> Path:
    """An output as plain files.  :raises StoreError: and its kinds."""
    target = written / output.name
    if output.kind == "folder":
        shutil.rmtree(target, ignore_errors=True)
        bring(stores.workspace.contents, output.digest, target)
        return target
    target.mkdir(parents=True, exist_ok=True)
    file = target / (output.filename or output.name)
    file.unlink(missing_ok=True)
    stores.workspace.contents.fetch(output.digest, file)
    return file


def _compare(expected: Expected, there: Mapping[str, Path]) -> Iterator[str]:
    path = there.get(expected.name)
    if path is None:
        yield f"the output {expected.name!r} was not written"
    elif expected.equals is not None:
        for problem in unlike(expected.equals, path, expected.tolerance):
            yield f"the output {expected.name!r}: {problem}"


def spec_of(definition: ModuleDefinition, folder: Path, case: Case, compute: str) -> StepSpec:
    """The step that a case is."""
    where = f"case {case.name!r}"
    params = complete_params(definition.params, case.params, where=where)
    place = Datastore("case", url=case.folder.as_uri())
    inputs = tuple(
        InputPort(name=name, data=DataReference(place, path, name=name)) for name, path in sorted(case.inputs.items())
    )
    outputs = tuple(OutputPort(data=_output(p, is_value=definition.kind == "function")) for p in definition.outputs)
    common = StepSpec(
        label=f"{definition.label}, {where}",
        kind=definition.kind,
        parameters=params,
        inputs=inputs,
        outputs=outputs,
        environment=_environment(definition.environment, folder),
        compute_target=compute,
        resources=definition.resources,
    )
    if definition.kind == "function":
        return _calling(common, definition)
    code = CodeSpec(
        root=str(folder / definition.source),
        entry=definition.script,
        mode=definition.code,
        include=definition.include,
        exclude=NO_CODE if definition.source == "." else (),
    )
    command = command_of(definition.arguments, inputs=case.inputs, outputs=[o.name for o in outputs], params=params)
    return replace(common, code=code, command=command)


def _output(port: OutputDeclaration, *, is_value: bool) -> PipelineData:
    """An output of a case; what a function returns becomes a file, small as it may be, because a path is wanted."""
    kind = port.type.kind or "folder"
    path = port.name if is_value else None
    return PipelineData(port.name, kind=kind, filename=port.filename, optional=port.optional, path=path)


def _calling(common: StepSpec, definition: ModuleDefinition) -> StepSpec:
    """The step of a function: its inputs are values."""
    given = {port.name: port_document(port.name) for port in common.inputs}
    values = {name: encode(value, lambda *_: None, path=name) for name, value in common.parameters.items()}
    names = tuple(port.name for port in definition.outputs)
    call = FunctionCall(
        file=str(definition.script), name=str(definition.function), names=() if names == (VALUE,) else names
    )
    return replace(common, function=call, parameters={**values, **given})


def _environment(environment: Environment | None, folder: Path) -> Environment:
    if environment is None or environment.requirements is None:
        return environment or Environment()
    return replace(environment, requirements=str(folder / environment.requirements))

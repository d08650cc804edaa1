"""From a rendered operator to a StepSpec: the last point where Airflow's context is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError, InputError
from airflow_mlpipe.hooks.values import expanded
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.reference import OutputReference, is_absent, is_reference
from airflow_mlpipe.model.step import (
    Argument,
    CodeSpec,
    FunctionCall,
    InputPath,
    InputPort,
    OutputPath,
    OutputPort,
    StepSpec,
    Template,
    Text,
)
from airflow_mlpipe.operators.arguments import as_data, taken_arguments
from airflow_mlpipe.operators.definition import source_root
from airflow_mlpipe.operators.hashed import Hashing
from airflow_mlpipe.operators.masking import Salt
from airflow_mlpipe.operators.ports import data_from_plain
from airflow_mlpipe.operators.templates import reads, reads_all
from airflow_mlpipe.values.structure import encode

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import Context

    from airflow_mlpipe.fingerprint.functions import FunctionCode
    from airflow_mlpipe.model.code import CodeSnapshot
    from airflow_mlpipe.operators.base import StepOperator


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A step as it stands in one run.

    :param spec: what is hashed and what runs.
    :param hashed: the arguments as the key sees them: ignored parameters left out, secrets by their template.
    :param run_params: typed values of the run parameters that templates read.
    :param snapshot: of a function step, whose code is known already.
    """

    spec: StepSpec
    hashed: tuple[Argument, ...]
    hashed_parameters: Mapping[str, Any]
    run_params: Mapping[str, Any]
    snapshot: CodeSnapshot | None = None


def producer_of(context: Context) -> Producer:
    """The task instance of a context."""
    ti = context["ti"]
    return Producer(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index if ti.map_index is not None else -1,
        try_number=ti.try_number,
    )


def resolve(step: StepOperator, context: Context, salt: Salt, cache: Path | None = None) -> Resolved:
    """Make the spec of a rendered step.

    :param salt: gives the workspace's key for digests of texts that may be secrets.
    :param cache: of this host, where what files import is remembered.
    :raises DefinitionError: for what only shows after rendering (a port that no input fills).
    """
    who = producer_of(context)
    where = f"step {who.task_id!r}"
    run = dict(context["params"])
    step.take_arguments()
    function = step.read_function(cache)
    arguments, given = taken_arguments(step.arguments or (), _port_list(step.inputs, where))
    ports = tuple(input_port(p, where) for p in given)
    hashing = Hashing(ignored=frozenset(step.reuse.ignore), run=run, salt=salt)
    own = [t for t in _texts((step.raw_parameters or {}).values()) if _sole_param(t) is None]  # those count as they are
    templates = [*_texts(step.raw_arguments), *own]
    parameters = step.take_parameters({n: _typed(v, t, run) for n, v, t in _parameter_pairs(step)})
    hashed_parameters = {
        n: Template(n) if n in hashing.ignored else hashing.value(t, parameters[n], n)
        for n, _, t in _parameter_pairs(step)
    }
    there = tuple(p for p in ports if p.references or p.data)
    if (made := step.own_command([p.name for p in there], parameters)) is not None:
        # What it is made of are the parameters, whose values count whatever template gave them.
        command, templates = made, []
        hashed = step.own_command([p.name for p in there], hashed_parameters) or ()
    else:
        command = tuple(_argument(v, t, where) for v, t in _pairs(arguments, step.raw_arguments))
        hashed = tuple(hashing.argument(a) for a in command)
    spec = StepSpec(
        label=str(who),
        kind=step.kind,
        code=_code(step, context),
        function=_function(function, step) if function else None,
        command=command,
        parameters=parameters,
        inputs=there,
        resource_inputs=tuple(input_port(p, where) for p in _port_list(step.resource_inputs, where)),
        outputs=tuple(OutputPort(data=o, destination=_destination(o.path, who)) for o in step.output_data),
        environment=_environment(step, context),
        secrets=step.secrets or {},
        compute_target=step.compute_target,
        resources=step.step_resources,
        reuse=step.reuse,
        sorted_listings=step.sorted_listings,
    )
    _check_ports(spec, {p.name for p in ports}, where)
    return Resolved(
        spec=spec,
        hashed=hashed,
        hashed_parameters={n: v for n, v in hashed_parameters.items() if n not in hashing.ignored},
        run_params=hashing.params(reads_all(templates).params),
        snapshot=function.snapshot if function else None,
    )


def _function(code: FunctionCode, step: StepOperator) -> FunctionCall:
    bindings = {name: encode(value, lambda *_: None, path=name) for name, value in code.bindings.items()}
    names = step.pushed_outputs()
    return FunctionCall(file=code.file, name=code.name, bindings=bindings, names=names)


def _port_list(given: Any, where: str) -> list[Mapping[str, Any]]:
    """Ports as the constructor left them, or what an ``expand(inputs=...)`` resolved to."""
    if given is None:
        return []
    if is_reference(given):
        return [{"name": given["name"], "from": given}]
    if isinstance(given, Mapping):
        return [{"name": name, "from": value} for name, value in given.items()]
    return [{"name": one["name"], "from": one} if is_reference(one) or is_absent(one) else one for one in given]


def input_port(port: Mapping[str, Any], where: str) -> InputPort:
    """A rendered port.  :raises InputError: for what is no reference to data."""
    name = port["name"]
    if "data" in port:
        return InputPort(name=name, data=data_from_plain(name, port["data"]))
    source = as_data(port.get("from"))
    at = f"{where}: input {name!r}"
    if is_reference(source):
        return InputPort(name=name, references=(OutputReference.from_json(source),))
    if source is None or is_absent(source):
        return InputPort(name=name)
    if not isinstance(source, list):
        fix = "give text and numbers as arguments or parameters; inputs are data"
        raise InputError("upstream pushed no reference to data", where=at, given=source, fix=fix)
    references = []
    for item in _flat(source):
        if is_reference(item):
            references.append(OutputReference.from_json(item))
        elif item is not None and not is_absent(item):
            raise InputError("upstream pushed no reference to data", where=at, given=item)
    return InputPort(name=name, references=tuple(references), many=True)


def _flat(source: Iterable[Any]) -> Iterable[Any]:
    """A list of outputs may itself hold the outputs of a mapped step."""
    for item in map(expanded, source):
        if (
            item is None
            or isinstance(item, Mapping)
            or not isinstance(item, Iterable)
            or isinstance(item, (str, bytes))
        ):
            yield item
        else:
            yield from _flat(item)


def _pairs(values: Any, templates: Any) -> list[tuple[Any, Any]]:
    """Rendered arguments next to what was written; the same list when it only became known at run time."""
    values = list(values or [])
    written = list(templates) if isinstance(templates, (list, tuple)) and len(templates) == len(values) else values
    return list(zip(values, written, strict=True))


def _argument(value: Any, template: Any, where: str) -> Argument:
    if isinstance(value, Mapping) and "input" in value:
        return InputPath(value["input"])
    if isinstance(value, Mapping) and "output" in value:
        return OutputPath(value["output"])
    if isinstance(value, (str, int, float)):
        return Text(template if isinstance(template, str) else str(value), value)
    raise DefinitionError(
        "not an argument after rendering",
        where=f"{where}: arguments",
        given=value,
        valid="text, a number, a bool, or data",
    )


def _parameter_pairs(step: StepOperator) -> list[tuple[str, Any, Any]]:
    raw = step.raw_parameters if isinstance(step.raw_parameters, Mapping) else {}
    return [(name, value, raw.get(name, value)) for name, value in (step.parameters or {}).items()]


def _typed(value: Any, template: Any, run: Mapping[str, Any]) -> Any:
    """``"{{ params.lr }}"`` alone keeps the parameter's own type instead of its text."""
    name = _sole_param(template)
    return value if name is None else run.get(name, value)


def _sole_param(template: Any) -> str | None:
    """The run parameter of a template that is nothing but it."""
    text = template.strip() if isinstance(template, str) else ""
    names = reads(text).params
    if not names or len(names) != 1 or reads(text).others:
        return None
    (name,) = names
    spellings = (f"{{{{params.{name}}}}}", f"{{{{params['{name}']}}}}", f'{{{{params["{name}"]}}}}')
    return name if text.replace(" ", "") in spellings else None


def _texts(values: Any) -> list[str]:
    return [v for v in values or [] if isinstance(v, str)] if not isinstance(values, str) else [values]


def _code(step: StepOperator, context: Context) -> CodeSpec | None:
    if step.source_directory is None:
        return None
    root = source_root(step.source_directory, step.definition_file(context["dag"].fileloc))
    if not os.path.isdir(root):
        raise DefinitionError("the source folder does not exist", where=f"step {step.task_id!r}", given=root)
    return CodeSpec(
        root=root, entry=step.script_name, mode=step.code, include=tuple(step.include), exclude=step.code_excludes()
    )


def _environment(step: StepOperator, context: Context) -> Environment:
    """With the requirements file by its absolute path: relative ones start at the folder of the DAG file."""
    environment = step.environment
    if environment is None or environment.requirements is None:
        return environment or Environment()
    file = step.environment_file(context["dag"].fileloc)
    return replace(environment, requirements=source_root(environment.requirements, file))


def _destination(path: str | None, who: Producer) -> str | None:
    if path is None:
        return None
    values = {"dag": who.dag_id, "run": who.run_id, "task": who.task_id, "map": max(who.map_index, 0)}
    return path.format(**{k: str(v).replace("/", "_") for k, v in values.items()})


def _check_ports(spec: StepSpec, inputs: set[str], where: str) -> None:
    outputs = {o.name for o in spec.outputs}
    for argument in spec.command:
        if isinstance(argument, InputPath) and argument.name not in inputs:
            raise DefinitionError(
                "an argument names an input that the step does not have",
                where=where,
                given=argument.name,
                valid=sorted(inputs),
            )
        if isinstance(argument, OutputPath) and argument.name not in outputs:
            raise DefinitionError(
                "an argument names an output that the step does not have",
                where=where,
                given=argument.name,
                valid=sorted(outputs),
            )

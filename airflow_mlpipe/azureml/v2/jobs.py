"""A command job, or a command component with the inputs that a job gives it, as a step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow_mlpipe.azureml.v2.bindings import Bound, Maybe, command_parts
from airflow_mlpipe.azureml.v2.command import Program, program_of
from airflow_mlpipe.azureml.v2.environments import environment_of
from airflow_mlpipe.azureml.v2.importing import CodeFolder, Importing
from airflow_mlpipe.azureml.v2.nodes import Node
from airflow_mlpipe.azureml.v2.outputs import output_of
from airflow_mlpipe.azureml.v2.values import PLAIN, Absent, Broken, Value
from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.environment import check_variable
from airflow_mlpipe.model.resources import Resources
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.model.step import InputPath, OutputPath
from airflow_mlpipe.pipelines.records import Input, Output, Step

_OF_BOTH = frozenset(
    {"$schema", "type", "name", "version", "display_name", "description", "inputs", "outputs", "tags", "limits"}
    | {"resources", "distribution", "environment", "environment_variables", "code", "command", "is_deterministic"}
    | {"additional_includes", "component", "compute", "experiment_name", "jobs"}
)
_RESOURCES = frozenset({"instance_count", "shm_size"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandJob:
    """What is known of a job before it becomes a step.

    :param job: where it is used. :param component: what it runs; the same node for one that is written out.
    :param inputs: values by name. :param destinations: where the pipeline wants outputs, by name.
    :param compute: a compute of ours. :param refresh: whether the pipeline executes always.
    """

    task_id: str
    group: str | None
    job: Node
    component: Node
    inputs: dict[str, Value]
    destinations: dict[str, Node]
    compute: str
    refresh: bool = False


def step_of(job: CommandJob, importing: Importing) -> Step | None:
    """The step; ``None`` when something stands against it, which then is told."""
    findings = importing.findings
    for node in _nodes(job):
        importing.rest(node, _OF_BOTH, "of a job")
    command = _own(job, "command")
    if not isinstance(command.value, str) or not command.value.strip():
        findings.stops(command, "a command is a text", "")
        return None
    outputs = outputs_of(job, importing)
    program = _program(command, job, outputs, importing)
    source = _source(job, importing)
    if program is None or any(isinstance(value, Broken) for value in job.inputs.values()):
        return None
    is_script = program.script is not None and source is not None
    arguments = program.arguments
    if program.script is not None and not is_script:
        arguments = ("python", program.script, *arguments)
    inputs = {n: v for n, v in job.inputs.items() if not isinstance(v, (*PLAIN, Absent, Broken))}
    variables = _variables(job, importing)
    described = job.job if job.job.has("environment") else job.component
    return Step(
        task_id=job.task_id,
        kind="script" if is_script else "command",
        group=job.group,
        script=program.script if is_script else None,
        source=source,
        arguments=arguments,
        inputs=tuple(Input(name=name, sources=(source_,)) for name, source_ in inputs.items()),
        outputs=outputs,
        environment=environment_of(described.get("environment"), variables, job.compute, importing),
        compute=job.compute,
        resources=_resources(job, importing),
        reuse=_reuse(job),
        settings=_settings(job),
    )


def _nodes(job: CommandJob) -> list[Node]:
    return [job.job] if job.component == job.job else [job.job, job.component]


def _own(job: CommandJob, name: str) -> Node:
    """A member of the job, or of its component if the job does not say it."""
    return job.job.get(name) if job.job.get(name).value is not None else job.component.get(name)


def outputs_of(job: CommandJob, importing: Importing) -> tuple[Output, ...]:
    """All outputs that job and component declare."""
    declared, given = job.component.get("outputs"), job.job.get("outputs")
    names = dict.fromkeys([name for name, _ in (*declared.items(), *given.items())])
    found = [output_of(n, declared.get(n), given.get(n), job.destinations.get(n), importing) for n in names]
    return tuple(one for one in found if one is not None)


def _program(command: Node, job: CommandJob, outputs: tuple[Output, ...], importing: Importing) -> Program | None:
    known = [output.name for output in outputs]
    parts: list[Any] = []
    fine = True
    for part in command_parts(str(command.value)):
        pieces = [part] if not isinstance(part, Maybe) else _kept(part, job)
        for piece in pieces:
            found = _named(piece, job, known, command, importing) if isinstance(piece, Bound) else piece
            fine = fine and found is not None
            parts.append(found)
    if not fine:
        return None
    if re.search(r"\$\[\[", "".join(p for p in parts if isinstance(p, str))):
        importing.findings.differs(command, "$[[...]] that does not close stays as it is written")
    try:
        program = program_of(parts)
    except ValueError as error:
        importing.findings.stops(command, f"the command is not understood ({error})")
        return None
    if program.by_shell:
        importing.findings.differs(
            command, "bash reads this command", 'what it names is handed over as "$1", "$2" ..., each one word'
        )
    return program


def _kept(maybe: Maybe, job: CommandJob) -> list[Any]:
    names = [part.own for part in maybe.parts if isinstance(part, Bound)]
    absent = any(
        own and own[0] == "inputs" and isinstance(job.inputs.get(own[1]), (Absent, type(None))) for own in names
    )
    return [] if absent else list(maybe.parts)


def _named(bound: Bound, job: CommandJob, outputs: list[str], node: Node, importing: Importing) -> Any:
    own = bound.own
    if own is None:
        importing.findings.stops(
            node, f"{bound} names nothing that a command has", "${{inputs.NAME}}, ${{outputs.NAME}}"
        )
        return None
    side, name = own
    if side == "outputs" and name in outputs:
        return OutputPath(name)
    value = job.inputs.get(name) if side == "inputs" else None
    if value is None:
        importing.findings.stops(node, f"{bound}: there is no such {side[:-1]}")
        return None
    if isinstance(value, Broken):
        return None
    if isinstance(value, Absent):
        importing.findings.stops(
            node, f"{bound}: the optional input has no value", "write $[[...]] around what belongs to it"
        )
        return None
    return value if isinstance(value, PLAIN) else InputPath(name)


def _source(job: CommandJob, importing: Importing) -> str | None:
    """The folder that the code is copied to; ``None`` without code."""
    node = _own(job, "code")
    text, includes = node.text, _includes(job, importing)
    if text is None and not includes:
        return None
    if text is not None and re.match(r"azureml:|git\+|https?:", text):
        importing.findings.stops(node, f"code at {text} is not on this disk", "fetch it and name the folder")
        return None
    source = None if text is None else (node.folder / text.removeprefix("file:")).absolute()
    if source is not None and not source.exists():
        importing.findings.stops(node, "the code is not there", f"check {source}")
        return None
    name = job.component.string("name") or job.task_id.rpartition(".")[2]
    return importing.code(name, CodeFolder(source=source, includes=includes))


def _includes(job: CommandJob, importing: Importing) -> tuple[Path, ...]:
    """``additional_includes``, and the file of that name that components had before."""
    node = job.component.get("additional_includes")
    found = []
    for _, item in node.items():  # noqa: PERF102 - it is no dict
        if isinstance(item.value, str):
            found.append((item, item.folder / item.value))
        else:
            importing.findings.stops(item, "only paths can be included", "fetch it and name the path")
    beside = Path(job.component.file).with_suffix(".additional_includes")
    if beside.is_file():
        lines = (line.strip() for line in beside.read_text(encoding="utf-8").splitlines())
        found += [(node, beside.parent / line) for line in lines if line and not line.startswith("#")]
    for at, path in found:
        if not path.exists():
            importing.findings.stops(at, "what is to be included is not there", f"check {path}")
    return tuple(path.absolute() for _, path in found if path.exists())


def _variables(job: CommandJob, importing: Importing) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in reversed(_nodes(job)):
        for name, item in node.get("environment_variables").items():
            try:
                found[check_variable(name)] = item.text or ""
            except MLPipeError as error:
                importing.findings.differs(item, f"the variable is not set: {error.what}")
    return found


def _resources(job: CommandJob, importing: Importing) -> Resources | None:
    shm = None
    for node in (job.component.get("resources"), job.job.get("resources")):
        importing.rest(node, _RESOURCES, "of resources")
        count = node.get("instance_count")
        if isinstance(count.value, int) and count.value > 1:
            importing.findings.differs(count, f"{count.value} machines: a step runs on one")
        size = node.string("shm_size")
        if size and (match := re.fullmatch(r"(\d+)([bkmg]?)", size.lower())):
            shm = f"{match[1]}{ {'k': 'Ki', 'm': 'Mi', 'g': 'Gi'}.get(match[2], '') }"
    for node in (job.component.get("distribution"), job.job.get("distribution")):
        processes = node.get("process_count_per_instance")
        if node.is_mapping:
            number = processes.value if isinstance(processes.value, int) else 1
            say = importing.findings.stops if number > 1 else importing.findings.differs
            fix = "start them in the command: torchrun --nproc-per-node N, mpirun -np N"
            say(node, f"{node.string('type')} with {number} process(es) is not started for the program", fix)
    return Resources(shm=shm) if shm else None


def _reuse(job: CommandJob) -> Reuse:
    if _own(job, "is_deterministic").value is False:
        return Reuse(policy="never")
    return Reuse(policy="refresh") if job.refresh else Reuse()


def _settings(job: CommandJob) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if title := job.job.string("display_name") or job.component.string("display_name"):
        found["task_display_name"] = title
    if text := job.job.string("description") or job.component.string("description"):
        found["doc_md"] = text.strip()
    limit = job.job.get("limits").get("timeout").value or job.component.get("limits").get("timeout").value
    if isinstance(limit, int) and limit > 0:
        found["execution_timeout"] = timedelta(seconds=limit)
    return found

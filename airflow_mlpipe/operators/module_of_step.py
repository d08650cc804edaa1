"""A ScriptStep or a CommandStep of a DAG as the folder of a module that does the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.fingerprint.code import read_code
from airflow_mlpipe.model.step import CodeSpec
from airflow_mlpipe.modules.definition import ModuleDefinition, environment_to_json, resources_to_json
from airflow_mlpipe.modules.making import check_known, write_folder
from airflow_mlpipe.modules.requests import check_module_name
from airflow_mlpipe.operators.definition import source_root
from airflow_mlpipe.operators.templates import reads

if TYPE_CHECKING:
    from airflow_mlpipe.model.code import CodeSnapshot
    from airflow_mlpipe.operators.base import StepOperator

_SOLE_PARAM = re.compile(r"\{\{\s*params(?:\.(\w+)|\[\s*(['\"])(\w+)\2\s*\])\s*\}\}\Z")


def from_step(
    step: StepOperator,
    folder: str | Path,
    *,
    name: str | None = None,
    version: str = "0.1.0",
    types: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    **about: Any,
) -> ModuleDefinition:
    """Write the folder of a module that does what a ScriptStep or a CommandStep of a DAG does.

    Its ports are the step's.  A run parameter that the step's templates read becomes a parameter of the module, with
    the schema and the default of the DAG's; so does each of ``parameters``.

    :param types: of ports, by name. :param params: JSON Schema of parameters, instead of what is known of them.
    :param about: other members of the ``module.yaml``: description, owner, licence, tags.
    :raises DefinitionError: when the folder holds something, and for a step that is something else.
    """
    where = f"step {step.task_id!r}"
    if step.kind not in ("script", "command") or hasattr(step, "resolved"):
        raise DefinitionError(
            "a module is made of a ScriptStep or a CommandStep", where=where, given=type(step).__name__
        )
    file = step.dag.fileloc
    said = dict(params or {})
    arguments, used = _arguments(step, where)
    schemas = {**_run_params(step, used, said), **_own_params(step, said)}
    wanted = dict(types or {})
    inputs = [str(port["name"]) for port in (*step.inputs, *step.resource_inputs)]
    if step.resource_inputs or step.secrets:
        raise DefinitionError("a module has no resource inputs and no secrets", where=where, fix="make them inputs")
    document: dict[str, Any] = {
        "inputs": {port: wanted.pop(port, "any") for port in inputs},
        "outputs": {data.name: _output(data, wanted.pop(data.name, "any")) for data in step.output_data},
        "params": schemas,
    }
    check_known(wanted, [*inputs, *(data.name for data in step.output_data)], where)
    is_script = step.kind == "script"
    document |= {"script": step.script_name, "arguments": arguments} if is_script else {"command": arguments}
    document |= {"include": list(step.include)} if step.include else {}
    document |= {"code": step.code} if step.kind == "script" and step.code != "closure" else {}
    files: dict[str, bytes] = {}
    modes: dict[str, bool] = {}
    if step.source_directory is not None:
        root = source_root(step.source_directory, file)
        snapshot = read_code(CodeSpec(root=root, entry=step.script_name, mode=step.code, include=tuple(step.include)))
        files, modes = _files(snapshot)
    if step.environment is not None:
        document["environment"] = {k: v for k, v in environment_to_json(step.environment).items() if v}
        if (requirements := step.environment.requirements) is not None:
            document["environment"]["requirements"] = "requirements.txt"
            files["requirements.txt"] = Path(source_root(requirements, file)).read_bytes()
    if step.step_resources is not None:
        document["resources"] = {k: v for k, v in resources_to_json(step.step_resources).items() if v is not None}
    document["deterministic"] = step.reuse.policy != "never"
    made = check_module_name(name or step.task_id.rpartition(".")[2].lower().replace(".", "-"), where=where)
    return write_folder(Path(folder), made, version, about, document, files, modes)


def _files(snapshot: CodeSnapshot) -> tuple[dict[str, bytes], dict[str, bool]]:
    files = {path: file.data for path, file in snapshot.files.items()}
    return files, {path: file.executable for path, file in snapshot.files.items()}


def _arguments(step: StepOperator, where: str) -> tuple[list[Any], set[str]]:
    """The arguments of a step with placeholders, and the run parameters in them."""
    found: list[Any] = []
    used: set[str] = set()
    for index, one in enumerate(step.raw_arguments):
        if isinstance(one, Mapping):
            ((side, name),) = one.items()
            found.append(f"${{{side}s.{name}}}")
        elif isinstance(one, str):
            found.append(_text(one, used, f"{where}: arguments[{index}]"))
        elif isinstance(one, (int, float)):
            found.append(one)
        else:
            raise DefinitionError("an argument that only a run knows", where=f"{where}: arguments[{index}]", given=one)
    return found, used


def _text(text: str, used: set[str], where: str) -> str:
    read = reads(text)
    if read.params == frozenset() and not read.others:
        return text.replace("${", "$${")
    if read.others or read.params is None:
        raise DefinitionError(
            "a module has no templates but those of run parameters",
            where=where,
            given=text,
            fix="let the step read a parameter, {{ params.NAME }}, and let the DAG fill it",
        )
    parts = re.split(r"(\{\{.*?\}\})", text)
    made = ""
    for part in parts:
        match = _SOLE_PARAM.match(part)
        if match is None and part.startswith("{{"):
            raise DefinitionError("a template that computes", where=where, given=text, fix="compute in the program")
        if match is not None:
            used.add(match[1] or match[3])
            made += f"${{params.{match[1] or match[3]}}}"
        else:
            made += part.replace("${", "$${")
    return made


def _run_params(step: StepOperator, used: Iterable[str], said: Mapping[str, Any]) -> dict[str, Any]:
    """Schemas of the DAG's parameters, with their defaults."""
    found = {}
    for name in sorted(used):
        param = step.dag.params.get_param(name) if name in step.dag.params else None
        schema = dict(said.get(name, param.schema if param is not None else {}))
        if param is not None and "default" not in schema and isinstance(param.value, (str, int, float, list, dict)):
            schema["default"] = param.value
        found[name] = schema
    return found


def _own_params(step: StepOperator, said: Mapping[str, Any]) -> dict[str, Any]:
    """Schemas of the step's own parameters; a value is the default, unless a run says it."""
    found = {}
    for name, value in (step.raw_parameters or {}).items():
        schema = dict(said.get(name, {}))
        if isinstance(value, str) and (match := _SOLE_PARAM.match(value.strip())):
            schema = _run_params(step, [match[1] or match[3]], {})[match[1] or match[3]] | schema
        elif isinstance(value, (str, int, float, list, dict)) and "default" not in schema:
            schema["default"] = value
        found[name] = schema
    return found


def _output(data: Any, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind, "kind": data.kind}
    found |= {"filename": data.filename} if data.filename else {}
    return found | ({"optional": True} if data.optional else {})

"""The folder of a module, made of a step that there is already: a decorated function, or an operator of a DAG."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.fingerprint.code import read_code
from airflow_mlpipe.fingerprint.functions import read_function
from airflow_mlpipe.model.step import CodeSpec
from airflow_mlpipe.modules.definition import API, FILE, ModuleDefinition, environment_to_json, resources_to_json
from airflow_mlpipe.modules.reading import read_module
from airflow_mlpipe.modules.requests import check_module_name
from airflow_mlpipe.operators.definition import source_root
from airflow_mlpipe.operators.function import function_of, makes_steps
from airflow_mlpipe.operators.function_outputs import outputs_of
from airflow_mlpipe.operators.templates import reads
from airflow_mlpipe.operators.xcoms import VALUE

if TYPE_CHECKING:
    from airflow_mlpipe.model.code import CodeSnapshot
    from airflow_mlpipe.operators.base import StepOperator

_JSON: Mapping[str, str] = {
    "int": "integer",
    "float": "number",
    "str": "string",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
_SOLE_PARAM = re.compile(r"\{\{\s*params(?:\.(\w+)|\[\s*(['\"])(\w+)\2\s*\])\s*\}\}\Z")


def from_function(
    function: Callable[..., Any],
    folder: str | Path,
    *,
    name: str | None = None,
    version: str = "0.1.0",
    inputs: Iterable[str] = (),
    types: Mapping[str, str] | None = None,
    **about: Any,
) -> ModuleDefinition:
    """Write the folder of a module that calls a function, which may be decorated with ``@step``.

    Its parameters with a plain annotation (``int``, ``float``, ``str``, ``bool``, ``list``, ``dict``) or a plain
    default are parameters of the module, all others are inputs; its outputs are those that it declares.

    :param inputs: parameters that are inputs whatever they look like. :param types: of ports, by name.
    :param about: other members of the ``module.yaml``: description, owner, licence, tags.
    :raises DefinitionError: when the folder holds something, and for a function that needs variables around it.
    :raises UncacheableError: for a function whose code cannot travel.
    """
    plain = function_of(function) or function
    name = check_module_name(name or plain.__name__.replace("_", "-").strip("-"), where="from_function")
    where = f"function {plain.__name__}"
    code = read_function(plain, strip=function_of, makes=makes_steps)
    if code.bindings:
        raise DefinitionError(
            "the function uses variables of a function around it",
            where=where,
            given=sorted(code.bindings),
            fix="make them its parameters",
        )
    ports, params = _signature(plain, frozenset(inputs))
    wanted = dict(types or {})
    outputs = outputs_of(plain, where=where) or (VALUE,)
    document: dict[str, Any] = {
        "inputs": {port: {"type": wanted.pop(port, "any"), **said} for port, said in ports.items()},
        "outputs": {port: wanted.pop(port, "any") for port in outputs},
        "params": params,
        "function": f"{code.file}:{code.name}",
    }
    _all_known(wanted, [*ports, *outputs], where)
    snapshot = code.snapshot
    files = {path: file.data for path, file in snapshot.files.items()}
    files[code.file] = _compact(files[code.file])
    return _write(Path(folder), name, version, about, document, files, {})


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
    _all_known(wanted, [*inputs, *(data.name for data in step.output_data)], where)
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
    return _write(Path(folder), made, version, about, document, files, modes)


def _files(snapshot: CodeSnapshot) -> tuple[dict[str, bytes], dict[str, bool]]:
    files = {path: file.data for path, file in snapshot.files.items()}
    return files, {path: file.executable for path, file in snapshot.files.items()}


def _signature(function: Callable[..., Any], inputs: frozenset[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and parameters of a function."""
    ports: dict[str, Any] = {}
    params: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        kind = _plain_kind(parameter.annotation)
        default = parameter.default
        has_default = default is not parameter.empty
        is_plain = kind is not None or (has_default and isinstance(default, (bool, int, float, str, list, dict)))
        if name in inputs or not is_plain:
            ports[name] = {"optional": True} if has_default else {}
            continue
        schema: dict[str, Any] = {"type": kind} if kind else {}
        if has_default:
            schema["default"] = default
            if default is None and kind is not None:
                schema["type"] = [kind, "null"]
        params[name] = schema
    return ports, params


def _plain_kind(annotation: Any) -> str | None:
    """The JSON type of an annotation; ``None`` for one that is no plain value's."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    if not isinstance(annotation, (str, type)) and getattr(annotation, "__origin__", None) in (list, dict):
        text = annotation.__origin__.__name__
    text = re.sub(r"\s*\|\s*None$", "", re.sub(r"\[.*\]$", "", text.strip()))
    return _JSON.get(text)


def _compact(data: bytes) -> bytes:
    """The statements of a reduced file without the gaps that the others left."""
    lines = data.decode().splitlines()
    parts = []
    for node in ast.parse(data).body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        parts.append((isinstance(node, (ast.Import, ast.ImportFrom)), "\n".join(lines[first - 1 : node.end_lineno])))
    text = ""
    for index, (is_import, part) in enumerate(parts):
        joined = index == 0 or (is_import and parts[index - 1][0])
        text += part + "\n" if joined else "\n\n" + part + "\n"
    return text.encode()


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


def _all_known(left: Mapping[str, str], ports: list[str], where: str) -> None:
    if left:
        raise DefinitionError("types are of ports", where=where, given=sorted(left), valid=ports)


def _write(
    folder: Path,
    name: str,
    version: str,
    about: Mapping[str, Any],
    document: Mapping[str, Any],
    files: Mapping[str, bytes],
    executable: Mapping[str, bool],
) -> ModuleDefinition:
    import yaml

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DefinitionError("the folder is there already", where=f"module {name}", given=str(folder))
    head = {"api": API, "name": name, "version": version, **about}
    members = {key: value for key, value in {**head, **document}.items() if value not in ({}, [], None)}
    text = yaml.safe_dump(members, sort_keys=False, allow_unicode=True, width=110)
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if executable.get(path):
            target.chmod(0o755)
    (folder / FILE).write_text(text, encoding="utf-8")
    return read_module(folder)

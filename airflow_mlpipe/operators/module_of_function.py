"""A function as the folder of a module: with what it reaches of its file, and the files that this imports."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.fingerprint.functions import read_function
from airflow_mlpipe.modules.definition import ModuleDefinition
from airflow_mlpipe.modules.making import check_known, write_folder
from airflow_mlpipe.modules.requests import check_module_name
from airflow_mlpipe.operators.function import function_of, makes_steps
from airflow_mlpipe.operators.function_outputs import outputs_of
from airflow_mlpipe.operators.xcoms import VALUE

_JSON: Mapping[str, str] = {
    "int": "integer",
    "float": "number",
    "str": "string",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}


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
    check_known(wanted, [*ports, *outputs], where)
    snapshot = code.snapshot
    files = {path: file.data for path, file in snapshot.files.items()}
    files[code.file] = _compact(files[code.file])
    return write_folder(Path(folder), name, version, about, document, files, {})


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

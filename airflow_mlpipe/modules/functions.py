"""Modules that are functions: their code, and what the process that calls one is told of an input."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow_mlpipe.fingerprint.code import Source, widened
from airflow_mlpipe.fingerprint.functions import FunctionCode
from airflow_mlpipe.modules.definition import NO_CODE, ModuleDefinition
from airflow_mlpipe.values.structure import encode


def port_document(port: str) -> Any:
    """The structured JSON of an argument that is an input port with data that existed already."""
    marker = object()
    return encode(marker, lambda value, _: {"input": port} if value is marker else None, path=port)


def function_code(definition: ModuleDefinition, folder: str, cache: Path | None) -> FunctionCode:
    """The code of a module that is a function.

    :param folder: of the module, verified. :param cache: where what files import is remembered.
    """
    root = os.path.realpath(os.path.join(folder, definition.source))
    file = str(definition.script)
    source = Source(root, cache, NO_CODE if definition.source == "." else ())
    snapshot = widened(source, file, definition.include)
    return FunctionCode(file=file, name=str(definition.function), bindings={}, snapshot=snapshot)

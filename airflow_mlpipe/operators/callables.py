"""The code of a function of a DAG file, as far as it may change what the function returns.

Its own source, and what that names: functions, classes and plain values of the same file, and the files that the file
imports from its folder.  The rest of the DAG file does not count: an edit elsewhere in it changes nothing here.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.canonical import canonical
from airflow_mlpipe.fingerprint.code import code_identity, read_code
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.model.step import CodeSpec


def code_of_function(function: Any, cache: Path) -> dict[str, str]:
    """Digests by name: ``train()`` is a source, ``RATE`` a value, ``helper.py`` a file.

    :param cache: where what files import is remembered.
    :raises UncacheableError: for a function without a source, and defaults without a canonical form.
    """
    function = inspect.unwrap(function)
    try:
        source, file = inspect.getsource(function), inspect.getsourcefile(function)
    except (OSError, TypeError) as error:
        raise UncacheableError("python_callable", function, fix="define the function in a file") from error
    digests = {f"{function.__qualname__}()": digest_bytes(source.encode())}
    if file and os.path.isfile(file):
        entry = os.path.basename(file)
        snapshot = read_code(CodeSpec(root=os.path.dirname(file), entry=entry), cache_dir=cache)
        digests |= {path: digest for path, digest in code_identity(snapshot).items() if path != entry}
    if function.__defaults__ or function.__kwdefaults__:
        defaults = [list(function.__defaults__ or ()), dict(function.__kwdefaults__ or {})]
        digests["defaults"] = digest_bytes(canonical(defaults, path="python_callable.defaults"))
    return digests | _named_in(function)


def _named_in(function: FunctionType) -> dict[str, str]:
    """What a function uses of its own file, directly or not.  What has no canonical form cannot be compared."""
    found: dict[str, str] = {}
    waiting, seen = [function], {id(function)}
    while waiting:
        for name, value in _references(waiting.pop()):
            if id(value) in seen:
                continue
            if isinstance(value, (FunctionType, type)):
                if value.__module__ == function.__module__ and (source := _source(value)):
                    seen.add(id(value))
                    found[f"{name}()"] = digest_bytes(source.encode())
                    waiting += _functions(value)
            else:
                try:
                    found[name] = digest_bytes(canonical(value, path=name))
                except UncacheableError:  # a module, an operator, a DAG: nothing that a function computes with
                    continue
    return found


def _references(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Globals and variables of enclosing functions that a function names, sorted; ``__file__`` and its kin left out."""
    free = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    enclosing = {name: cell for name, cell in free if _is_set(cell)}
    for name in sorted({*_names(function.__code__), *enclosing}):
        if name in enclosing:
            yield name, enclosing[name].cell_contents
        elif name in function.__globals__ and not name.startswith("__"):
            yield name, function.__globals__[name]


def _is_set(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a variable that has no value yet
        return False
    return True


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:  # functions and comprehensions in it
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _functions(value: FunctionType | type) -> list[FunctionType]:
    if isinstance(value, FunctionType):
        return [inspect.unwrap(value)]
    return [member for member in vars(value).values() if isinstance(member, FunctionType)]


def _source(value: FunctionType | type) -> str:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        return ""

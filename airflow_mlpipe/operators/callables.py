"""The code of a function of a DAG file, as far as it may change what the function returns.

Its own source, and what that names: functions, classes and plain values of the same file, and the files that the file
imports from its folder.  The rest of the DAG file does not count: an edit elsewhere in it changes nothing here.

Not by :mod:`airflow_mlpipe.fingerprint.functions`, which is about functions that run elsewhere: this one runs in the
worker, in its own file.  There a global is what it is when the file was read (an environment variable, a file's
content), so its value counts, and the statement that made it only where the value cannot be compared.
"""

from __future__ import annotations

import ast
import inspect
import os
import tokenize
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.canonical import canonical
from airflow_mlpipe.fingerprint.code import code_identity, read_code
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.statements import bound, spelled, top
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
    """What a function uses of its own file, directly or not."""
    found: dict[str, str] = {}
    statements = _Statements(function)
    waiting, seen = [*_references(function)], {id(function)}
    while waiting:
        name, value = waiting.pop(0)
        plain = _unwrapped(value)
        if id(plain) in seen:
            continue
        if isinstance(plain, (FunctionType, type)):
            if plain.__module__ == function.__module__ and (source := _source(plain)):
                seen.add(id(plain))
                found[f"{name}()"] = digest_bytes(source.encode())
                waiting += [one for method in _functions(plain) for one in _references(method)]
            continue
        try:
            found[name] = digest_bytes(canonical(value, path=name))
        except UncacheableError:
            if not _is_airflows(value):
                seen.add(id(plain))
                found |= statements.digests(name)
                waiting += statements.references(name)
    return found


def _unwrapped(value: Any) -> Any:
    """The function in a ``@task``, and in a wrapper that names it."""
    try:
        return inspect.unwrap(value) if callable(value) else value
    except Exception:  # noqa: BLE001 - an object of the author's, which may do as it likes
        return value


def _is_airflows(value: Any) -> bool:
    """A module, an operator, a DAG, an edge: nothing that a function computes with."""
    from airflow.sdk import DAG, TaskGroup
    from airflow.sdk.definitions._internal.mixins import DependencyMixin

    return isinstance(value, (ModuleType, DAG, TaskGroup, DependencyMixin))


class _Statements:
    """The statements of a file that make values without a canonical form: an instance, a partial, a pattern."""

    def __init__(self, function: FunctionType) -> None:
        self._function = function

    @cached_property
    def _binders(self) -> dict[str, list[ast.stmt]]:
        file = inspect.getsourcefile(self._function)
        found: dict[str, list[ast.stmt]] = {}
        if file and os.path.isfile(file):
            with tokenize.open(file) as opened:
                tree = ast.parse(opened.read())
            for statement in top(tree.body):
                for name in bound(statement.node):
                    found.setdefault(name, []).append(statement.node)
        return found

    def digests(self, name: str) -> dict[str, str]:
        """How a value is made, as it is written."""
        texts = [spelled(node, ()) for node in self._binders.get(name, ())]
        return {name: digest_bytes("\0".join(texts).encode())} if texts else {}

    def references(self, name: str) -> list[tuple[str, Any]]:
        """The globals that it is made of."""
        nodes = (one for node in self._binders.get(name, ()) for one in ast.walk(node))
        names = sorted({one.id for one in nodes if isinstance(one, ast.Name)} - {name})
        return [(n, self._function.__globals__[n]) for n in names if n in self._function.__globals__]


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

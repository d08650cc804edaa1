"""What functions, classes and modules, as objects, say of where they come from."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.canonical import canonical


def defaults_of(node: ast.stmt) -> list[ast.expr]:
    """The defaults of a function, as they are written."""
    args = getattr(node, "args", None)
    return [d for d in (*args.defaults, *args.kw_defaults) if d is not None] if args is not None else []


def default_values(
    node: ast.FunctionDef | ast.AsyncFunctionDef, function: FunctionType
) -> Iterator[tuple[str, ast.expr, Any]]:
    """Of each parameter with a default its name, the expression, and what it was when the function was defined."""
    positional = [*node.args.posonlyargs, *node.args.args]
    with_default = positional[len(positional) - len(node.args.defaults) :]
    values = function.__defaults__ or ()
    if len(values) == len(with_default):
        for parameter, default, value in zip(with_default, node.args.defaults, values, strict=True):
            yield parameter.arg, default, value
    for keyword, expression in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if expression is not None and keyword.arg in (function.__kwdefaults__ or {}):
            yield keyword.arg, expression, (function.__kwdefaults__ or {})[keyword.arg]


def methods(kind: type) -> Iterator[FunctionType]:
    """The functions among the members of a class, those in properties and the like too."""
    for member in vars(kind).values():
        inner = (member, *(getattr(member, name, None) for name in ("__func__", "fget", "fset", "fdel", "__wrapped__")))
        yield from (one for one in inner if isinstance(one, FunctionType))


def import_of(name: str, value: Any) -> str | None:
    """The import that gives a value this name; ``None`` for what is no module, and not importable."""
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    if not isinstance(value, (FunctionType, BuiltinFunctionType, type)):
        return None
    module, original = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not module or not original.isidentifier() or getattr(sys.modules.get(module), original, None) is not value:
        return None
    return f"from {module} import {original}" + ("" if name == original else f" as {name}")


def same(one: Any, other: Any) -> bool:
    """Whether two values count as one."""
    if one is other:
        return True
    try:
        return canonical(one, path="") == canonical(other, path="")
    except UncacheableError:
        return False

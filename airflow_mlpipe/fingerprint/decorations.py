"""Which decorators of a function make it a step: by what their names are bound to, and not by how they are written."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_mlpipe.fingerprint.statements import IMPORTS, Statement, alias_name

_NOTHING = object()


class Decorations:
    """The decorators of one file.

    :param names: the file's global names. :param makes: whether an object is a decorator that makes steps.
    """

    def __init__(self, names: Mapping[str, Any], makes: Callable[[object], bool]) -> None:
        self._names, self._makes = names, makes

    def cut(self, statement: Statement) -> tuple[ast.expr, ...]:
        """The decorators of a step that go: the one that makes it, and all above it.

        One that makes a step in a way that cannot be told, by another decorator of the author's, is the first.
        """
        decorators: list[ast.expr] = getattr(statement.node, "decorator_list", [])
        marked = [i for i, d in enumerate(decorators) if self._makes(self._object(_called(d), statement))]
        return tuple(decorators[: max(marked) + 1 if marked else min(1, len(decorators))])

    def makes_step(self, statement: Statement) -> bool:
        """Whether one of the decorators makes a step."""
        decorators: Sequence[ast.expr] = getattr(statement.node, "decorator_list", [])
        return any(self._makes(self._object(_called(d), statement)) for d in decorators)

    def _object(self, node: ast.expr, statement: Statement) -> Any:
        """What a dotted name is bound to where the statement stands."""
        if isinstance(node, ast.Attribute):
            try:
                return getattr(self._object(node.value, statement), node.attr, _NOTHING)
            except Exception:  # noqa: BLE001 - an object of the author's, which may do as it likes
                return _NOTHING
        if not isinstance(node, ast.Name):
            return _NOTHING
        imported = self._imported(node.id, statement)
        return self._names.get(node.id, _NOTHING) if imported is _NOTHING else imported

    def _imported(self, name: str, statement: Statement) -> Any:
        """What an import in a function around binds to a name."""
        for node in (one for function in reversed(statement.functions) for one in ast.walk(function)):
            for alias in node.names if isinstance(node, IMPORTS) else ():
                if alias_name(alias) != name:
                    continue
                if isinstance(node, ast.ImportFrom):
                    return getattr(sys.modules.get(node.module or ""), alias.name, _NOTHING)
                return sys.modules.get(alias.name if alias.asname else name, _NOTHING)
        return _NOTHING


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator

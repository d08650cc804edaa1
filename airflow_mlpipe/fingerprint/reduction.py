"""What a function reaches of its file: statements of the top, followed by name.

It errs towards more statements: one too many costs an execution, one too few would be a wrong result.  Names are those
of the file as it was imported, so what a decorator is, or a value that a loop left, is looked at and not guessed.
"""

from __future__ import annotations

import ast
import builtins
import os
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.decorations import Decorations
from airflow_mlpipe.fingerprint.enclosing import Enclosing
from airflow_mlpipe.fingerprint.reduced import Reduced
from airflow_mlpipe.fingerprint.scopes import Scopes
from airflow_mlpipe.fingerprint.statements import (
    DEFINITIONS,
    FUNCTIONS,
    IMPORTS,
    Statement,
    alias_name,
    bound,
    every,
    top,
)

Strip = Callable[[object], "FunctionType | None"]
_BLOCKS = (ast.If, ast.For, ast.While, ast.Try, getattr(ast, "TryStar", ast.Try), ast.Match)  # TryStar: Python 3.11


class Reduction:
    """A file while it is reduced.

    :param names: the global names of the file, imported. :param strip: see :func:`.functions.read_function`.
    """

    def __init__(
        self, text: str, file: str, names: Mapping[str, Any], strip: Strip, makes: Callable[[object], bool]
    ) -> None:
        self.tree = ast.parse(text)
        self.file = os.path.realpath(file)
        self.strip = strip
        self.scopes = Scopes(text, file)
        self.reduced = Reduced(text, self.tree)
        self.around = Enclosing(self)
        self.names = names
        self._decorations = Decorations(names, makes)
        self._binders: dict[str, list[Statement]] = {}
        self._stars: list[Statement] = []
        self._on_line: dict[int, list[Statement]] = {}
        for statement in top(self.tree.body):
            self._note(statement)
        self._kept: set[int] = set()
        self._blocks: set[int] = set()
        self._seen: set[str] = set()
        self._functions: set[int] = set()

    def _note(self, statement: Statement) -> None:
        if isinstance(statement.node, ast.ImportFrom) and statement.node.names[0].name == "*":
            self._stars.append(statement)
        self._on_line.setdefault(statement.node.lineno, []).append(statement)
        for name in bound(statement.node):
            self._binders.setdefault(name, []).append(statement)

    # ---- functions as objects ------------------------------------------------------------------------------------

    def function(self, function: FunctionType, *, decorated: bool, own: bool = False) -> None:
        """Keep a function, where it is defined, and what it reaches.

        :param decorated: whether a decorator made a step of it. :param own: whether it is the step's own, whose
            defaults count as parameters.
        :raises UncacheableError: for a variable of a function around it that cannot travel.
        """
        if id(function) in self._functions:
            return
        self._functions.add(id(function))
        statement = self._find(function)
        self._blocks |= {id(node) for node in statement.inside if isinstance(node, _BLOCKS)}
        self.around.cells(function)
        defaults = self.around.defaults(function, statement, own=own)
        self.keep(statement, decorated=decorated, defaults=defaults)

    def _find(self, function: FunctionType) -> Statement:
        line = function.__code__.co_firstlineno
        for statement in every(self.tree.body):
            node = statement.node
            if isinstance(node, FUNCTIONS) and node.name == function.__code__.co_name:
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                if first <= line <= node.lineno:
                    return statement
        raise UncacheableError(
            "python_callable",
            function,
            what=f"the function {function.__qualname__} is not where its code says",
            fix="define it with def, in a file that is not changed while Airflow reads it",
        )

    def is_here(self, function: FunctionType) -> bool:
        """Whether a function is defined in this file."""
        return os.path.realpath(function.__code__.co_filename) == self.file

    # ---- names of the file ---------------------------------------------------------------------------------------

    def need(self, name: str) -> None:
        """Keep what binds a global name."""
        if name in self._seen:
            return
        self._seen.add(name)
        value = self.names.get(name)
        stepped = self.strip(value) is not None
        for statement in self._binders.get(name, ()):
            if id(statement.node) in self._blocks:  # the block that the function stands in: it is not run again
                if name in self.names:
                    self.around.mean(name, value)
            elif isinstance(statement.node, IMPORTS) and len(self._shared(statement)) == 1:
                aliases = [a for a in statement.node.names if alias_name(a) == name]
                self.reduced.keep_import(statement, statement.node, aliases)
            elif not (stepped and isinstance(statement.node, ast.Expr)):  # `train.expand(...)` changes no step
                defined = isinstance(statement.node, FUNCTIONS)
                decorated = defined and (stepped or self._decorations.makes_step(statement))
                self.keep(statement, decorated=decorated)
        if name not in self._binders and not hasattr(builtins, name) and not name.startswith("__"):
            for statement in self._stars:
                self.keep(statement)

    def binds(self, name: str) -> bool:
        """Whether a name means something at the top of the file, or everywhere."""
        return name in self._binders or hasattr(builtins, name)

    def keep(
        self, statement: Statement, *, decorated: bool = False, defaults: tuple[tuple[ast.expr, str], ...] = ()
    ) -> None:
        """Keep a statement, and what it reaches."""
        node = statement.node
        if id(node) in self._kept:
            return
        self._kept.add(id(node))
        cut = self._decorations.cut(statement) if decorated else ()
        self.reduced.keep(statement, cut, defaults)
        for other in self._shared(statement):  # `a = 1; b = 2` is one line
            self.keep(other)
        skipped = self.around.complete(statement, cut, {id(default) for default, _ in defaults})
        for name in sorted(self.scopes.names(node, cut) - skipped):
            self.need(name)

    def _shared(self, statement: Statement) -> list[Statement]:
        """The statements that begin on the line of this one, itself among them."""
        return self._on_line.get(statement.node.lineno) or [statement]

    def finish(self) -> dict[str, str]:
        """Digests of all parts.

        :raises UncacheableError: when two things that the function reaches have one name in its module.
        """
        self.around.check({n for n in self._seen if n in self._binders}, self._defined())
        return self.reduced.finish()

    def _defined(self) -> dict[str, set[int]]:
        """What is at the top of the file, by name."""
        return {
            name: {id(s.node) for s in found if isinstance(s.node, DEFINITIONS)}
            for name, found in self._binders.items()
        }

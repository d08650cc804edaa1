"""Variables of the functions around a function, in a module where these are not: by value, by import, or by definition.

All that the function reaches stands at the top of one module there.  So two variables of one name and different values
cannot both travel; that is refused, with the name.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.canonical import canonical
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.origins import default_values, defaults_of, import_of, methods, same
from airflow_mlpipe.fingerprint.statements import DEFINITIONS, IMPORTS, Statement, alias_name, every, spelled_import

if TYPE_CHECKING:
    from airflow_mlpipe.fingerprint.reduction import Reduction

_OUT = "pass it as an argument, or define it at the top of the file"


class Enclosing:
    """The variables around what a reduction keeps.

    :ivar bindings: plain values by name, to be set before the module runs.
    """

    def __init__(self, reduction: Reduction) -> None:
        self._reduction = reduction
        self._values: dict[str, Any] = {}
        self._defined: dict[str, int] = {}
        self._wanted: list[tuple[str, Statement, bool]] = []
        self.bindings: dict[str, Any] = {}

    # ---- of functions and classes --------------------------------------------------------------------------------

    def cells(self, function: FunctionType) -> None:
        """Take what a function uses of those around it.  :raises UncacheableError: naming what cannot travel."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name == "__class__":  # Python's own, for super()
                continue
            try:
                value = cell.cell_contents
            except ValueError:  # a variable that has no value yet
                continue
            self._variable(name, value)

    def defaults(self, function: FunctionType, statement: Statement, *, own: bool) -> tuple[tuple[ast.expr, str], ...]:
        """The defaults of a nested function that its module cannot compute, each with the name that stands for it."""
        node = statement.node
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        around = self._reduction.scopes.locals_of(statement.functions)
        found = []
        for parameter, default, value in default_values(node, function):
            names = {n.id for n in ast.walk(default) if isinstance(n, ast.Name)}
            known = isinstance(default, ast.Name) and self._values.get(default.id, default) is value
            if not names & around or known:
                continue
            name = f"_{node.name}_{parameter}"
            self.bindings[name] = value
            digest = self._digest(value, f"{node.name}({parameter}=)")
            if not own:  # the step's own defaults count as parameters
                self._reduction.reduced.parts[f"{node.name}({parameter}=)"] = digest
            found.append((default, name))
        return tuple(found)

    def complete(self, statement: Statement, cut: Sequence[ast.expr], replaced: set[int]) -> set[str]:
        """Note what a nested statement needs when it runs.

        :param replaced: ids of defaults that became names.
        :returns: names that are no global ones.
        """
        if not statement.functions:
            return set()
        node = statement.node
        if isinstance(node, DEFINITIONS):
            self._define(node.name, node)
        around = self._reduction.scopes.locals_of(statement.functions)
        dropped = (*cut, *(d for d in defaults_of(node) if id(d) in replaced))
        needed = self._reduction.scopes.at_definition(node, dropped) & around
        written = (self._reduction.scopes.in_signature(node) & around) - needed
        self._wanted += [(name, statement, True) for name in sorted(needed)]
        optional = self._reduction.reduced.annotations_are_text
        self._wanted += [(name, statement, not optional) for name in sorted(written)]
        return around

    def _find_wanted(self) -> None:
        """Once all variables are known: see that those are among them which are read when something is defined."""
        for name, statement, required in self._wanted:
            if name not in self._values and not self._imported_around(name, statement) and required:
                raise _lost(name, statement.node)

    def _imported_around(self, name: str, statement: Statement) -> bool:
        """Do what an import in a function around does."""
        for one in (s for function in reversed(statement.functions) for s in every(function.body)):
            aliases = [a for a in one.node.names if alias_name(a) == name] if isinstance(one.node, IMPORTS) else []
            if aliases and isinstance(one.node, IMPORTS):
                self._reduction.reduced.import_first(spelled_import(one.node, aliases))
                return True
        return False

    # ---- one variable --------------------------------------------------------------------------------------------

    def _variable(self, name: str, value: Any) -> None:
        if name in self._values:
            if not same(self._values[name], value):
                raise UncacheableError(
                    name,
                    value,
                    what="two functions that the step reaches use variables of this name with different values",
                    fix="give one of the variables another name, or pass it as an argument",
                )
            return
        self._values[name] = value
        self.mean(name, value)

    def mean(self, name: str, value: Any) -> None:
        """Make a name mean a value in the module.  :raises UncacheableError: for a value that cannot travel."""
        reduction = self._reduction
        plain = reduction.strip(value) or value
        if isinstance(plain, FunctionType) and reduction.is_here(plain):
            reduction.function(plain, decorated=plain is not value)
            self._alias(name, plain.__code__.co_name)
        elif isinstance(plain, type) and (statement := self._class(plain)) is not None:
            self._local_class(plain, statement)
            self._alias(name, plain.__name__)
        elif (line := import_of(name, plain)) is not None:
            reduction.reduced.import_first(line)
        else:
            reduction.reduced.parts[name] = self._digest(value, name)
            self.bindings[name] = value

    def _digest(self, value: Any, name: str) -> str:
        try:
            return digest_bytes(canonical(value, path=name))
        except UncacheableError as error:
            raise UncacheableError(error.path, value, fix=_OUT) from error

    def _alias(self, name: str, original: str) -> None:
        if name != original:
            self._reduction.reduced.alias(name, original)

    def _class(self, kind: type) -> Statement | None:
        """A class of this file, whose module is not imported under a name that would lead to it elsewhere."""
        path = [part for part in kind.__qualname__.split(".") if part != "<locals>"]
        found = [
            s
            for s in every(self._reduction.tree.body)
            if isinstance(s.node, ast.ClassDef)
            and [*(c.name for c in s.inside if isinstance(c, DEFINITIONS)), s.node.name] == path
        ]
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None)
        here = file is None or os.path.realpath(file) == self._reduction.file
        here = here or any(self._reduction.is_here(method) for method in methods(kind))
        if len(found) > 1 and here:
            raise UncacheableError(
                kind.__name__, kind, what="the file defines this class in two places", fix="give each its own name"
            )
        return found[0] if found and here else None

    def _local_class(self, kind: type, statement: Statement) -> None:
        """A class, and the variables around that its methods and bases use."""
        for base in kind.__bases__:
            if "<locals>" in base.__qualname__ and self._class(base) is not None:
                self._variable(base.__name__, base)
        for method in methods(kind):
            if self._reduction.is_here(method):
                self.cells(method)
        self._reduction.keep(statement)

    # ---- one name, one thing -------------------------------------------------------------------------------------

    def _define(self, name: str, node: ast.stmt) -> None:
        if self._defined.setdefault(name, id(node)) != id(node):
            raise UncacheableError(
                name, node, what="the step reaches two nested definitions of this name", fix="rename one of them"
            )

    def check(self, used: set[str], at_top: Mapping[str, set[int]]) -> None:
        """Every variable is there, and hides no global in use.  :raises UncacheableError: naming one that does not."""
        self._find_wanted()
        names = self._reduction.names
        hiding = {n for n, value in self._values.items() if n in used and names.get(n) is not value}
        hiding |= {n for n, node in self._defined.items() if n in used and node not in at_top.get(n, set())}
        for name in sorted(hiding):
            raise UncacheableError(
                name,
                self._values.get(name),
                what="a variable of a function around the step hides a global that is used as well",
                fix="give the variable another name",
            )


def _lost(name: str, node: ast.stmt) -> UncacheableError:
    defined = getattr(node, "name", "a statement")
    what = f"{defined!r} needs this variable of a function around it when it is defined, and Python does not keep it"
    return UncacheableError(name, node, what=what, fix=_OUT)

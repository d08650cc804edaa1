"""The statements of a Python file, and the names that they bind: syntax alone, nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(slots=True)
class Statement:
    """A statement, and the compound statements that it is in, outermost first."""

    node: ast.stmt
    inside: tuple[ast.stmt, ...] = ()

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions around it, outermost first."""
        return [node for node in self.inside if isinstance(node, FUNCTIONS)]


def top(body: Sequence[ast.stmt], inside: tuple[ast.stmt, ...] = ()) -> Iterator[Statement]:
    """Statements at the top of a file, with those in ``with`` and ``if TYPE_CHECKING:`` each for itself.

    What stands below ``if __name__ == "__main__":`` runs nowhere.  Of the ``else`` of ``if TYPE_CHECKING:`` only that
    counts which the other branch does not bind.
    """
    for node in body:
        if isinstance(node, (ast.With, ast.AsyncWith)):
            yield from top(node.body, (*inside, node))
            if any(item.optional_vars is not None for item in node.items):
                yield Statement(node, inside)
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            taken = list(top(node.body, (*inside, node)))
            names = {name for one in taken for name in bound(one.node)}
            yield from taken
            yield from (one for one in top(node.orelse, (*inside, node)) if not bound(one.node) & names)
        elif isinstance(node, ast.If) and _is_main(node.test):
            yield from top(node.orelse, (*inside, node))
        else:
            yield Statement(node, inside)


def every(body: Sequence[ast.stmt], inside: tuple[ast.stmt, ...] = ()) -> Iterator[Statement]:
    """Every statement of a file."""
    for node in body:
        yield Statement(node, inside)
        for name in ("body", "orelse", "finalbody"):
            yield from every(getattr(node, name, []), (*inside, node))
        for part in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
            yield from every(part.body, (*inside, node))


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _is_main(test: ast.expr) -> bool:
    """``__name__ == "__main__"``, which is true neither in Airflow nor in the step's process."""
    return ast.dump(test) == _MAIN


_MAIN = ast.dump(ast.parse("__name__ == '__main__'", mode="eval").body)


def bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds, or whose object it changes."""
    if isinstance(node, DEFINITIONS):
        return {node.name}
    if isinstance(node, IMPORTS):
        return {alias_name(a) for a in node.names if a.name != "*"}
    names: set[str] = set()
    waiting: list[ast.AST] = [node]
    if isinstance(node, (ast.With, ast.AsyncWith)):  # its body's statements stand for themselves
        waiting = [item.optional_vars for item in node.items if item.optional_vars is not None]
    while waiting:
        one = waiting.pop()
        if isinstance(one, DEFINITIONS):
            names.add(one.name)
            continue
        if isinstance(one, ast.Lambda):
            continue
        if isinstance(one, IMPORTS):
            names |= {alias_name(a) for a in one.names}
        if isinstance(one, (ast.Name, ast.Subscript, ast.Attribute)) and isinstance(one.ctx, (ast.Store, ast.Del)):
            names |= _base(one)
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Call) and isinstance(one.value.func, ast.Attribute):
            names |= _base(one.value.func)
        waiting += ast.iter_child_nodes(one)
    return names


def _base(node: ast.AST) -> set[str]:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def alias_name(alias: ast.alias) -> str:
    """The name that an import binds."""
    return alias.asname or alias.name.partition(".")[0]


def spelled_import(node: ast.Import | ast.ImportFrom, aliases: Sequence[ast.alias]) -> str:
    """An import of some of its names."""
    names = sorted({(a.name, a.asname) for a in aliases}, key=str)
    listed = ", ".join(n if a is None else f"{n} as {a}" for n, a in names)
    if isinstance(node, ast.Import):
        return f"import {listed}"
    return f"from {'.' * node.level}{node.module or ''} import {listed}"


def first_line(node: ast.stmt, cut: Sequence[ast.expr] = ()) -> int:
    """Where a statement begins: at its first decorator, without those that are cut off."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators if not any(d is c for c in cut))])


def spelled(node: ast.stmt, cut: Sequence[ast.expr]) -> str:
    """A statement without its place, its layout and its comments, and without the decorators that go."""
    if not cut:
        return ast.dump(node)
    assert isinstance(node, DEFINITIONS)
    whole = node.decorator_list
    node.decorator_list = [d for d in whole if not any(d is c for c in cut)]
    try:
        return ast.dump(node)
    finally:
        node.decorator_list = whole

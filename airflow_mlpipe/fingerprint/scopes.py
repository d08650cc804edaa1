"""Which names of a file a statement uses: of functions and classes by the scopes that Python itself makes of them."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Sequence

from airflow_mlpipe.fingerprint.statements import DEFINITIONS, FUNCTIONS

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Scopes:
    """The scopes of one file."""

    def __init__(self, text: str, file: str) -> None:
        self._tables: dict[tuple[str, int], symtable.SymbolTable] = {}
        waiting = list(symtable.symtable(text, file, "exec").get_children())
        while waiting:
            table = waiting.pop()
            self._tables[(table.get_name(), table.get_lineno())] = table
            waiting += table.get_children()

    def names(self, node: ast.stmt, cut: Sequence[ast.expr] = ()) -> set[str]:
        """Global names that a statement uses when it runs, and when what it defines is called.

        :param cut: decorators that do not count.
        """
        names: set[str] = set()
        for one in _parts(node, cut):
            if isinstance(one, DEFINITIONS):
                table = self._table(one)
                names |= (_globals_of(table) if table is not None else set()) | annotated(one)
            elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
                names.add(one.id)
        return names

    def at_definition(self, node: ast.stmt, cut: Sequence[ast.expr] = ()) -> set[str]:
        """Names that a statement uses when it runs; of functions those of decorators and defaults alone."""
        names = {n.id for n in _parts(node, cut) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        if isinstance(node, ast.ClassDef) and (table := self._table(node)) is not None:
            names |= {s.get_name() for s in table.get_symbols() if s.is_free()} - {"__class__"}
        return names

    def in_signature(self, node: ast.stmt) -> set[str]:
        """Names in the annotations of a function's parameters and result, other than in text."""
        if not isinstance(node, FUNCTIONS):
            return set()
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *(a for a in (args.vararg, args.kwarg) if a)]
        written = [a.annotation for a in every if a.annotation] + ([node.returns] if node.returns else [])
        return {n.id for one in written for n in ast.walk(one) if isinstance(n, ast.Name)}

    def locals_of(self, functions: Sequence[ast.FunctionDef | ast.AsyncFunctionDef]) -> set[str]:
        """The variables of some functions."""
        tables = [table for node in functions if (table := self._table(node)) is not None]
        return {s.get_name() for table in tables for s in table.get_symbols() if s.is_local()}

    def _table(self, node: Definition) -> symtable.SymbolTable | None:
        lines = [node.lineno, *(d.lineno for d in node.decorator_list)]
        return next((t for line in lines if (t := self._tables.get((node.name, line))) is not None), None)


def _parts(node: ast.stmt, cut: Sequence[ast.expr]) -> Iterator[ast.AST]:
    """What a statement evaluates; of a function and a class itself, and what is around its body."""
    dropped = {id(n) for decorator in cut for n in ast.walk(decorator)}
    waiting: list[ast.AST] = [node]
    while waiting:
        one = waiting.pop()
        if id(one) in dropped:
            continue
        yield one
        if isinstance(one, DEFINITIONS):
            waiting += one.decorator_list
            if isinstance(one, ast.ClassDef):
                waiting += [*one.bases, *(k.value for k in one.keywords)]
            if isinstance(one, FUNCTIONS):
                waiting += [d for d in (*one.args.defaults, *one.args.kw_defaults) if d is not None]
        else:
            waiting += ast.iter_child_nodes(one)


def _globals_of(table: symtable.SymbolTable) -> set[str]:
    names = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    for child in table.get_children():
        names |= _globals_of(child)
    return names


def annotated(node: ast.AST) -> set[str]:
    """Names in annotations, those in text included."""
    names: set[str] = set()
    for one in ast.walk(node):
        for annotation in (getattr(one, "annotation", None), getattr(one, "returns", None)):
            if not isinstance(annotation, ast.AST):
                continue
            for part in ast.walk(annotation):
                if isinstance(part, ast.Name):
                    names.add(part.id)
                elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                    names |= _names_in_text(part.value)
    return names


def _names_in_text(text: str) -> set[str]:
    try:
        return {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}
    except SyntaxError:
        return set()

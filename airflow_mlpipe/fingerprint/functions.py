"""The code of a function: a reduced copy of its file that holds what the function reaches, and the files it imports.

A function of a DAG file runs where neither Airflow nor the rest of that file can be imported.  So of its file only the
statements that it reaches are kept, each on its own line, so that tracebacks show the right ones; imports below ``if
TYPE_CHECKING:`` are real ones there.  What is hashed is each statement, not the file: an edit elsewhere in it, or lines
that moved, change nothing.

It errs towards more statements: one too many costs an execution, one too few would be a wrong result.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import os
import symtable
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.canonical import canonical
from airflow_mlpipe.fingerprint.closure import Closure
from airflow_mlpipe.fingerprint.code import Source, widened
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.model.code import CodeSnapshot

Strip = Callable[[object], "FunctionType | None"]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCode:
    """A function that can be called elsewhere.

    :param file: its reduced module, a file of the snapshot. :param name: of the function in it.
    :param bindings: plain values of variables of the functions around it, to be set before the module runs.
    :param snapshot: the module and the files of its folder that it imports; ``parts`` are digests of its statements.
    """

    file: str
    name: str
    bindings: Mapping[str, Any]
    snapshot: CodeSnapshot


def read_function(
    function: FunctionType, *, include: Sequence[str] = (), cache_dir: Path | None = None, strip: Strip
) -> FunctionCode:
    """Read the code of a function.

    :param include: patterns of further files of its folder. :param cache_dir: where what files import is remembered.
    :param strip: gives the plain function of an object that a decorator of ours made of one, else ``None``.
    :raises UncacheableError: for a function without a file, and for one that needs a variable which cannot travel.
    """
    plain = inspect.unwrap(function)
    file = inspect.getsourcefile(plain) if isinstance(plain, FunctionType) else None
    if file is None or not os.path.isfile(file):
        raise UncacheableError("python_callable", function, fix="define the function in a file")
    reduction = _Reduction(Path(file).read_text(encoding="utf-8"), file, strip)
    reduction.function(plain, decorated=True)
    reduction.finish(plain)
    module = plain.__module__ or ""
    root, relative = _root(os.path.realpath(file), module)
    source = Source(root, cache_dir)
    source.overlay(relative, reduction.text().encode())
    if "site-packages" in Path(root).parts:  # an installed package: the environment says which version of it
        found = _imports_of(source, relative)
        snapshot = source.snapshot([relative], found)
    else:
        snapshot = widened(source, relative, include)
    snapshot = replace(snapshot, counted=snapshot.counted - {relative}, parts=dict(sorted(reduction.parts.items())))
    return FunctionCode(file=relative, name=plain.__name__, bindings=reduction.bindings, snapshot=snapshot)


def _imports_of(source: Source, relative: str) -> Closure:
    """What one file imports, without following it."""
    imports = source.imports(relative).imports
    return Closure(files={relative}, outside={i.module.partition(".")[0] for i in imports if not i.level and i.module})


def _root(file: str, module: str) -> tuple[str, str]:
    """The folder that imports start from, and the file's path in it."""
    dotted = module.replace(".", "/") + ".py"
    if "." in module and file.endswith("/" + dotted):
        return file[: -len(dotted) - 1], dotted
    folders = {os.path.realpath(e) for e in sys.path if e and os.path.isdir(e) and "site-packages" not in Path(e).parts}
    above = [f for f in folders if file.startswith(f.rstrip("/") + "/") and f != "/"]
    root = max(above, key=len, default=os.path.dirname(file))
    return root, os.path.relpath(file, root)


@dataclass(slots=True)
class _Statement:
    """A statement, and the compound statements that it is in, outermost first."""

    node: ast.stmt
    inside: tuple[ast.stmt, ...] = ()


@dataclass(slots=True)
class _Imports:
    node: ast.Import | ast.ImportFrom
    inside: tuple[ast.stmt, ...]
    names: dict[str, ast.alias] = field(default_factory=dict)


class _Reduction:
    """A file while it is reduced."""

    def __init__(self, text: str, file: str, strip: Strip) -> None:
        self._lines = text.split("\n")  # as Python's own parser counts them
        self._tree = ast.parse(text)
        self._file = os.path.realpath(file)
        self._strip = strip
        self._scopes = _tables(symtable.symtable(text, file, "exec"))
        self._binders: dict[str, list[_Statement]] = {}
        self._stars: list[_Statement] = []
        self._on_line: dict[int, list[_Statement]] = {}
        for statement in _top(self._tree.body, ()):
            self._note(statement)
        self._kept: set[int] = set()
        self._imports: dict[int, _Imports] = {}
        self._out: dict[int, str] = {}
        self._statements: list[tuple[int, str, str]] = []
        self._aliases: list[str] = []
        self._enclosing: set[str] = set()
        self._prelude: list[str] = []
        self._seen: set[str] = set()
        self.parts: dict[str, str] = {}
        self.bindings: dict[str, Any] = {}

    def _note(self, statement: _Statement) -> None:
        if isinstance(statement.node, ast.ImportFrom) and statement.node.names[0].name == "*":
            self._stars.append(statement)
        self._on_line.setdefault(statement.node.lineno, []).append(statement)
        for name in _bound(statement.node):
            self._binders.setdefault(name, []).append(statement)

    # ---- what is reached -----------------------------------------------------------------------------------------

    def function(self, function: FunctionType, *, decorated: bool) -> None:
        """Keep a function, where it is defined, and what it reaches.  :raises UncacheableError: see the module."""
        statement = self._find(function)
        if id(statement.node) in self._kept:
            return
        self._keep(statement, decorated=decorated)
        free = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in free:
            try:
                value = cell.cell_contents
            except ValueError:  # a variable that has no value yet
                continue
            self._enclosed(name, value)

    def _find(self, function: FunctionType) -> _Statement:
        line = function.__code__.co_firstlineno
        for statement in _all(self._tree.body, ()):
            node = statement.node
            if isinstance(node, _FUNCTIONS) and node.name == function.__code__.co_name:
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                if first <= line <= node.lineno:
                    return statement
        raise UncacheableError("python_callable", function, fix="define the function with def, in a file")

    def _enclosed(self, name: str, value: Any) -> None:
        """A variable of a function around."""
        plain = self._strip(value) or value
        self._enclosing.add(name)
        if isinstance(plain, ModuleType):
            self._prelude.append(f"import {plain.__name__} as {name}")
            self.parts[f"import {plain.__name__} as {name}"] = digest_bytes(plain.__name__.encode())
        elif isinstance(plain, FunctionType) and self._is_here(plain):
            self.function(plain, decorated=plain is not value)
            self._alias(name, plain.__name__)
        elif isinstance(plain, type) and (statement := self._class(plain)) is not None:
            self._keep(statement)
            self._alias(name, plain.__name__)
        else:
            try:
                self.parts[name] = digest_bytes(canonical(value, path=name))
            except UncacheableError as error:
                fix = "pass it as an argument, or define it at the top of the file"
                raise UncacheableError(error.path, value, fix=fix) from error
            self.bindings[name] = value

    def _alias(self, name: str, original: str) -> None:
        if name != original:
            self._aliases.append(f"{name} = {original}")
            self.parts[f"{name} = {original}"] = digest_bytes(original.encode())

    def _is_here(self, function: FunctionType) -> bool:
        return os.path.realpath(function.__code__.co_filename) == self._file

    def _class(self, kind: type) -> _Statement | None:
        name = kind.__qualname__.rpartition(".")[2]
        found = [s for s in _all(self._tree.body, ()) if isinstance(s.node, ast.ClassDef) and s.node.name == name]
        return found[0] if found and "<locals>" in kind.__qualname__ else None

    def _need(self, name: str) -> None:
        """A global name."""
        if name in self._seen:
            return
        self._seen.add(name)
        for statement in self._binders.get(name, ()):
            if isinstance(statement.node, (ast.Import, ast.ImportFrom)) and len(self._shared(statement)) == 1:
                self._import(statement, name)
            else:
                self._keep(statement, decorated=isinstance(statement.node, _FUNCTIONS) and _is_step(statement.node))
        if name not in self._binders and not hasattr(builtins, name) and not name.startswith("__"):
            for statement in self._stars:
                self._keep(statement)

    def _import(self, statement: _Statement, name: str) -> None:
        node = statement.node
        assert isinstance(node, (ast.Import, ast.ImportFrom))
        kept = self._imports.setdefault(id(node), _Imports(node, statement.inside))
        kept.names |= {name + str(i): a for i, a in enumerate(node.names) if _alias_name(a) == name}
        aliases = sorted({(a.name, a.asname) for a in kept.names.values()}, key=str)
        spelled = ", ".join(n if a is None else f"{n} as {a}" for n, a in aliases)
        if isinstance(node, ast.Import):
            text = f"import {spelled}"
        else:
            text = f"from {'.' * node.level}{node.module or ''} import {spelled}"
        self._emit(node.lineno, " " * node.col_offset + text, statement.inside)
        for alias_name, asname in aliases:
            head = "import" if isinstance(node, ast.Import) else f"from {'.' * node.level}{node.module or ''} import"
            label = f"{head} {alias_name}" + (f" as {asname}" if asname else "")
            self.parts[label] = digest_bytes(label.encode())

    # ---- what is written -----------------------------------------------------------------------------------------

    def _keep(self, statement: _Statement, *, decorated: bool = False) -> None:
        node = statement.node
        if id(node) in self._kept:
            return
        self._kept.add(id(node))
        first = node.lineno
        cut: tuple[ast.expr, ...] = ()
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            decorators = node.decorator_list
            if decorated:
                cut = tuple(decorators[: _strip_count(decorators)])
            rest = decorators[len(cut) :]
            first = min([node.lineno, *(d.lineno for d in rest)])
        assert node.end_lineno is not None
        lines = self._without_defaults(node, statement, first, self._lines[first - 1 : node.end_lineno])
        for number, line in enumerate(lines, first):
            self._emit(number, line, statement.inside)
        label = f"{node.name}()" if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) else ", ".join(sorted(_bound(node)))
        self._statements.append((first, label or lines[0].strip()[:60], _spelled(node, cut)))
        for other in self._shared(statement):  # `a = 1; b = 2` is one line
            self._keep(other)
        for name in sorted(self._names(node, cut)):
            self._need(name)

    def _shared(self, statement: _Statement) -> list[_Statement]:
        """The statements that begin on the line of this one, itself among them."""
        return self._on_line.get(statement.node.lineno) or [statement]

    def _without_defaults(self, node: ast.stmt, statement: _Statement, first: int, lines: list[str]) -> list[str]:
        """Defaults of a nested function that name variables around it: the caller passes all defaults explicitly."""
        around = any(isinstance(container, _FUNCTIONS) for container in statement.inside)
        if not around or not isinstance(node, _FUNCTIONS):
            return lines
        lines = list(lines)
        for default in reversed([d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None]):
            names = {n.id for n in ast.walk(default) if isinstance(n, ast.Name)}
            unknown = [n for n in names if n not in self._binders and not hasattr(builtins, n)]
            if unknown and default.lineno == default.end_lineno:
                line = lines[default.lineno - first].encode()  # columns count bytes
                line = line[: default.col_offset] + b"None" + line[default.end_col_offset or 0 :]
                lines[default.lineno - first] = line.decode()
        return lines

    def _emit(self, number: int, line: str, inside: tuple[ast.stmt, ...]) -> None:
        for container in inside:
            self._out.setdefault(container.lineno, " " * container.col_offset + "if 1:")
        self._out[number] = line

    def finish(self, function: FunctionType) -> None:
        """Make the digests.  :raises UncacheableError: when a variable of a function around hides a global in use."""
        for name in sorted(self._enclosing & {n for n in self._seen if n in self._binders}):
            fix = "give the variable of the enclosing function another name than the global that is used as well"
            raise UncacheableError(name, function, fix=fix)
        named: dict[str, list[str]] = {}
        for _, label, spelled in sorted(self._statements):
            named.setdefault(label, []).append(spelled)
        self.parts |= {label: digest_bytes("\0".join(each).encode()) for label, each in named.items()}
        # Functions and classes may stand in any order; what is computed while the module runs may not.
        order = [label for _, label, _ in sorted(self._statements) if not label.endswith("()")]
        if len(order) > 1:
            self.parts["order of statements"] = digest_bytes("\0".join(order).encode())

    def text(self) -> str:
        """The reduced module, each statement on its own lines."""
        future = next((n for n in self._tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"), None)
        prelude = list(dict.fromkeys(self._prelude))
        names = ", ".join(a.name for a in future.names) if future else ""
        if future:
            prelude.insert(0, f"from __future__ import {names}")
        line = future.lineno if future else 1
        out = dict(self._out)
        shifted = ""
        if prelude and (line in out) and not future:
            shifted = "; ".join(prelude) + "\n"  # the first line is taken: one line off is better than none
        elif prelude:
            out[line] = "; ".join(prelude)
        lines = [out.get(number, "") for number in range(1, max(out, default=1) + 1)]
        return shifted + "\n".join([*lines, *self._aliases]) + "\n"

    def _names(self, node: ast.stmt, cut: Sequence[ast.expr]) -> set[str]:
        """Global names that a statement uses; of functions and classes those of their scopes."""
        dropped = {id(n) for decorator in cut for n in ast.walk(decorator)}
        names: set[str] = set()
        waiting: list[ast.AST] = [node]
        while waiting:
            one = waiting.pop()
            if id(one) in dropped:
                continue
            if isinstance(one, (*_FUNCTIONS, ast.ClassDef)) and (table := self._table(one)) is not None:
                names |= _globals_of(table)
                waiting += one.decorator_list
                if isinstance(one, ast.ClassDef):
                    waiting += [*one.bases, *(k.value for k in one.keywords)]
                names |= _annotated(one)
                if isinstance(one, _FUNCTIONS):
                    waiting += [d for d in (*one.args.defaults, *one.args.kw_defaults) if d is not None]
                continue
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
                names.add(one.id)
            waiting += ast.iter_child_nodes(one)
        return names

    def _table(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> symtable.SymbolTable | None:
        lines = [node.lineno, *(d.lineno for d in node.decorator_list)]
        return next((t for line in lines if (t := self._scopes.get((node.name, line))) is not None), None)


def _spelled(node: ast.stmt, cut: Sequence[ast.expr]) -> str:
    """A statement without its place, its layout and its comments, and without the decorators that go."""
    if not cut:
        return ast.dump(node)
    assert isinstance(node, (*_FUNCTIONS, ast.ClassDef))
    whole = node.decorator_list
    node.decorator_list = [d for d in whole if not any(d is c for c in cut)]
    try:
        return ast.dump(node)
    finally:
        node.decorator_list = whole


def _tables(top: symtable.SymbolTable) -> dict[tuple[str, int], symtable.SymbolTable]:
    found: dict[tuple[str, int], symtable.SymbolTable] = {}
    waiting = list(top.get_children())
    while waiting:
        table = waiting.pop()
        found[(table.get_name(), table.get_lineno())] = table
        waiting += table.get_children()
    return found


def _globals_of(table: symtable.SymbolTable) -> set[str]:
    names = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    for child in table.get_children():
        names |= _globals_of(child)
    return names


def _annotated(node: ast.AST) -> set[str]:
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


def _top(body: Sequence[ast.stmt], inside: tuple[ast.stmt, ...]) -> Iterator[_Statement]:
    """Statements at the top of a file, with those in ``with`` and ``if TYPE_CHECKING:`` each for itself."""
    for node in body:
        if isinstance(node, (ast.With, ast.AsyncWith)) or (isinstance(node, ast.If) and _is_type_checking(node.test)):
            yield from _top(node.body, (*inside, node))
            if not isinstance(node, ast.If) and any(item.optional_vars is not None for item in node.items):
                yield _Statement(node, inside)
        else:
            yield _Statement(node, inside)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _all(body: Sequence[ast.stmt], inside: tuple[ast.stmt, ...]) -> Iterator[_Statement]:
    """Every statement of a file."""
    for node in body:
        yield _Statement(node, inside)
        for name in ("body", "orelse", "finalbody"):
            yield from _all(getattr(node, name, []), (*inside, node))
        for handler in getattr(node, "handlers", []):
            yield from _all(handler.body, (*inside, node))


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds, or whose object it changes."""
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {_alias_name(a) for a in node.names if a.name != "*"}
    names: set[str] = set()
    waiting: list[ast.AST] = [node]
    if isinstance(node, (ast.With, ast.AsyncWith)):  # its body's statements stand for themselves
        waiting = [item.optional_vars for item in node.items if item.optional_vars is not None]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (*_FUNCTIONS, ast.ClassDef)):
            names.add(one.name)
            continue
        if isinstance(one, ast.Lambda):
            continue
        if isinstance(one, (ast.Import, ast.ImportFrom)):
            names |= {_alias_name(a) for a in one.names}
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


def _alias_name(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _is_step(node: ast.stmt) -> bool:
    return any(_named_step(d) for d in getattr(node, "decorator_list", []))


def _named_step(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    return (decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")) == "step"


def _strip_count(decorators: Sequence[ast.expr]) -> int:
    """How many decorators go: the one that makes the step, and all above it."""
    marked = [i for i, d in enumerate(decorators) if _named_step(d)]
    return max(marked) + 1 if marked else min(1, len(decorators))

"""What one Python file imports, read from its syntax, never by running it.

The result depends on the bytes alone, so it is kept by their digest, in the process and on disk: every task is a new
process, and parsing 300 lines takes longer than everything else that decides about a step.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlpipe.fingerprint.statcache import write_atomically

_FORMAT = f"mlpipe.imports/1/{sys.version_info[0]}.{sys.version_info[1]}"
_IMPORTERS = frozenset({"import_module", "__import__"})
_LOADERS = frozenset(
    {
        "run_path",
        "run_module",
        "spec_from_file_location",
        "SourceFileLoader",
        "SourcelessFileLoader",
        "load_source",
        "iter_modules",
        "walk_packages",
        "extend_path",
        "addsitedir",
    }
)
_SEARCH = frozenset({"path", "path_hooks", "meta_path"})
_FILE_OR_MODULE = re.compile(
    r"[^\s\0:*?\"'<>|]{0,200}\.[A-Za-z0-9_]{1,16}\Z|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?::\w+)?\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import.

    :param level: leading dots. :param module: after them, may be empty. :param names: after ``import`` in ``from``;
        ``("*",)`` for a star.
    """

    level: int = 0
    module: str
    names: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImports:
    """What a file imports.

    :param doubts: line and reason of each place where syntax does not tell what is imported.
    :param texts: literals that may name a file or a module, sorted.
    :param exports: ``__all__``; ``None`` when there is none. :param dynamic_exports: it is computed.
    """

    imports: tuple[Import, ...] = ()
    doubts: tuple[tuple[int, str], ...] = ()
    texts: tuple[str, ...] = ()
    exports: tuple[str, ...] | None = None
    dynamic_exports: bool = False


_seen: dict[str, FileImports] = {}


def read_imports(data: bytes, digest: str, cache: Path | None) -> FileImports:
    """What a file of these bytes imports.

    :param digest: of ``data``. :param cache: folder for what is remembered.
    """
    if digest not in _seen:
        file = cache / "imports" / f"{digest.replace(':', '_')}.json" if cache else None
        found = _load(file) if file else None
        if found is None:
            found = parse(data)
            if file:
                with contextlib.suppress(OSError):
                    write_atomically(file, json.dumps(_to_json(found)).encode())
        _seen[digest] = found
    return _seen[digest]


def _to_json(found: FileImports) -> dict[str, Any]:
    imports = [[i.level, i.module, list(i.names), i.line] for i in found.imports]
    return {
        "format": _FORMAT,
        "imports": imports,
        "doubts": found.doubts,
        "texts": found.texts,
        "exports": found.exports,
        "dynamic_exports": found.dynamic_exports,
    }


def _load(file: Path) -> FileImports | None:
    try:
        document = json.loads(file.read_bytes())
        if document["format"] != _FORMAT:
            return None
        exports = document["exports"]
        return FileImports(
            imports=tuple(Import(level=a, module=b, names=tuple(c), line=d) for a, b, c, d in document["imports"]),
            doubts=tuple((int(line), str(why)) for line, why in document["doubts"]),
            texts=tuple(document["texts"]),
            exports=None if exports is None else tuple(exports),
            dynamic_exports=bool(document["dynamic_exports"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def parse(data: bytes) -> FileImports:
    """What a file of these bytes imports; a file that this Python cannot parse is one doubt."""
    try:
        module = ast.parse(data)
        return _Reader(module).read()
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return FileImports(doubts=((getattr(error, "lineno", None) or 1, "it cannot be parsed"),))


class _Reader:
    """One pass for the aliases that matter, one for everything else."""

    def __init__(self, module: ast.Module) -> None:
        self._module = module
        self._nodes = list(ast.walk(module))
        self._importers = set(_IMPORTERS)
        self._loaders = set(_LOADERS)
        self._sys = {"sys"}
        self._literal_calls: set[int] = set()
        self.imports: list[Import] = []
        self.doubts: list[tuple[int, str]] = []
        self.texts: set[str] = set()

    def read(self) -> FileImports:
        for node in self._nodes:
            if isinstance(node, ast.Import):
                self._import(node)
            elif isinstance(node, ast.ImportFrom):
                self._import_from(node)
        for node in self._nodes:
            self._visit(node)
        exports, dynamic = _exports(self._module)
        return FileImports(
            imports=tuple(self.imports),
            doubts=tuple(sorted(set(self.doubts))),
            texts=tuple(sorted(self.texts)),
            exports=exports,
            dynamic_exports=dynamic,
        )

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.imports.append(Import(module=alias.name, line=node.lineno))
            if alias.name == "sys":
                self._sys.add(alias.asname or "sys")

    def _import_from(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        self.imports.append(Import(level=node.level, module=node.module or "", names=names, line=node.lineno))
        for alias in node.names:
            if alias.name in _IMPORTERS:
                self._importers.add(alias.asname or alias.name)
            elif alias.name in _LOADERS:
                self._loaders.add(alias.asname or alias.name)
            elif node.module == "sys" and alias.name in _SEARCH:
                self.doubts.append((node.lineno, f"sys.{alias.name} is used"))

    def _visit(self, node: ast.AST) -> None:
        # A walk comes to a call before it comes to the function that is called.
        if isinstance(node, ast.Call):
            name = _last_name(node.func)
            if name in self._importers and (found := _literal_import(node)):
                self.imports.append(found)
                self._literal_calls.add(id(node.func))
        elif isinstance(node, ast.Name | ast.Attribute):
            self._reference(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _FILE_OR_MODULE.match(node.value):
            self.texts.add(node.value)

    def _reference(self, node: ast.Name | ast.Attribute) -> None:
        name = _last_name(node)
        if name in self._importers and id(node) not in self._literal_calls:
            self.doubts.append((node.lineno, f"{name} with a computed name"))
        elif name in self._loaders:
            self.doubts.append((node.lineno, f"{name} is used"))
        elif name == "__path__":
            self.doubts.append((node.lineno, "__path__ is used"))
        elif isinstance(node, ast.Name) and name == "exec":
            self.doubts.append((node.lineno, "exec is used"))
        elif isinstance(node, ast.Attribute) and name in _SEARCH and _is_name(node.value, self._sys):
            self.doubts.append((node.lineno, f"sys.{name} is used"))


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_name(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _literal_import(call: ast.Call) -> Import | None:
    """The import that ``import_module("x")`` is; ``None`` when its name is computed."""
    named = {k.arg: k.value for k in call.keywords}
    target = call.args[0] if call.args else named.get("name")
    if not isinstance(target, ast.Constant) or not isinstance(target.value, str):
        return None
    text = target.value
    module = text.lstrip(".")
    level = len(text) - len(module)
    importer = _last_name(call.func)
    if importer == "__import__":
        # Its fourth and fifth arguments are names and a level: too rare to follow, so they are a doubt.
        return Import(module=module, line=call.lineno) if not level and len(call.args) < 4 and not named else None
    if not level:
        return Import(module=module, line=call.lineno)
    package = call.args[1] if len(call.args) > 1 else named.get("package")
    if isinstance(package, ast.Name) and package.id == "__package__":
        return Import(level=level, module=module, line=call.lineno)
    return None


def _exports(module: ast.Module) -> tuple[tuple[str, ...] | None, bool]:
    """``__all__``, and whether it is computed."""
    found: tuple[str, ...] | None = None
    for node in _all_mentions(module):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        names = value.elts if isinstance(value, ast.List | ast.Tuple) else None
        if found is not None or names is None or not all(isinstance(n, ast.Constant) for n in names):
            return None, True
        found = tuple(str(n.value) for n in names if isinstance(n, ast.Constant))
    return found, False


def _all_mentions(module: ast.Module) -> Iterator[ast.AST]:
    """Statements at the top that touch ``__all__``; any mention below counts as one that computes it."""
    for statement in module.body:
        if any(isinstance(n, ast.Name) and n.id == "__all__" for n in ast.walk(statement)):
            yield statement

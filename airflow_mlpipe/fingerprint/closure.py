"""The files that a Python script consists of: itself and, through its imports, the files of its folder that they name.

The walk follows Python's rules for ``python root/entry.py`` with the root on the path too.  Where syntax does not tell
(a computed import, a changed ``sys.path``) it says so in a doubt, and the caller takes the whole folder.  It errs
towards more files: a file too many costs an execution, a file too few would be a wrong result.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from airflow_mlpipe.fingerprint.imports import FileImports, Import

_BINARY = (".so", ".pyd")

ReadImports = Callable[[str], FileImports]
"""Gives what the file of a relative path imports."""

Counts = Callable[[str], bool]
"""Whether a relative path is not ignored."""


@dataclass(slots=True)
class Closure:
    """What a walk found.

    :param files: relative POSIX paths. :param outside: top-level modules that are not in the folder.
    :param doubts: where it could not be sure, as ``file:line: reason``.
    """

    files: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)
    doubts: list[str] = field(default_factory=list)


def walk_imports(
    root: str, entries: Iterable[str], script: str | None, read: ReadImports, counts: Counts | None = None
) -> Closure:
    """The closure of some files.

    :param root: absolute path of the folder. :param entries: Python files, relative, POSIX.
    :param script: the one that is started: its folder comes first on Python's path.
    :param read: gives what a file imports; its errors pass through. :param counts: asked of files that only a literal
        names, because those may be results of an earlier run by hand.
    """
    bases = tuple(dict.fromkeys([posixpath.dirname(script), ""])) if script else ("",)
    walker = _Walker(root, bases, read, counts or (lambda _: True))
    walker.start(entries)
    return walker.run()


class _Walker:
    def __init__(self, root: str, bases: tuple[str, ...], read: ReadImports, counts: Counts) -> None:
        self._folders = _Folders(root)
        self._bases = bases
        self._read = read
        self._counts = counts
        self._waiting: list[str] = []
        self._found = Closure()

    def start(self, entries: Iterable[str]) -> None:
        """Add files that are Python whatever they are called."""
        self._waiting = sorted(set(entries))
        self._found.files.update(self._waiting)

    def add(self, files: Iterable[str]) -> None:
        for file in files:
            if file not in self._found.files:
                self._found.files.add(file)
                if file.endswith(".py"):
                    self._waiting.append(file)

    def run(self) -> Closure:
        while self._waiting:
            file = self._waiting.pop()
            self._follow(file, self._read(file))
        self._found.doubts.sort()
        return self._found

    def _follow(self, file: str, found: FileImports) -> None:
        self._found.doubts.extend(f"{file}:{line}: {why}" for line, why in found.doubts)
        for one in found.imports:
            if one.level:
                self._relative(file, one)
            else:
                self._absolute(file, one)
        for text in found.texts:
            self._named(file, text)

    def _relative(self, file: str, one: Import) -> None:
        base = posixpath.dirname(file)
        for _ in range(one.level - 1):
            if not base:
                self._found.doubts.append(f"{file}:{one.line}: a relative import above the source folder")
                return
            base = posixpath.dirname(base)
        self._package_files(base)
        self._members(file, self._descend(base, one.module.split(".") if one.module else []), one)

    def _absolute(self, file: str, one: Import) -> None:
        parts = one.module.split(".")
        local = False
        for base in self._bases:
            target = self._folders.find(base, parts[0])
            if target is None:
                continue
            self._members(file, self._descend(base, parts), one)
            local = local or not target.namespace
            if local:
                break
        if not local:
            # A folder without __init__.py comes last in Python's order: an installed package of that name wins.
            self._found.outside.add(parts[0])

    def _descend(self, base: str, parts: list[str]) -> str | None:
        """Add the files of a dotted name; return the folder that it is, if it is a package."""
        for part in parts:
            target = self._folders.find(base, part)
            if target is None:
                return None
            self.add(target.files)
            if not target.package:
                return None
            base = target.package
        return base

    def _members(self, file: str, package: str | None, one: Import) -> None:
        """Add the submodules that ``from package import names`` may mean."""
        if package is None:
            return
        for name in one.names:
            if name == "*":
                self._star(file, package, one)
            else:
                self._descend(package, [name])

    def _star(self, file: str, package: str, one: Import) -> None:
        init = posixpath.join(package, "__init__.py")
        if not self._folders.has_file(init):
            return
        exports = self._read(init)
        if exports.dynamic_exports:
            self._found.doubts.append(f"{file}:{one.line}: import * from {package}, whose __all__ is computed")
        for name in exports.exports or ():
            self._descend(package, [name])

    def _package_files(self, folder: str) -> None:
        """Add the ``__init__.py`` of a folder and of the packages that it is in."""
        while folder:
            init = posixpath.join(folder, "__init__.py")
            if not self._folders.has_file(init):
                return
            self.add([init])
            folder = posixpath.dirname(folder)

    def _named(self, file: str, text: str) -> None:
        """Add what a literal names: a file next to the script, in the root or next to this file, or a module."""
        for base in dict.fromkeys([*self._bases, posixpath.dirname(file)]):
            path = posixpath.normpath(posixpath.join(base, text))
            if not path.startswith(("/", "..")) and self._folders.has_file(path) and self._counts(path):
                self.add([path])
        parts = text.partition(":")[0].split(".")
        if all(part.isidentifier() for part in parts):
            for base in self._bases:
                self._descend(base, parts)


@dataclass(frozen=True, slots=True)
class _Target:
    """What a name means in a folder.

    :param package: the folder, when it is one. :param namespace: whether it is only a folder without ``__init__.py``.
    """

    files: tuple[str, ...]
    package: str = ""
    namespace: bool = False


class _Folders:
    """Listings of the folders that the walk comes to, each read once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._listings: dict[str, dict[str, bool]] = {}

    def listing(self, folder: str) -> dict[str, bool]:
        """Names, and whether each is a folder."""
        if folder not in self._listings:
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:
                    self._listings[folder] = {e.name: e.is_dir() for e in entries}
            except (FileNotFoundError, NotADirectoryError):
                self._listings[folder] = {}
        return self._listings[folder]

    def has_file(self, path: str) -> bool:
        """Whether a relative path is a file; every part of it must be there under exactly this name."""
        folder, name = posixpath.split(path)
        return self.listing(folder).get(name) is False

    def find(self, base: str, name: str) -> _Target | None:
        """What ``import name`` finds in a folder, in Python's order: package, extension, module, namespace."""
        here = self.listing(base)
        path = posixpath.join(base, name)
        if here.get(name) and self.has_file(f"{path}/__init__.py"):
            return _Target((f"{path}/__init__.py",), package=path)
        files = [f"{path}.py"] if here.get(f"{name}.py") is False else []
        files += [posixpath.join(base, n) for n in here if n.startswith(f"{name}.") and n.endswith(_BINARY)]
        if files:
            return _Target(tuple(files))
        return _Target((), package=path, namespace=True) if here.get(name) else None

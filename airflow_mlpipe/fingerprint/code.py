"""The code of a step, read once: which files it is, and their digests.

What is hashed is what runs: the snapshot holds the bytes, and computes run those and not the source folder.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlpipe.errors import ConfigurationError, DefinitionError, InputError, PathError
from airflow_mlpipe.fingerprint.closure import Closure, walk_imports
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.imports import FileImports, read_imports
from airflow_mlpipe.fingerprint.scan import scan
from airflow_mlpipe.fingerprint.tree import check_name
from airflow_mlpipe.model.code import CodeFile, CodeSnapshot
from airflow_mlpipe.model.step import CodeSpec

if TYPE_CHECKING:
    from airflow_mlpipe.fingerprint.ignore import Ignore

MOST_BYTES = 256 * 2**20
MOST_FILES = 20_000


def read_code(spec: CodeSpec, *, cache_dir: Path | None = None) -> CodeSnapshot:
    """Read the code of a step.

    :param cache_dir: where what files import is remembered.
    :raises DefinitionError: for a folder, a script or an included file that is not there.
    :raises PathError: for a link that leaves the folder. :raises InputError: for a file that cannot be read.
    :raises ConfigurationError: for a folder that is too large to be code.
    """
    if not os.path.isdir(spec.root):
        raise DefinitionError("there is no such source folder", where="source_directory", given=spec.root)
    source = Source(os.path.realpath(spec.root), cache_dir, spec.exclude)
    if spec.entry is not None:
        spec = replace(spec, entry=posixpath.normpath(spec.entry))
    if spec.entry is not None and not os.path.isfile(os.path.join(source.root, spec.entry)):
        raise DefinitionError(
            "there is no such script",
            where=spec.root,
            given=spec.entry,
            fix="script_name is relative to source_directory",
        )
    try:
        if spec.mode != "closure" or spec.entry is None:
            return _whole_folder(source, spec)
        return _closure(source, spec, spec.entry)
    except OSError as error:
        raise InputError(f"code cannot be read ({error.strerror})", where=str(error.filename or spec.root)) from error


def code_identity(snapshot: CodeSnapshot) -> Mapping[str, str]:
    """Digest of every file that counts, by path, sorted; before them of the parts of a file that count for it.

    Line ends of Python files count as one: a checkout on Windows is the same code.  The executable bit does not count:
    it gets lost on the way through archives and shares.
    """
    files = {path: _counted(path, snapshot.files[path].data) for path in sorted(snapshot.counted)}
    return {**snapshot.parts, **files}


def _counted(path: str, data: bytes) -> str:
    return digest_bytes(data.replace(b"\r\n", b"\n") if path.endswith(".py") else data)


class Source:
    """A source folder while it is read: every file once.

    :param exclude: patterns of what is no code, besides the folder's ignore files.
    """

    def __init__(self, root: str, cache: Path | None, exclude: tuple[str, ...] = ()) -> None:
        self.root = root
        self._cache = cache
        self._exclude = exclude
        self._files: dict[str, CodeFile] = {}

    def overlay(self, path: str, data: bytes) -> None:
        """Let a file have other bytes than it has on disk."""
        self._files[path] = CodeFile(data=data)

    def file(self, path: str) -> CodeFile:
        """One file.  :raises PathError: when it is a link out of the folder. :raises OSError: unreadable."""
        if path not in self._files:
            real = os.path.realpath(os.path.join(self.root, path))
            if not real.startswith(self.root.rstrip("/") + "/"):
                raise PathError("the link leaves the source folder", where=path, given=real, fix="copy the file there")
            for part in path.split("/"):
                check_name(part, where=path)
            with open(real, "rb") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                self._files[path] = CodeFile(data=opened.read(), executable=bool(mode & stat.S_IXUSR))
        return self._files[path]

    def imports(self, path: str) -> FileImports:
        """What one file imports; same errors."""
        data = self.file(path).data
        return read_imports(data, digest_bytes(data), self._cache)

    def ignore(self) -> Ignore:
        """The folder's ignore files."""
        # Imported here and not above: most steps need no patterns, and their library takes a while to load.
        from airflow_mlpipe.fingerprint.ignore import Ignore

        return Ignore(self.root, self._exclude)

    def counts(self, path: str) -> bool:
        """Whether a file is not ignored."""
        return self.ignore().keeps_all_of(path)

    def closure(self, entries: Iterable[str], script: str | None) -> Closure:
        """What some files import; same errors as :meth:`file`."""
        return walk_imports(self.root, entries, script, self.imports, self.counts)

    def all_files(self) -> list[str]:
        """Every file that is not ignored.  :raises ConfigurationError: when they are too many, before they are read."""
        found = scan(self.root, None, self.ignore().keeps)
        sizes: dict[str, int] = {}
        for folder, directory in found.directories.items():
            prefix = f"{folder}/" if folder else ""
            sizes |= {prefix + row[0]: row[2] for row in directory.rows if len(row) > 1}
        _check_size(sizes, self.root)
        return sorted(sizes)

    def snapshot(self, paths: Iterable[str], found: Closure, *, counted: bool = True) -> CodeSnapshot:
        """The value of some files."""
        files = {path: self.file(path) for path in sorted(set(paths))}
        _check_size({path: len(file.data) for path, file in files.items()}, self.root)
        return CodeSnapshot(
            files=files,
            counted=frozenset(files) if counted else frozenset(),
            imports=frozenset(found.outside),
            remarks=tuple(found.doubts),
        )


def _check_size(sizes: Mapping[str, int], root: str) -> None:
    total = sum(sizes.values())
    if total <= MOST_BYTES and len(sizes) <= MOST_FILES:
        return
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:5]
    raise ConfigurationError(
        f"the source folder is too large to be code: {len(sizes)} files, {total / 2**20:.0f} MiB; "
        "the largest: " + ", ".join(f"{path} ({sizes[path] / 2**20:.1f} MiB)" for path in largest),
        where=root,
        valid=f"at most {MOST_FILES} files and {MOST_BYTES // 2**20} MiB",
        fix="name what is no code in .mlpipeignore (gitignore syntax), or use a smaller source_directory",
    )


def _whole_folder(source: Source, spec: CodeSpec) -> CodeSnapshot:
    paths = source.all_files()
    found = source.closure([p for p in paths if p.endswith(".py")], spec.entry)
    found.doubts.clear()  # everything is there: nothing is left to doubt
    return source.snapshot([*paths, *found.files, *_entry(spec)], found, counted=spec.mode != "version")


def _entry(spec: CodeSpec) -> list[str]:
    return [] if spec.entry is None else [spec.entry]


def widened(source: Source, entry: str, include: Iterable[str] = ()) -> CodeSnapshot:
    """A file with what it imports of its folder, and the whole folder where its imports cannot be told."""
    return _closure(source, CodeSpec(root=source.root, entry=entry, include=tuple(include)), entry)


def _closure(source: Source, spec: CodeSpec, entry: str) -> CodeSnapshot:
    included = _included(source, spec)
    starts = [path for path in included if path.endswith(".py")]
    is_python = _is_python(source, entry)
    found = source.closure([entry, *starts] if is_python else starts, entry)
    paths = {entry, *included, *found.files}
    if found.doubts:
        remarks = [f"{doubt}; so the whole source folder counts" for doubt in found.doubts]
        everything = source.all_files()
        found = walk_imports(
            source.root, [p for p in {*everything, *paths} if p.endswith(".py")], entry, source.imports
        )
        found.doubts = remarks
        paths |= {*everything, *found.files}
    return source.snapshot(paths, found)


def _is_python(source: Source, entry: str) -> bool:
    if entry.endswith((".py", ".pyw")):
        return True
    first_line = source.file(entry).data[:200].split(b"\n", 1)[0]
    return first_line.startswith(b"#!") and b"python" in first_line


def _included(source: Source, spec: CodeSpec) -> list[str]:
    """Files that the author's patterns name.  :raises DefinitionError: for a pattern that matches nothing."""
    if not spec.include:
        return []
    from airflow_mlpipe.fingerprint.ignore import compile_patterns

    files = source.all_files()
    for pattern in spec.include:
        if not pattern.startswith("!") and not any(compile_patterns([pattern], where="include").match_files(files)):
            raise DefinitionError(
                "this pattern names no file", where="include", given=pattern, fix="it is relative to source_directory"
            )
    return list(compile_patterns(spec.include, where="include").match_files(files))

"""Verify and publish: after exit code 0, every declared output is there, has an identity, and goes to its datastore.

All outputs are looked at before the first is uploaded, and references are made when all contents are in place.  Nothing
here writes a record: until somebody does, contents are only bytes that nobody refers to.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from airflow_mlpipe.errors import InputError, OutputInvalidError, OutputMissingError, PathError
from airflow_mlpipe.fingerprint.digest import blob_key, tree_key
from airflow_mlpipe.fingerprint.local import LocalContent, LocalIndex
from airflow_mlpipe.fingerprint.volatile import identity_of
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import OutputPort, StepSpec
from airflow_mlpipe.runtime.cache import BlobCache
from airflow_mlpipe.runtime.layout import Staged
from airflow_mlpipe.runtime.stores import EngineStores

Found = list[tuple[OutputPort, Path, LocalContent]]


def verify(step: StepSpec, staged: Staged, on_line: Callable[[str], object]) -> Found:
    """The outputs that the program wrote.

    :raises OutputMissingError: for a declared output that is not there. :raises OutputInvalidError: for one that no
        store can hold.
    """
    found: Found = []
    for port in step.outputs:
        path, where = staged.outputs[port.name], f"{step.label}: output {port.name!r}"
        if _is_absent(port, path):
            if not port.data.optional:
                raise _missing(port, path, where)
            on_line(f"optional output {port.name!r} was not written")
            continue
        found.append((port, path, _identify(port, path, where)))
    return found


def publish(
    found: Found, fingerprint: str, stores: EngineStores, cache: BlobCache | None
) -> tuple[OutputReference, ...]:
    """Store the contents of verified outputs.

    :param cache: of the host, that their files move into; ``None``: they stay where they are.
    :raises StoreError: and its kinds, of the datastores.
    """
    for port, path, content in found:
        stores.contents(_spelling(port)).publish(path, content)
    references = tuple(_reference(port, path, content, fingerprint, stores) for port, path, content in found)
    if cache is not None:
        for _, path, content in found:
            cache.adopt_all(path, content)
    return references


def _is_absent(port: OutputPort, path: Path) -> bool:
    """An optional folder was made for the program; it counts as written when something is in it."""
    if port.kind == "folder" and port.data.optional and path.is_dir():
        return not any(path.iterdir())
    return not os.path.lexists(path)


def _missing(port: OutputPort, path: Path, where: str) -> OutputMissingError:
    beside = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
    if port.kind == "folder":
        what, fix = "the program removed its output folder", "leave the folder there; an empty one is an output, too"
    elif beside:
        what = f"the program did not write this file; beside it there is: {', '.join(beside[:10])}"
        fix = f"write to exactly this path, or say PipelineData(filename={beside[0]!r})"
    else:
        what, fix = "the program did not write this file", "write it, or declare PipelineData(optional=True)"
    return OutputMissingError(what, where=where, given=str(path), fix=fix)


def _identify(port: OutputPort, path: Path, where: str) -> LocalContent:
    if path.is_symlink():
        raise OutputInvalidError(
            "the output is a link", where=where, given=os.readlink(path), fix="write a file or folder of its own"
        )
    is_folder = path.is_dir()
    if is_folder != (port.kind == "folder"):
        there = "a folder" if is_folder else "a file"
        raise OutputInvalidError(
            f"the output is declared as a {port.kind}, and {there} is there",
            where=where,
            given=str(path),
            fix=f"declare PipelineData(kind={'folder' if is_folder else 'file'!r})",
        )
    return identify(path, where)


def identify(path: Path, where: str) -> LocalContent:
    """The content of an output.  :raises OutputInvalidError: for one that no store can hold."""
    try:
        return LocalIndex(None).identify(path)
    except (PathError, InputError, OutputInvalidError) as error:
        raise OutputInvalidError(
            error.what, where=f"{where}: {error.where}", given=error.given, fix=error.fix
        ) from error


def _spelling(port: OutputPort) -> str:
    return port.data.datastore.spelling if port.data.datastore is not None else ""


def _reference(
    port: OutputPort, path: Path, content: LocalContent, fingerprint: str, stores: EngineStores
) -> OutputReference:
    contents = stores.contents(_spelling(port))
    key = blob_key(content.digest) if content.kind == "file" else tree_key(content.digest)
    return OutputReference(
        name=port.name,
        kind=content.kind,
        digest=content.digest,
        identity=identity_of(content, path, port.data.volatile),
        datastore=_spelling(port),
        uri=contents.store.uri(key),
        size=content.size,
        files=content.files,
        filename=port.data.basename if content.kind == "file" else "",
        executable=content.executable,
        fingerprint=fingerprint,
    )

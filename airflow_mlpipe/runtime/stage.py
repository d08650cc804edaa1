"""Stage: everything that a program finds on disk when it starts.

- The code, written from the snapshot's bytes: what was hashed is what runs.
- Inputs from upstream, as links to the host's cache (:mod:`.cache`).
- Local data, as a symbolic link to the original: nothing is copied, and the path ends in the data's own name.  The link
  does not protect the original from the program; that it did not change is checked when the program has ended.
- Objects of a store, downloaded in parallel.
- Outputs: a new, empty folder each; for a file, the folder that it will be in.

Where an input is: a folder of an upstream step at ``inputs/<port>``, everything else at ``inputs/<port>/<name>``;
several at ``inputs/<port>/00000``, ``00001``, ... (a file keeps its suffix: ``00000.csv``).  A glob's matches are
below ``inputs/<port>``, relative to the folder that its fixed part names.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mlpipe.errors import DefinitionError, InputChangedError
from airflow_mlpipe.model.code import CodeSnapshot
from airflow_mlpipe.model.data import DataReference
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import InputPort, OutputPort, StepSpec
from airflow_mlpipe.runtime.cache import THREADS, Blob, BlobCache, make_read_only
from airflow_mlpipe.runtime.layout import Layout, Staged, below
from airflow_mlpipe.runtime.names import (
    data_path,
    input_folder,
    input_path,
    member_name,
    named,
    output_path,
    resource_path,
)
from airflow_mlpipe.runtime.remote import VOLUMES
from airflow_mlpipe.runtime.stores import EngineStores
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.copying import copy_file
from airflow_mlpipe.store.located import LocatedFolder, LocatedObjects, locate


@dataclass(slots=True, kw_only=True)
class Stager:
    """Stages one attempt.

    :param copies: whether local data are copied, for a program that does not see the folders of this host but those
        that are mounted for both.
    :ivar linked: blobs that inputs of this attempt are links to.
    :ivar fetched: bytes that came from a store.
    :ivar originals: local data that inputs are links to.
    """

    layout: Layout
    cache: BlobCache
    stores: EngineStores
    copies: bool = False
    linked: set[Blob] = field(default_factory=set)
    fetched: int = 0
    originals: set[Path] = field(default_factory=set)

    def stage(self, step: StepSpec, snapshot: CodeSnapshot | None) -> Staged:
        """Put everything in place.

        :raises InputError: when data that existed already are gone. :raises StoreError: when contents are.
        :raises DefinitionError: when a resource input has the name of a code file.
        """
        if snapshot is not None:
            self._code(step, snapshot)
        inputs = {p.name: path for p in step.inputs if (path := self._input(p)) is not None}
        for port in step.resource_inputs:
            if (path := self._resource(step, port)) is not None:
                inputs[port.name] = path
        return Staged(inputs=inputs, outputs={port.name: self._output(port) for port in step.outputs})

    def find(self, step: StepSpec) -> Staged:
        """Where things are in the folder of an attempt that was staged by somebody else."""
        for port in (*step.inputs, *step.resource_inputs):
            for reference in port.references:
                self.linked |= self._blobs(reference)
        return Staged(outputs=named(step, self.layout).outputs)

    def _blobs(self, reference: OutputReference) -> set[Blob]:
        if reference.kind == "file":
            return {Blob(reference.digest, reference.size, reference.executable)}
        entries = (entry for _, entry in self.stores.contents(reference.datastore).walk(reference.digest))
        return {Blob(e.digest, e.size, e.executable) for e in entries if e.kind == "file"}

    def check_unchanged(self, where: str) -> None:
        """Nobody wrote to the inputs from upstream.  What was written to is dropped from the cache.

        :raises InputChangedError: when somebody did.
        """
        changed = [b for b in self.linked if not self.cache.is_whole(b) and os.path.exists(self.cache.path(b))]
        for blob in changed:
            self.cache.drop(blob)
        if changed:
            raise InputChangedError(
                "an input was written to while the step ran; its result is not published",
                where=where,
                given=sorted(b.digest for b in changed)[:5],
                fix="inputs are read-only: copy what is to be changed to an output",
            )

    def _code(self, step: StepSpec, snapshot: CodeSnapshot) -> None:
        made = {self.layout.code}
        for name, file in snapshot.files.items():
            path = below(self.layout.code, name)
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            entry = step.code is not None and name == step.code.entry and not name.endswith(".py")
            path.write_bytes(file.data)
            if file.executable or entry:  # an entry is there to be executed, whatever a checkout did to its mode
                path.chmod(0o755)

    def _output(self, port: OutputPort) -> Path:
        below(self.layout.root / "outputs", port.name).mkdir(mode=0o755)
        return output_path(port, self.layout)

    def _input(self, port: InputPort) -> Path | None:
        folder = input_folder(port, self.layout)
        if port.data is not None:
            folder.mkdir()
            staged = self._data(port.data, folder)
            make_read_only([str(folder)])
            return staged
        if port.many:
            folder.mkdir()
            for number, reference in enumerate(port.references):
                self._reference(reference, folder / member_name(number, reference))
            make_read_only([str(folder)])
            return folder
        path = input_path(port, self.layout)
        if path is None:
            return None
        if path == folder:
            return self._reference(port.references[0], folder)
        folder.mkdir()
        self._reference(port.references[0], path)
        make_read_only([str(folder)])
        return path

    def _resource(self, step: StepSpec, port: InputPort) -> Path | None:
        if port.data is not None:
            return self._data(port.data, self.layout.code)
        path = resource_path(port, self.layout)
        if path is None:
            return None
        if os.path.lexists(path):
            raise DefinitionError(
                "a resource input has the name of a code file",
                where=step.label,
                given=path.name,
                fix="rename one of them",
            )
        if not port.many:
            return self._reference(port.references[0], path)
        path.mkdir()
        for number, reference in enumerate(port.references):
            self._reference(reference, path / f"{number:05d}")
        return path

    def _reference(self, reference: OutputReference, target: Path) -> Path:
        contents = self.stores.contents(reference.datastore)
        if reference.kind == "file":
            blob = Blob(reference.digest, reference.size, reference.executable)
            self._links(contents, [(str(target), blob)])
            return target
        folders, files = [str(target)], []
        for path, entry in contents.walk(reference.digest):
            if entry.kind == "folder":
                folders.append(f"{target}/{path}")
            else:
                files.append((f"{target}/{path}", Blob(entry.digest, entry.size, entry.executable)))
        for folder in folders:
            os.mkdir(folder)
        self._links(contents, files)
        make_read_only(folders)
        return target

    def _links(self, contents: Contents, files: list[tuple[str, Blob]]) -> None:
        blobs = {blob for _, blob in files}
        self.fetched += self.cache.fill(contents, blobs)
        self.linked |= blobs
        for path, blob in files:
            try:
                self.cache.link(blob, path)
            except FileNotFoundError:  # somebody tidied the cache just now
                self.fetched += self.cache.fill(contents, [blob])
                self.cache.link(blob, path)

    def _data(self, data: DataReference, folder: Path) -> Path:
        found = locate(data, self.stores)
        if isinstance(found, LocatedObjects):
            return self._download(found, data, folder)
        if self.copies and VOLUMES not in found.path.parents:
            return _copy(found, data, folder)
        self.originals.add(Path(os.path.realpath(found.path)))
        return _symlink(found, data_path(data, folder) if self.copies else folder / (found.path.name or "data"), folder)

    def _download(self, found: LocatedObjects, data: DataReference, folder: Path) -> Path:
        top = data_path(data, folder)
        if found.kind == "file":
            found.store.download(found.root, top)
            self.fetched += found.objects[0].size
            return top
        start = len(found.root) + 1 if found.root else 0
        targets = [(info.key, below(top, info.key[start:])) for info in found.objects]
        for parent in {target.parent for _, target in targets}:
            parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(THREADS, "mlpipe-download") as pool:
            try:
                for done in [pool.submit(found.store.download, key, target) for key, target in targets]:
                    done.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        self.fetched += sum(info.size for info in found.objects)
        return top


def _symlink(found: LocatedFolder, target: Path, folder: Path) -> Path:
    original = Path(os.path.realpath(found.path))
    if found.matches is None:
        if os.path.lexists(target):
            raise DefinitionError("two things are to be staged under one name", where=str(folder), given=target.name)
        target.symlink_to(original)
        return target
    for match in found.matches:
        target = below(folder, match)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(original / match)
    return folder


def _copy(found: LocatedFolder, data: DataReference, folder: Path) -> Path:
    top = data_path(data, folder)
    if os.path.lexists(top) and found.matches is None:
        raise DefinitionError("two things are to be staged under one name", where=str(folder), given=top.name)
    if found.kind == "file":
        _copy_file(found.path, top)
    elif found.matches is None:
        shutil.copytree(found.path, top, copy_function=_copy_file)
    for match in found.matches or ():
        target = below(top, match)
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(found.path / match, target)
    return top


def _copy_file(source: str | Path, target: str | Path) -> None:
    copy_file(Path(source), Path(target))
    if os.access(source, os.X_OK):
        os.chmod(target, 0o755)  # noqa: S103 - as the code's programs have it

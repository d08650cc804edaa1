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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from airflow_mlpipe.errors import DefinitionError, InputChangedError
from airflow_mlpipe.model.code import CodeSnapshot
from airflow_mlpipe.model.data import DataReference
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import InputPort, StepSpec
from airflow_mlpipe.runtime.cache import THREADS, Blob, BlobCache, make_read_only
from airflow_mlpipe.runtime.layout import Layout, Staged, below
from airflow_mlpipe.runtime.stores import EngineStores
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.located import LocatedFolder, LocatedObjects, locate


@dataclass(slots=True, kw_only=True)
class Stager:
    """Stages one attempt.

    :ivar linked: blobs that inputs of this attempt are links to.
    :ivar fetched: bytes that came from a store.
    :ivar originals: local data that inputs are links to.
    """

    layout: Layout
    cache: BlobCache
    stores: EngineStores
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
        return Staged(
            inputs=inputs, outputs={o.name: self._output(o.name, o.kind, o.data.basename) for o in step.outputs}
        )

    def find(self, step: StepSpec) -> Staged:
        """Where things are in the folder of an attempt that was staged by somebody else."""
        for port in (*step.inputs, *step.resource_inputs):
            for reference in port.references:
                self.linked |= self._blobs(reference)
        outputs = {o.name: self._output_path(o.name, o.kind, o.data.basename) for o in step.outputs}
        return Staged(inputs={}, outputs=outputs)

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

    def _output(self, name: str, kind: str, basename: str) -> Path:
        below(self.layout.root / "outputs", name).mkdir(mode=0o755)
        return self._output_path(name, kind, basename)

    def _output_path(self, name: str, kind: str, basename: str) -> Path:
        folder = below(self.layout.root / "outputs", name)
        return folder if kind == "folder" else below(folder, basename)

    def _input(self, port: InputPort) -> Path | None:
        folder = below(self.layout.root / "inputs", port.name)
        if port.data is not None:
            folder.mkdir()
            path = self._data(port.data, folder)
            make_read_only([str(folder)])
            return path
        if port.many:
            folder.mkdir()
            for number, reference in enumerate(port.references):
                suffix = "".join(PurePosixPath(reference.filename).suffixes) if reference.kind == "file" else ""
                self._reference(reference, folder / f"{number:05d}{suffix}")
            make_read_only([str(folder)])
            return folder
        if not port.references:
            return None
        return self._one(port.references[0], folder)

    def _one(self, reference: OutputReference, folder: Path) -> Path:
        if reference.kind == "folder":
            self._reference(reference, folder)
            return folder
        folder.mkdir()
        path = below(folder, reference.filename or reference.name)
        self._reference(reference, path)
        make_read_only([str(folder)])
        return path

    def _resource(self, step: StepSpec, port: InputPort) -> Path | None:
        """A resource input lies with the code: a file under its own name, a folder (or several) under the port's."""
        code = self.layout.code
        if port.data is not None:
            path = self._data(port.data, code)
        elif not port.references:
            return None
        else:
            one = port.references[0]
            name = one.filename or one.name if one.kind == "file" and not port.many else port.name
            path = below(code, name)
            if os.path.lexists(path):
                raise DefinitionError(
                    "a resource input has the name of a code file",
                    where=step.label,
                    given=name,
                    fix="rename one of them",
                )
            if port.many:
                path.mkdir()
                for number, reference in enumerate(port.references):
                    self._reference(reference, path / f"{number:05d}")
            else:
                self._reference(one, path)
        return path

    def _reference(self, reference: OutputReference, target: Path) -> None:
        contents = self.stores.contents(reference.datastore)
        if reference.kind == "file":
            blob = Blob(reference.digest, reference.size, reference.executable)
            self._links(contents, [(str(target), blob)])
            return
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
        self.originals.add(Path(os.path.realpath(found.path)))
        return _symlink(found, folder)

    def _download(self, found: LocatedObjects, data: DataReference, folder: Path) -> Path:
        name = PurePosixPath(found.root).name or data.name
        if found.kind == "file":
            target = below(folder, name)
            found.store.download(found.root, target)
            self.fetched += found.objects[0].size
            return target
        top = folder if data.is_glob else below(folder, name)
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


def _symlink(found: LocatedFolder, folder: Path) -> Path:
    original = Path(os.path.realpath(found.path))
    if found.matches is None:
        target = folder / (found.path.name or "data")
        if os.path.lexists(target):
            raise DefinitionError("two things are to be staged under one name", where=str(folder), given=target.name)
        target.symlink_to(original)
        return target
    for match in found.matches:
        target = below(folder, match)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(original / match)
    return folder

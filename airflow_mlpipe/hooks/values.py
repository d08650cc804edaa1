"""Values of this deployment's workspace, for code that runs in an Airflow worker: write one, read one by its reference.

Only contents of the workspace, or of a datastore that the deployment names, are read, by their digest: the URI in a
reference is for people, and a datastore that the reference itself spells out is refused.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from airflow_mlpipe.errors import InputError, ObjectNotFoundError
from airflow_mlpipe.fingerprint.digest import blob_key, tree_key
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.fingerprint.tree import TreeEntry
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.reference import OutputReference, inline_value, is_inline_value, is_reference
from airflow_mlpipe.runtime.cache import Blob, BlobCache
from airflow_mlpipe.runtime.described import described
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.values.annotations import wanted
from airflow_mlpipe.values.load import load_value
from airflow_mlpipe.values.materializer import Saved
from airflow_mlpipe.values.save import MEMBERS, PATH, STRUCTURE, Inline, save_value
from airflow_mlpipe.values.structure import decode


def load(value: Any, form: Any = Any) -> Any:
    """The value that a reference stands for.

    :param value: what a step pushed to XCom: a reference, or a small value, which is returned as it is.
    :param form: the type that is wanted (``pl.LazyFrame``, ``np.ndarray``, ``Path`` ...); by default what was saved.
    :raises InputError: for a reference to data elsewhere, and for data that are gone (naming the run that made them).
    :raises StepError: when the value has no such form.
    """
    if is_inline_value(value):
        return decode(value["value"], form, load)
    if not is_reference(value):
        return value
    reference = _own(value)
    saved = Saved(
        type=reference.type,
        format=reference.format,
        name=reference.filename,
        kind=reference.kind,
        details=reference.details,
    )
    return load_value(_found(reference, Stores(), form), saved, form)


def _own(value: Any) -> OutputReference:
    """A reference to data of this deployment.  :raises InputError: for one to data elsewhere."""
    reference = OutputReference.from_json(value)
    if "=" in reference.datastore:
        raise InputError(
            "a reference to data outside of this deployment is refused",
            where="load",
            given=reference.datastore,
            valid="the workspace, and datastores that a connection or [mlpipe] datastores names",
        )
    return reference


def document_of(value: Any) -> Any:
    """The structured JSON of a value that was saved as such.

    :param value: what XCom carries: a reference to a value of format ``json/1`` or ``structure/1``, or a small value.
    :raises InputError: as :func:`load`.
    """
    if is_inline_value(value):
        return value["value"]
    reference = _own(value)
    contents = Stores().contents(reference.datastore)
    with _told(reference):
        digest = reference.digest
        if reference.format == STRUCTURE:
            digest = _entry(contents, reference, MEMBERS).digest
        return json.loads(contents.read_bytes(digest))


def member_of(value: Any, leaf: Mapping[str, Any]) -> OutputReference:
    """A reference to one of the files or folders of a value of format ``structure/1``.

    :param value: the reference to the whole. :param leaf: what its document says of the member.
    :raises InputError: as :func:`load`, and when there is no such member.
    """
    whole, saved = _own(value), Saved.from_json(leaf)
    contents = Stores().contents(whole.datastore)
    with _told(whole):
        entry = _entry(contents, whole, saved.name)
    key = blob_key(entry.digest) if entry.kind == "file" else tree_key(entry.digest)
    member = replace(
        whole,
        kind=entry.kind,
        digest=entry.digest,
        identity=entry.digest,
        uri=contents.store.uri(key),
        size=entry.size,
        files=entry.files,
        executable=entry.executable,
    )
    return described(member, replace(saved, name=PurePosixPath(saved.name).name))


def _entry(contents: Contents, whole: OutputReference, path: str) -> TreeEntry:
    digest, entry = whole.digest, None
    for name in PurePosixPath(path).parts:
        entry = contents.tree(digest).entry(name)
        if entry is None:
            break
        digest = entry.digest
    if entry is None:
        raise InputError("the value has no such member", where=whole.uri, given=path)
    return entry


def load_any(value: Any) -> Any:
    """A value for a task that is no step: typed references in it are read, references to files and folders stay."""
    if is_inline_value(value) or (is_reference(value) and value.get("format")):
        return load(value)
    if isinstance(value, Mapping):
        return {name: load_any(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        members = [load_any(member) for member in value]
        return tuple(members) if isinstance(value, tuple) else members
    return value


def _found(reference: OutputReference, stores: Stores, form: Any) -> Path:
    """The file or folder of a value, for who reads it in a form.

    The workspace's own file will do where nobody is given its path, and where a copy buys nothing because the cache is
    on the same disk.
    """
    if reference.kind == "file" and reference.format not in ("", PATH) and not wanted(form).path:
        folder = stores.settings.cache.absolute()
        blob = Blob(reference.digest, reference.size, reference.executable)
        if not BlobCache(folder / "blobs").is_whole(blob):
            own = stores.contents(reference.datastore).file(reference.digest, reference.size)
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                if own is not None and own.stat().st_dev == folder.stat().st_dev:
                    return own
    return _staged(reference, stores)


def _staged(reference: OutputReference, stores: Stores) -> Path:
    """The file or folder in this host's cache: read-only, and kept by its digest."""
    cache = BlobCache(stores.settings.cache.absolute() / "blobs")
    contents = stores.contents(reference.datastore)
    with _told(reference):
        if reference.kind == "file":
            blob = Blob(reference.digest, reference.size, reference.executable)
            cache.fill(contents, [blob])
            return Path(cache.path(blob))
        folder = stores.settings.cache.absolute() / "folders" / reference.digest.replace(":", "_")
        if not (folder / ".complete").exists():
            _fill(folder, reference, cache, contents)
        return folder / "value"


@contextlib.contextmanager
def _told(reference: OutputReference) -> Iterator[None]:
    """Data that are gone are an error that says who made them."""
    try:
        yield
    except ObjectNotFoundError as error:
        made = f"{reference.dag_id}/{reference.run_id}/{reference.task_id}"
        raise InputError(
            "the data of this value are gone",
            where=reference.uri,
            given=f"made by {made}" if reference.run_id else None,
            fix="run the task that made them again",
        ) from error


def _fill(folder: Path, reference: OutputReference, cache: BlobCache, contents: Any) -> None:
    files: list[tuple[Path, Blob]] = []
    top = folder / "value"
    top.mkdir(parents=True, exist_ok=True)
    for path, entry in contents.walk(reference.digest):
        if entry.kind == "folder":
            (top / path).mkdir(exist_ok=True)
        else:
            files.append((top / path, Blob(entry.digest, entry.size, entry.executable)))
    cache.fill(contents, {blob for _, blob in files})
    for path, blob in files:
        path.unlink(missing_ok=True)
        cache.link(blob, str(path))
    (folder / ".complete").touch()


MASK = "***"
_KEEP: ContextVar[bool] = ContextVar("mlpipe_keep_references", default=False)


@contextlib.contextmanager
def as_references() -> Iterator[None]:
    """While a step of ours looks at its arguments, the XCom backend gives it references and reads no value."""
    token = _KEEP.set(True)
    try:
        yield
    finally:
        _KEEP.reset(token)


def keeps_references() -> bool:
    """Whether :func:`as_references` is in force."""
    return _KEEP.get()


def save(value: Any, *, name: str = "value", who: Producer | None = None) -> Any:
    """Write a value into the workspace, once for equal values, and return what stands for it in XCom.

    :param name: the XCom key. :param who: the task instance that has it, so that gc keeps it as long as its run; what
        nobody is named for lives for gc's grace time only.
    :returns: the JSON of a reference, or of a small value.
    :raises UnsupportedValueError: for a type that has no form. :raises StepError: for a value that has none.
    """
    stores = Stores()
    scratch = stores.settings.cache.absolute() / "new"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        saved = save_value(value, Path(folder))
        if isinstance(saved, Inline):
            return saved.document if saved.plain else inline_value(saved.document)
        reference = _published(saved, Path(folder) / saved.name, name, who, stores)
    if who is not None:
        stores.workspace.values.put(who, name, reference)
    return reference.to_json()


def _published(saved: Saved, path: Path, name: str, who: Producer | None, stores: Stores) -> OutputReference:
    content = LocalIndex(None).identify(path)
    contents = stores.workspace.contents
    # A file that its task named may still be open there, or have other names.
    if saved.format == PATH or not contents.take(path, content):
        contents.publish(path, content)
        BlobCache(stores.settings.cache.absolute() / "blobs").adopt_all(path, content)
    key = blob_key(content.digest) if content.kind == "file" else tree_key(content.digest)
    reference = OutputReference(
        name=name,
        kind=content.kind,
        digest=content.digest,
        identity=content.digest,
        datastore="",
        uri=contents.store.uri(key),
        size=content.size,
        files=content.files,
        dag_id=who.dag_id if who else "",
        task_id=who.task_id if who else "",
        run_id=who.run_id if who else "",
    )
    return described(reference, replace(saved, preview=shown(saved.preview)))


def shown(preview: Mapping[str, Any]) -> Mapping[str, Any]:
    """A preview as people may see it: Airflow hides what it knows as a secret, by value and by name."""
    if not preview:
        return preview
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    hidden = redact(dict(preview))
    if not isinstance(hidden, Mapping):
        return {}
    columns, head = hidden.get("columns"), hidden.get("head")
    if not isinstance(columns, Mapping) or not isinstance(head, Sequence):
        return hidden
    secret = [redact("any text", name) != "any text" for name in columns]
    rows = [[MASK if hide else cell for cell, hide in zip(row, secret, strict=False)] for row in head]
    return {**hidden, "head": rows}

"""Values of this deployment's workspace, for code that runs in an Airflow worker: write one, read one by its reference.

Only contents of the workspace, or of a datastore that the deployment names, are read, by their digest: the URI in a
reference is for people, and a datastore that the reference itself spells out is refused.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import InputError, ObjectNotFoundError
from airflow_mlpipe.fingerprint.digest import blob_key, tree_key
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.reference import OutputReference, inline_value, is_inline_value, is_reference
from airflow_mlpipe.runtime.cache import Blob, BlobCache
from airflow_mlpipe.runtime.function import described
from airflow_mlpipe.runtime.publish import adopt
from airflow_mlpipe.values.load import load_value
from airflow_mlpipe.values.materializer import Saved
from airflow_mlpipe.values.pickled import FORMAT as PICKLE
from airflow_mlpipe.values.pickled import check_allowed
from airflow_mlpipe.values.save import Inline, save_value
from airflow_mlpipe.values.structure import decode


def load(value: Any, form: Any = Any) -> Any:
    """The value that a reference stands for.

    :param value: what a step pushed to XCom: a reference, or a small value, which is returned as it is.
    :param form: the type that is wanted (``pl.LazyFrame``, ``np.ndarray``, ``Path`` ...); by default what was saved.
    :raises InputError: for a reference to data elsewhere, and for data that are gone (naming the run that made them).
    :raises StepError: when the value has no such form. :raises ConfigurationError: for a pickle, which is not even
        fetched, where ``[mlpipe] allow_pickle`` is off.
    """
    if is_inline_value(value):
        return decode(value["value"], form, _no_leaf)
    if not is_reference(value):
        return value
    reference = OutputReference.from_json(value)
    if "=" in reference.datastore:
        raise InputError(
            "a reference to data outside of this deployment is refused",
            where="load",
            given=reference.datastore,
            valid="the workspace, and datastores that a connection or [mlpipe] datastores names",
        )
    saved = Saved(
        type=reference.type,
        format=reference.format,
        name=reference.filename,
        kind=reference.kind,
        details=reference.details,
    )
    stores = Stores()
    allow_pickle = stores.settings.allow_pickle
    if saved.format == PICKLE:
        check_allowed(allow_pickle, "read", where=f"value made by {_maker(reference)}")
    return load_value(_staged(reference, stores), saved, form, allow_pickle=allow_pickle)


def load_any(value: Any) -> Any:
    """A value for a task that is no step: typed references in it are read, references to files and folders stay."""
    if is_inline_value(value) or (is_reference(value) and value.get("format")):
        return load(value)
    if isinstance(value, Mapping):
        return {name: load_any(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [load_any(member) for member in value]
    return value


def _no_leaf(document: Mapping[str, Any], form: Any) -> Any:
    raise InputError("a small value holds no data", given=dict(document))


def _staged(reference: OutputReference, stores: Stores) -> Path:
    """The file or folder in this host's cache: read-only, and kept by its digest."""
    cache = BlobCache(stores.settings.cache.absolute() / "blobs")
    contents = stores.contents(reference.datastore)
    try:
        if reference.kind == "file":
            blob = Blob(reference.digest, reference.size, reference.executable)
            cache.fill(contents, [blob])
            return Path(cache.path(blob))
        folder = stores.settings.cache.absolute() / "folders" / reference.digest.replace(":", "_")
        if not (folder / ".complete").exists():
            _fill(folder, reference, cache, contents)
        return folder / "value"
    except ObjectNotFoundError as error:
        raise InputError(
            "the data of this value are gone",
            where=reference.uri,
            given=f"made by {_maker(reference)}" if reference.run_id else None,
            fix="run the task that made them again",
        ) from error


def _maker(reference: OutputReference) -> str:
    return f"{reference.dag_id}/{reference.run_id}/{reference.task_id}"


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
    :raises ConfigurationError: for a ``Pickle`` where ``[mlpipe] allow_pickle`` is off.
    """
    stores = Stores()
    scratch = stores.settings.cache.absolute() / "new"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        saved = save_value(value, Path(folder), allow_pickle=stores.settings.allow_pickle)
        if isinstance(saved, Inline):
            return saved.document if saved.plain else inline_value(saved.document)
        reference = _published(saved, Path(folder) / saved.name, name, who, stores)
    if who is not None:
        stores.workspace.values.put(who, name, reference)
    return reference.to_json()


def _published(saved: Saved, path: Path, name: str, who: Producer | None, stores: Stores) -> OutputReference:
    content = LocalIndex(None).identify(path)
    contents = stores.workspace.contents
    contents.publish(path, content)
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
    adopt(path, content, BlobCache(stores.settings.cache.absolute() / "blobs"))
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

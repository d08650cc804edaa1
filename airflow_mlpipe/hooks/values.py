"""Values of this deployment's workspace, for code that runs in an Airflow worker: write one, read one by its reference.

Only contents of the workspace, or of a datastore that the deployment names, are read, by their digest: the URI in a
reference is for people, and a datastore that the reference itself spells out is refused.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_mlpipe.fingerprint.digest import blob_key, tree_key
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.hooks.previews import shown
from airflow_mlpipe.hooks.staged import staged
from airflow_mlpipe.hooks.trusted import checked
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.reference import AIRFLOW, XCOM, OutputReference, inline_value, is_inline_value, is_reference
from airflow_mlpipe.model.row import fits, fitted
from airflow_mlpipe.runtime.cache import Blob, BlobCache
from airflow_mlpipe.runtime.described import described
from airflow_mlpipe.runtime.tidy import NEW
from airflow_mlpipe.values.annotations import wanted
from airflow_mlpipe.values.glimpse import glimpse
from airflow_mlpipe.values.load import load_value
from airflow_mlpipe.values.materializer import JSON, PATH, Saved
from airflow_mlpipe.values.pickled import FORMAT as PICKLE
from airflow_mlpipe.values.pickled import check_allowed
from airflow_mlpipe.values.registry import describe
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
        return decode(value["value"], form, load)
    if not is_reference(value):
        return value
    stores = Stores()
    reference = checked(OutputReference.from_json(value), where="load")
    if reference.format == AIRFLOW:
        from airflow.sdk.serde import deserialize

        return deserialize(_read(reference, stores))
    if reference.format == XCOM:
        inner = _read(reference, stores)
        return load(inner, form) if is_reference(inner) else load_any(inner)
    saved = Saved(
        type=reference.type,
        format=reference.format,
        name=reference.filename,
        kind=reference.kind,
        details=reference.details,
        length=reference.length,
    )
    allow_pickle = stores.settings.allow_pickle
    if saved.format == PICKLE:
        made = f"{reference.dag_id}/{reference.run_id}/{reference.task_id}"
        check_allowed(allow_pickle, "read", where=f"value made by {made}")
    return load_value(_found(reference, stores, form), saved, form, allow_pickle=allow_pickle)


def load_any(value: Any) -> Any:
    """A value for a task that is no step: typed references in it are read, references to files and folders stay."""
    if is_inline_value(value) or (is_reference(value) and value.get("format")):
        return load(value)
    if type(value) is dict:
        return {name: load_any(member) for name, member in value.items()}
    if type(value) in (list, tuple):
        return type(value)(load_any(member) for member in value)
    return value


def expanded(value: Any) -> Any:
    """What XCom holds of a value, also where it was too long for that: references, small values, Airflow's objects."""
    if not is_reference(value) or value.get("format") not in (XCOM, AIRFLOW):
        return value
    if value["format"] == AIRFLOW:
        return load(value)
    return _read(checked(OutputReference.from_json(value), where="XCom"), Stores())


def _found(reference: OutputReference, stores: Stores, form: Any) -> Path:
    """The file or folder of a value, for who reads it in a form.

    The workspace's own file will do where nobody is given its path, and where a copy buys nothing because the cache is
    on the same disk.
    """
    named = reference.format in ("", PATH)
    if reference.kind == "file" and not named and not wanted(form).path:
        folder = stores.settings.cache.absolute()
        blob = Blob(reference.digest, reference.size, reference.executable)
        if not BlobCache(folder / "blobs").is_whole(blob):
            own = stores.contents(reference.datastore).file(reference.digest, reference.size)
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                if own is not None and own.stat().st_dev == folder.stat().st_dev:
                    return own
    return staged(reference, stores, named=named)


def _read(reference: OutputReference, stores: Stores) -> Any:
    """What was kept by :func:`keep`."""
    text = staged(reference, stores, named=False).read_text(encoding="utf-8")
    return json.loads(text)


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
    :returns: the JSON of a reference, or of a small value; it fits into a row of XCom.
    :raises UnsupportedValueError: for a type that has no form. :raises StepError: for a value that has none.
    :raises ConfigurationError: for a ``Pickle`` where ``[mlpipe] allow_pickle`` is off.
    """
    stores = Stores()
    scratch = stores.settings.cache.absolute() / NEW
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        saved = save_value(value, Path(folder), allow_pickle=stores.settings.allow_pickle)
        if isinstance(saved, Inline):
            return saved.document if saved.plain else inline_value(saved.document)
        reference = _published(saved, Path(folder) / saved.name, name, who, stores)
    references = [reference]
    if not fits(reference):
        references.append(keep(reference.to_json(), like=reference, stores=stores))
    if who is not None:
        stores.workspace.values.put(who, name, references)
    return references[-1].to_json()


def save_serialized(serialized: Any, value: Any, *, name: str, who: Producer | None) -> Any:
    """As :func:`save`, in the form that Airflow's own backend made of a value whose classes only that gives back."""
    stores = Stores()
    like = _reference(name, who, type=describe(value), preview=shown(glimpse(value)))
    reference = keep(serialized, like=like, stores=stores, form=AIRFLOW)
    if who is not None:
        stores.workspace.values.put(who, name, [reference])
    return reference.to_json()


def save_json(document: Any) -> Any:
    """Write structured JSON into the workspace, as a program that takes a plain value finds it.

    :returns: the JSON of a reference to a file ``value.json``; gc takes it when its grace time is over.
    """
    stores = Stores()
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    digest = stores.workspace.contents.put_bytes(data)
    return OutputReference(
        name="value",
        kind="file",
        digest=digest,
        identity=digest,
        datastore="",
        uri=stores.workspace.contents.store.uri(blob_key(digest)),
        size=len(data),
        files=1,
        filename="value.json",
        type=describe(document),
        format=JSON,
    ).to_json()


def keep(document: Any, *, like: OutputReference, stores: Stores, form: str = XCOM) -> OutputReference:
    """Write what XCom would hold, and does not because it is too long, into the workspace.

    :param document: JSON with references. :param like: a reference that says what it is, and who made it.
    :returns: a reference that :func:`load` and :func:`expanded` read.
    """
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    contents = stores.workspace.contents
    digest = contents.put_bytes(data)
    return fitted(
        replace(
            like,
            kind="file",
            digest=digest,
            identity=digest,
            datastore="",
            uri=contents.store.uri(blob_key(digest)),
            size=len(data),
            files=1,
            filename="xcom.json",
            executable=False,
            format=form,
            details={},
        )
    )


def _published(saved: Saved, path: Path, name: str, who: Producer | None, stores: Stores) -> OutputReference:
    content = LocalIndex(None).identify(path)
    contents = stores.workspace.contents
    # A file that its task named may still be open there, or have other names.
    if saved.format == PATH or not contents.take(path, content):
        contents.publish(path, content)
        BlobCache(stores.settings.cache.absolute() / "blobs").adopt_all(path, content)
    key = blob_key(content.digest) if content.kind == "file" else tree_key(content.digest)
    reference = replace(
        _reference(name, who),
        kind=content.kind,
        digest=content.digest,
        identity=content.digest,
        uri=contents.store.uri(key),
        size=content.size,
        files=content.files,
        executable=content.executable,
    )
    return fitted(described(reference, replace(saved, preview=shown(saved.preview))))


def _reference(name: str, who: Producer | None, **known: Any) -> OutputReference:
    """A reference to nothing yet, that says whose it is."""
    return OutputReference(
        name=name,
        kind="file",
        digest="",
        identity="",
        datastore="",
        uri="",
        size=0,
        files=1,
        dag_id=who.dag_id if who else "",
        task_id=who.task_id if who else "",
        run_id=who.run_id if who else "",
        **known,
    )

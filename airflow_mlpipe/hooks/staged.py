"""A value's file or folder on this host, read-only, made once for each digest and for whoever asks for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

from airflow_mlpipe.errors import InputError, ObjectNotFoundError
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.runtime.cache import Blob, BlobCache, make_read_only
from airflow_mlpipe.runtime.layout import below, remove
from airflow_mlpipe.runtime.tidy import VALUES
from airflow_mlpipe.store.contents import Contents


def staged(reference: OutputReference, stores: Stores, *, named: bool) -> Path:
    """The file or folder, in this host's cache.

    :param reference: one that was :func:`~airflow_mlpipe.hooks.trusted.checked`.
    :param named: whether the path must end in the file's own name; a blob of the cache has none.
    :raises InputError: when the contents are gone, naming the run that made them.
    """
    if reference.path is not None:
        raise InputError(
            "these data lie as plain files, and are not fetched here",
            where=reference.uri,
            fix="take them as an input of a step, or read them where they are",
        )
    cache = stores.settings.cache.absolute()
    blobs, contents = BlobCache(cache / "blobs"), stores.contents(reference.datastore)
    name = reference.digest.replace(":", "_")
    with told(reference):
        if reference.kind == "folder":
            return (
                _made(cache / VALUES / name, lambda new: _folder(new / "value", reference, blobs, contents)) / "value"
            )
        blob = Blob(reference.digest, reference.size, reference.executable)
        blobs.fill(contents, [blob])
        if not named or not reference.filename:
            return Path(blobs.path(blob))
        name += f"{'.x' if blob.executable else ''}-{digest_bytes(reference.filename.encode())[-16:]}"
        file = reference.filename
        return _made(cache / VALUES / name, lambda new: blobs.link(blob, str(new / file))) / file


@contextlib.contextmanager
def told(reference: OutputReference) -> Iterator[None]:
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


def _made(folder: Path, fill: Callable[[Path], None]) -> Path:
    """The folder, complete: it gets its name when all is in it, and of two that make it at once one is kept."""
    if folder.exists():
        with contextlib.suppress(OSError):
            os.utime(folder)  # for tidy: it was used
        return folder
    new = folder.with_name(f"{token_hex(8)}.new")
    new.mkdir(parents=True)
    try:
        fill(new)
        make_read_only([str(new)])
        new.rename(folder)
    except BaseException as error:
        remove(new)
        if not isinstance(error, OSError) or not folder.exists():
            raise
    return folder


def _folder(top: Path, reference: OutputReference, cache: BlobCache, contents: Contents) -> None:
    folders, files = [top], []
    for path, entry in contents.walk(reference.digest):
        if entry.kind == "folder":
            folders.append(below(top, path))
        else:
            files.append((below(top, path), Blob(entry.digest, entry.size, entry.executable)))
    cache.fill(contents, {blob for _, blob in files})
    for folder in folders:
        folder.mkdir()
    for file, blob in files:
        cache.link(blob, str(file))
    make_read_only(map(str, folders))

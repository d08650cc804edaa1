"""Parts of a value that was saved as structured JSON with files beside it, without the rest of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from airflow_mlpipe.errors import InputError
from airflow_mlpipe.fingerprint.digest import blob_key, tree_key
from airflow_mlpipe.fingerprint.tree import TreeEntry
from airflow_mlpipe.hooks.staged import told
from airflow_mlpipe.hooks.trusted import checked
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.reference import OutputReference, is_inline_value
from airflow_mlpipe.runtime.described import described
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.values.materializer import STRUCTURE, Saved
from airflow_mlpipe.values.save import MEMBERS


def document_of(value: Any) -> Any:
    """The structured JSON of a value that was saved as such.

    :param value: what XCom carries: a reference to a value of format ``json/1`` or ``structure/1``, or a small value.
    :raises InputError: as :func:`airflow_mlpipe.load`.
    """
    if is_inline_value(value):
        return value["value"]
    reference = checked(OutputReference.from_json(value), where="load")
    contents = Stores().contents(reference.datastore)
    with told(reference):
        digest = reference.digest
        if reference.format == STRUCTURE:
            digest = _entry(contents, reference, MEMBERS).digest
        return json.loads(contents.read_bytes(digest))


def member_of(value: Any, leaf: Mapping[str, Any]) -> OutputReference:
    """A reference to one of the files or folders of a value of format ``structure/1``.

    :param value: the reference to the whole. :param leaf: what its document says of the member.
    :raises InputError: as :func:`airflow_mlpipe.load`, and when there is no such member.
    """
    whole, saved = checked(OutputReference.from_json(value), where="load"), Saved.from_json(leaf)
    contents = Stores().contents(whole.datastore)
    with told(whole):
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

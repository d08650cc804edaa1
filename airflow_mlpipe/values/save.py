"""Save: a value as a file or folder with the name ``value`` and its format's suffix; a small plain one as JSON.

Which way a value goes: a path is the file or folder that it names; a generator is written batch by batch; a type with a
materializer by that; what is made of plain values, and of those, as JSON, each member with a materializer in a file of
its own beside it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import StepError
from airflow_mlpipe.model.row import INLINE, row_bytes
from airflow_mlpipe.values import registry
from airflow_mlpipe.values.errors import UnsupportedValueError
from airflow_mlpipe.values.glimpse import glimpse
from airflow_mlpipe.values.materializer import (
    DETAILS,
    JSON,
    PATH,
    STRUCTURE,
    Materializer,
    Saved,
    Streams,
    first_of,
    own_form,
)
from airflow_mlpipe.values.members import member_documents
from airflow_mlpipe.values.pickled import FORMAT as PICKLE
from airflow_mlpipe.values.pickled import check_allowed
from airflow_mlpipe.values.structure import encode, is_plain

NAME = "value"
MEMBERS = "value.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """A value so small that its JSON is carried along.  :param plain: whether the JSON is the value itself."""

    document: Any
    plain: bool


def save_value(
    value: Any,
    folder: Path,
    *,
    name: str = NAME,
    path: str = "value",
    allow_pickle: bool = False,
    inline: bool = True,
) -> Saved | Inline:
    """Write a value into a folder.

    :param name: of the file, without suffix. :param path: what the value is called in messages.
    :param allow_pickle: whether the deployment allows that what is in ``Pickle`` is pickled.
    :param inline: whether a small value need not be a file.
    :raises UnsupportedValueError: for a type that has no form. :raises StepError: for a value that has none.
    :raises ConfigurationError: for a ``Pickle`` where pickles are not allowed.
    """
    if isinstance(value, os.PathLike):
        return _save_path(Path(value), folder, path)
    if isinstance(value, Iterator):
        return _save_stream(value, folder, name, path, allow_pickle, inline)
    found = _materializer(value)
    if found is not None:
        if found.format == PICKLE:
            check_allowed(allow_pickle, "written", where=path)
        return _save_with(found, value, folder, name, path)
    return _save_structure(value, folder, name, path, allow_pickle, inline)


def _materializer(value: Any) -> Materializer | None:
    if type(value) is dict and value:
        from airflow_mlpipe.values.formats.tensors import state_dict_names

        return registry.of_format("state_dict/1") if state_dict_names(value) else None
    return registry.of_type(type(value))


def _save_with(found: Materializer, value: Any, folder: Path, name: str, path: str) -> Saved:
    target = folder / f"{name}{found.suffix}"
    try:
        details = found.save(value, target)
    except ValueError as error:
        raise StepError(f"the value cannot be written: {error}", where=path, given=registry.describe(value)) from error
    return Saved(
        type=registry.describe(value),
        format=found.format,
        name=target.name,
        kind="folder" if target.is_dir() else "file",
        details=_json(details or {}, "details", found, path) | _own_form(found, value),
        preview=_json(found.preview(value), "preview", found, path),
    )


def _own_form(found: Materializer, value: Any) -> dict[str, str]:
    form = own_form(found, type(value))
    return {} if form == registry.describe(value) else {"form": form}


def _json(given: Mapping[str, Any], what: str, found: Materializer, path: str) -> dict[str, Any]:
    """What a materializer says of a value: it crosses processes.

    :raises StepError: for what is no JSON, and for details that are data.
    """
    try:
        text = json.dumps(given, allow_nan=False)
    except (TypeError, ValueError) as error:
        where = f"{path}: {type(found).__module__}.{type(found).__qualname__}"
        raise StepError(f"{what} of the materializer are no JSON ({error})", where=where) from error
    if what == "details" and len(text) > DETAILS:
        raise StepError(
            f"the details of the value are {len(text)} bytes of JSON and may be {DETAILS}",
            where=path,
            given=found.format,
            fix="let the materializer write what is long into the file",
        )
    return dict(json.loads(text))


def _save_path(value: Path, folder: Path, path: str) -> Saved:
    if not value.exists():
        fix = "write it before returning its path"
        raise StepError("there is no such file or folder", where=path, given=str(value), fix=fix)
    value = Path(os.path.realpath(value))
    target = folder / value.name
    if Path.cwd() in value.parents or Path(os.environ.get("TMPDIR", "/nowhere")) in value.parents:
        shutil.move(value, target)  # the attempt's own: nobody reads it after this
    elif value.is_dir():
        shutil.copytree(value, target)
    else:
        shutil.copy2(value, target)
    kind = "folder" if target.is_dir() else "file"
    return Saved(type="pathlib.Path", format=PATH, name=target.name, kind=kind, preview={"name": target.name})  # type: ignore[arg-type]


def _save_stream(
    value: Iterator[Any], folder: Path, name: str, path: str, allow_pickle: bool, inline: bool
) -> Saved | Inline:
    first, batches = first_of(value)
    found = None if first is None else _materializer(first)
    if found is None or not isinstance(found, Streams):
        return _save_structure(list(batches), folder, name, path, allow_pickle, inline)
    target = folder / f"{name}{found.suffix}"
    try:
        details = _json(found.save_stream(batches, target), "details", found, path) | _own_form(found, first)
    except ValueError as error:
        raise StepError(f"the batches cannot be written: {error}", where=path) from error
    return Saved(
        type=registry.describe(first),
        format=found.format,
        name=target.name,
        details=details | {"stream": True},
        preview={"batches": details.get("batches"), "first": _json(found.preview(first), "preview", found, path)},
    )


def _save_structure(value: Any, folder: Path, name: str, path: str, allow_pickle: bool, inline: bool) -> Saved | Inline:
    members = folder / name
    count = 0

    def leaf(member: Any, at: str) -> Any | None:
        nonlocal count
        if not isinstance(member, os.PathLike) and _materializer(member) is None:
            return None
        members.mkdir(exist_ok=True)
        into = members
        if isinstance(member, os.PathLike):  # keeps its own name, so it needs a folder of its own
            into = members / f"{count:06d}"
            into.mkdir()
        saved = save_value(member, into, name=f"{count:06d}", path=at, allow_pickle=allow_pickle)
        count += 1
        assert isinstance(saved, Saved)
        return saved.to_json() | {"preview": {}, "name": f"{into.name}/{saved.name}" if into != members else saved.name}

    document = encode(value, leaf, path=path)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if inline and not count and row_bytes(document) <= INLINE:
        return Inline(document=document, plain=is_plain(value))
    common: dict[str, Any] = {"type": registry.describe(value), "preview": glimpse(value)}
    if (documents := member_documents(document)) is not None:
        common["length"] = len(documents)
    if count:
        (members / MEMBERS).write_text(text, encoding="utf-8")
        return Saved(format=STRUCTURE, name=members.name, kind="folder", **common)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return Saved(format=JSON, name=f"{name}.json", **common)


__all__ = ["INLINE", "Inline", "UnsupportedValueError", "save_value"]

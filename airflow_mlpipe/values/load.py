"""Load: a saved value in the form that its consumer's annotation asks for.

Nothing is imported because the data name it: forms are chosen among those that the format's materializer declares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import ConfigurationError, StepError
from airflow_mlpipe.values import registry
from airflow_mlpipe.values.annotations import Wanted, wanted
from airflow_mlpipe.values.materializer import JSON, PATH, STRUCTURE, Materializer, Saved, Streams
from airflow_mlpipe.values.names import type_names
from airflow_mlpipe.values.pickled import FORMAT as PICKLE
from airflow_mlpipe.values.pickled import check_allowed
from airflow_mlpipe.values.save import MEMBERS
from airflow_mlpipe.values.structure import decode

TABLES = (".parquet", ".csv", ".arrow", ".feather")
"""Files of programs that a consumer may take as a table."""


def load_value(
    path: Path, saved: Saved, annotation: Any = Any, *, name: str = "value", allow_pickle: bool = False
) -> Any:
    """Read what :func:`~airflow_mlpipe.values.save.save_value` wrote.

    :param path: of the file or folder. :param annotation: the consumer's. :param name: for messages.
    :param allow_pickle: whether the deployment allows that pickles are read; one is given whatever the annotation is.
    :raises StepError: when the value has no such form. :raises ConfigurationError: when its format is not known here,
        and for a pickle where they are not allowed.
    """
    if saved.format == PICKLE:
        check_allowed(allow_pickle, "read", where=name)
    want = wanted(annotation)
    if want.path or saved.format == PATH or not saved.format:
        return path if want.path or not want.names else _from_file(path, want, name)
    if saved.format == JSON:
        return decode(json.loads(path.read_text(encoding="utf-8")), annotation, _no_leaf)
    if saved.format == STRUCTURE:
        return decode(
            json.loads((path / MEMBERS).read_text(encoding="utf-8")), annotation, members_of(path, name, allow_pickle)
        )
    found = registry.of_format(saved.format)
    if found is None:
        raise ConfigurationError(
            f"no materializer here reads the format of this value, which is of type {saved.type}",
            where=name,
            given=saved.format,
            valid=registry.known_formats(),
            fix=f"install the distribution that has its materializer in the environment of {sys.executable}",
        )
    form = _form(found, saved, want)
    try:
        if isinstance(found, Streams) and (want.stream or (saved.details.get("stream") and not want.names)):
            return found.load_stream(path, form, saved.details)
        value = found.load(path, form, saved.details)
    except ValueError as error:
        raise StepError(f"the value cannot be read: {error}", where=name, given=saved.format) from error
    return value if saved.format == PICKLE else _checked(value, want, found, name)


def members_of(folder: Path, name: str, allow_pickle: bool) -> Callable[[Mapping[str, Any], Any], Any]:
    """Reads the members of a structure."""

    def load(document: Mapping[str, Any], annotation: Any) -> Any:
        saved = Saved.from_json(document)
        target = folder / saved.name
        if folder.resolve() not in target.resolve().parents:
            raise StepError("a member of the value lies outside of it", where=name, given=saved.name)
        return load_value(target, saved, annotation, name=name, allow_pickle=allow_pickle)

    return load


def _no_leaf(document: Mapping[str, Any], annotation: Any) -> Any:
    raise StepError("the value names members, and it has none", given=dict(document))


def _form(found: Materializer, saved: Saved, want: Wanted) -> str:
    own = saved.details.get("form", saved.type)
    return next((name for name in (*want.names, own) if name in found.forms), found.forms[0])


def _checked(value: Any, want: Wanted, found: Materializer, name: str) -> Any:
    """What no form was found for must at least be what the annotation says."""
    if not want.names or any(n in found.forms for n in want.names):
        return value
    if not set(want.names[:1]) & set(type_names(type(value))):
        raise StepError(
            f"a {registry.describe(value)} cannot be given as {want.names[0]}",
            where=name,
            valid=found.forms,
            fix="annotate the parameter as one of these, or convert the value in the function",
        )
    return value


def _from_file(path: Path, want: Wanted, name: str) -> Any:
    """A file that a program wrote, by its suffix."""
    if path.suffix in TABLES:
        from airflow_mlpipe.values.formats.tables import Tables, load_file

        form = next((n for n in want.names if n in Tables.forms), None)
        if form is not None:
            return load_file(path, form)
    if path.suffix == ".npy" and (found := registry.of_format("npy/1")) is not None:
        form = next((n for n in want.names if n in found.forms), None)
        if form is not None:
            return found.load(path, form, {})
    if path.suffix == ".json" and {"builtins.dict", "builtins.list"} & set(want.names):
        return json.loads(path.read_text(encoding="utf-8"))
    raise StepError(
        "this file cannot be given in the annotated form",
        where=name,
        given=path.name,
        valid="tables from .parquet, .csv, .arrow; arrays from .npy; dict and list from .json; Path from anything",
        fix="annotate the parameter as Path and read the file in the function",
    )

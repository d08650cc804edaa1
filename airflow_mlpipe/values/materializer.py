"""The port to a family of types: Materializer, and what is known of a value that it saved.

A third party adds a type with one class of this shape - it need not derive from, or import, anything of ours - and an
entry point of the group ``airflow_mlpipe.materializers``.  What it promises here is tested by
:class:`airflow_mlpipe.testing.MaterializerContract`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from airflow_mlpipe.values.names import type_names

PATH, JSON, STRUCTURE = "path/1", "json/1", "structure/1"
"""Formats that need no materializer: a file or folder as it is, plain values, and plain values with members."""

DETAILS = 64 * 1024
"""Bytes of JSON that details may have: parameters, not data.  Where they are too long for a row of XCom, that refers to
them (``model/row.py``)."""

SMALL_FILE = 1 << 20
"""Bytes up to which a file is read and not mapped: each map holds an open file, and a value may have a thousand
members."""

PREVIEW = 64 * 1024
"""Bytes of JSON that a preview may have.  Airflow's side hides secrets in it, and cuts it to fit into a row."""

PREVIEW_TEXT = 1000
"""Characters of one text in a preview: many, because a secret is known by its whole text."""


class Materializer(Protocol):
    """Writes the values of some types to a file or a folder, and reads them back in the forms that it knows.

    A class with these members; it is made once, without arguments, when a value first needs it, and its module is
    imported then.  It imports its library inside its methods.

    :ivar format: id and version of what it writes, ``"arrow/1"``; a value is read by the materializer of its format, so
        a changed layout is a new version.
    :ivar suffix: of the file (``".arrow"``); empty for a folder.
    :ivar types: names of the types whose values it saves, ``"pandas.DataFrame"``: top-level package and qualified name
        (:func:`~airflow_mlpipe.values.names.type_name`); subclasses of them as well.
    :ivar forms: names of the types that it can give when it loads; ``types`` are among them, unless what was saved
        cannot be had back (a figure comes back as an image).
    """

    format: str
    suffix: str
    types: tuple[str, ...]
    forms: tuple[str, ...]

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write a value to ``path``, which is not there yet.  Equal values give equal bytes.

        :returns: details that :meth:`load` needs besides the bytes; JSON, at most :data:`DETAILS`; may be empty.
        :raises ValueError: for a value of another type, and one that cannot be written exactly, saying which part of it
            and why.
        """
        ...

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read a value.

        :param form: one of ``forms``; the name of the saved type where the consumer asks for no other.
        :param path: it may have another name than it was saved under, and must not be written to.
        :param details: what :meth:`save` returned; data, like the bytes.
        :raises ValueError: for bytes that are none of this format, and for another form.  Never executes code that the
            bytes or the details hold.
        """
        ...

    def preview(self, value: Any) -> Mapping[str, Any]:
        """What a person sees in Airflow's UI: shape, columns, a few values; JSON, soon made, within :data:`PREVIEW`.

        A table says ``columns`` (a dict by name) and ``head`` (rows), so that the cells of a column with a secret's
        name are hidden.  No text is longer than :data:`PREVIEW_TEXT`.
        """
        ...


@runtime_checkable
class Streams(Protocol):
    """What a materializer has, too, whose values can be written and read a batch at a time in bounded memory."""

    def save_stream(self, batches: Iterator[Any], path: Path) -> Mapping[str, Any]:
        """Write batches one after the other; details as :meth:`Materializer.save`, ``{"batches": n}`` among them."""
        ...

    def load_stream(self, path: Path, form: str, details: Mapping[str, Any]) -> Iterator[Any]:
        """Read batch after batch, each in ``form``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A value that lies in a file or folder.

    :param type: name of the type that it had, for people and for consumers that name no form.
    :param format: of its materializer. :param name: of the file or folder, below where it was saved.
    :param details: for :meth:`Materializer.load`; besides, ``stream`` of what was saved batch by batch, and ``form``
        where consumers that ask for none get another than ``type``. :param preview: for people.
    :param length: of a list, tuple or dict, so that a task can be mapped over it.
    """

    type: str
    format: str
    name: str
    kind: Literal["file", "folder"] = "file"
    details: Mapping[str, Any] = field(default_factory=dict)
    preview: Mapping[str, Any] = field(default_factory=dict)
    length: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain members."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Saved:
        """Read :meth:`to_json` back; members that are not known are left out."""
        return cls(**{name: document[name] for name in cls.__slots__ if name in document})


def own_form(materializer: Materializer, kind: type) -> str:
    """What a consumer gets that asks for no form: the nearest of a type and its bases that the materializer knows."""
    return next((name for name in type_names(kind) if name in materializer.forms), materializer.forms[0])


def first_of(batches: Iterable[Any]) -> tuple[Any, Iterator[Any]]:
    """The first of some batches (``None`` when there is none), and all of them.

    :raises StopIteration: never.
    """
    rest = iter(batches)
    for first in rest:

        def again(first: Any = first) -> Iterator[Any]:
            yield first
            yield from rest

        return first, again()
    return None, iter(())

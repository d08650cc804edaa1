"""Read: the value of a JSON document, in the classes that an annotation names."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any

from airflow_mlpipe.values.annotations import bare
from airflow_mlpipe.values.structure.arms import arm_for, value_hint
from airflow_mlpipe.values.structure.classes import class_of, field_names, hints_of, is_enum, make, member_of, restore
from airflow_mlpipe.values.structure.form import KIND, class_name
from airflow_mlpipe.values.structure.readers import READERS

Load = Callable[[Mapping[str, Any], Any], Any]
"""(document of a leaf, wanted annotation) -> the value."""


def decode(document: Any, wanted: Any, load: Load) -> Any:
    """The value of a document.

    :param wanted: the annotation of who asks. Objects and enum members become members of the classes that it names,
        here and in the fields of these; those that it does not name come back as a dict, and as the member's value.
    :param load: gives the value of a leaf.
    :raises ValueError: for a document that :func:`encode` did not write, and one that the wanted class refuses.
    """
    return _Decoder(load).read(document, wanted)


class _Decoder:
    """Walks a document; it has no state but ``load``."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def read(self, document: Any, wanted: Any) -> Any:
        tag = document.get(KIND) if isinstance(document, dict) else None
        if tag == "leaf":
            return self._load(document["value"], wanted)
        asked = arm_for(document, bare(wanted))
        if tag is not None:
            return self._tagged(tag, document, asked)
        if isinstance(document, list):
            return self._members(document, asked)
        if isinstance(document, dict):
            return self._mapping(document, asked)
        if is_enum(asked):
            return member_of(asked, None, document)
        return document

    def _members(self, documents: list[Any], asked: Any) -> list[Any]:
        args = typing.get_args(asked)
        if typing.get_origin(asked) is tuple and not (len(args) == 2 and args[1] is Ellipsis):
            hints = args if len(args) == len(documents) else [Any] * len(documents)
            return [self.read(member, hint) for member, hint in zip(documents, hints, strict=True)]
        return [self.read(member, args[0] if args else Any) for member in documents]

    def _mapping(self, document: dict[str, Any], asked: Any) -> Any:
        if field_names(class_of(asked)) is not None:
            return self._build(document, asked, exact=False)
        if typing.is_typeddict(asked):
            hints = hints_of(asked)
            return {name: self.read(member, hints.get(name, Any)) for name, member in document.items()}
        hint = value_hint(asked)
        return {name: self.read(member, hint) for name, member in document.items()}

    def _tagged(self, tag: str, document: dict[str, Any], asked: Any) -> Any:
        value = document["value"]
        if tag in ("tuple", "set", "frozenset"):
            return {"tuple": tuple, "set": set, "frozenset": frozenset}[tag](self._members(value, asked))
        if tag == "dict":
            key = (typing.get_args(asked) or (Any,))[0]
            return {self.read(name, key): self.read(member, value_hint(asked)) for name, member in value}
        if tag == "object":
            if field_names(class_of(asked)) is None:
                return self._mapping(value, asked)
            return self._build(value, asked, exact=document.get("class") == class_name(class_of(asked)))
        if tag == "enum":
            raw = self.read(value, Any)
            return member_of(asked, document.get("name"), raw) if is_enum(asked) else raw
        if tag not in READERS:
            raise ValueError(f"no form of a value is called {tag!r}")
        return READERS[tag](document)

    def _build(self, members: Mapping[str, Any], asked: Any, *, exact: bool) -> Any:
        kind = class_of(asked)
        hints = hints_of(kind)
        values = {name: self.read(member, hints.get(name, Any)) for name, member in members.items()}
        try:
            return (
                restore(kind, values) if exact and set(field_names(kind) or ()) <= set(values) else make(kind, values)
            )
        except TypeError as error:
            raise ValueError(f"the members {sorted(values)} do not make a {class_name(kind)}: {error}") from error

"""A list, tuple or dict that XCom only refers to, as what a task is mapped over: read member by member.

Each instance of a mapped task reads the one document that says what the members are, and of the data among them only
its own; a step does not even read these, its member becomes an input of its own, with a digest of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from airflow_mlpipe.model.reference import XCOM, inline_value, is_inline_value, is_reference
from airflow_mlpipe.values.materializer import JSON, STRUCTURE
from airflow_mlpipe.values.members import member_documents, with_leaves
from airflow_mlpipe.values.structure import KIND


class Members(Sequence[Any]):
    """The members of a value as XCom would carry each of them.

    :ivar held: what XCom carries of the whole.
    """

    def __init__(self, held: Mapping[str, Any]) -> None:
        self.held = held

    @cached_property
    def _whole(self) -> Any:
        from airflow_mlpipe.hooks.values import expanded

        return expanded(self.held)

    @cached_property
    def _documents(self) -> list[Any]:
        from airflow_mlpipe.hooks.members import document_of

        return member_documents(document_of(self._whole)) or []

    def __len__(self) -> int:
        return mapped_length(self.held) or 0

    def __getitem__(self, index: Any) -> Any:
        found = self._documents[index]
        return [self._item(one) for one in found] if isinstance(index, slice) else self._item(found)

    def __repr__(self) -> str:
        return f"Members({len(self)} of {self.held.get('type') or 'a value'})"

    def _item(self, document: Any) -> Any:
        if isinstance(document, list):
            return [self._item(one) for one in document]
        if not isinstance(document, dict):
            return document
        kind = document.get(KIND)
        if kind is None:
            return {name: self._item(one) for name, one in document.items()}
        if kind == "tuple":
            return tuple(self._item(one) for one in document["value"])
        if kind == "leaf":
            return self._reference(document["value"])
        return inline_value(with_leaves(document, self._reference))

    def _reference(self, leaf: Mapping[str, Any]) -> dict[str, Any]:
        from airflow_mlpipe.hooks.members import member_of

        return member_of(self._whole, leaf).to_json()


class LoadedMembers(Sequence[Any]):
    """The members as an ordinary task gets them, each read when it is asked for."""

    def __init__(self, members: Sequence[Any]) -> None:
        self._members = members

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, index: Any) -> Any:
        from airflow_mlpipe.hooks.values import load_any

        one = self._members[index]
        return [load_any(v) for v in one] if isinstance(index, slice) else load_any(one)


def mapped_length(held: Any) -> int | None:
    """How many instances a task has that is mapped over what XCom carries; ``None`` if it has no members."""
    if is_inline_value(held):
        documents = member_documents(held["value"])
        return None if documents is None else len(documents)
    if is_reference(held) and held.get("format") in (JSON, STRUCTURE, XCOM):
        length = held.get("length")
        return length if isinstance(length, int) else None
    return None


def members(held: Any) -> Members | None:
    """The members of what XCom carries, if it stands for a list, tuple or dict."""
    return None if mapped_length(held) is None else Members(held)

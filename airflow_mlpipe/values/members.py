"""The members of a value that was saved as JSON, without reading the value: what a task can be mapped over.

Works on the documents that :func:`~airflow_mlpipe.values.structure.encode` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_mlpipe.values.structure import KIND


def member_documents(document: Any) -> list[Any] | None:
    """The documents of the members of a list or tuple, and of the pairs of a dict; ``None`` for everything else.

    Airflow maps over the pairs of a dict, and not over sets, which have no order.
    """
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return None
    kind = document.get(KIND)
    if kind is None:
        return [{KIND: "tuple", "value": [name, member]} for name, member in document.items()]
    if kind == "tuple":
        return list(document["value"])
    if kind == "dict":
        return [{KIND: "tuple", "value": pair} for pair in document["value"]]
    return None


def with_leaves(document: Any, leaf: Callable[[Mapping[str, Any]], Any]) -> Any:
    """A document with what stands for each leaf replaced.  A dict of a user has no member ``$type``; see there."""
    if isinstance(document, list):
        return [with_leaves(member, leaf) for member in document]
    if not isinstance(document, dict):
        return document
    if document.get(KIND) == "leaf":
        return {KIND: "leaf", "value": leaf(document["value"])}
    return {name: with_leaves(member, leaf) for name, member in document.items()}

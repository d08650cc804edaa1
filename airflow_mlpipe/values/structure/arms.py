"""Which member of a union a document is for."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

from airflow_mlpipe.values.annotations import bare
from airflow_mlpipe.values.structure.classes import class_of, field_names
from airflow_mlpipe.values.structure.form import KIND, class_name


def value_hint(asked: Any) -> Any:
    """The annotation of a mapping's values."""
    args = typing.get_args(asked)
    kind = class_of(asked)
    return args[1] if len(args) == 2 and isinstance(kind, type) and issubclass(kind, Mapping) else Any


def arm_for(document: Any, asked: Any) -> Any:
    """The member of a union that a document is for; the annotation itself when it is none."""
    if typing.get_origin(asked) not in (typing.Union, types.UnionType):
        return asked
    arms = [arm_for(document, bare(arm)) for arm in typing.get_args(asked)]
    fitting = [arm for arm in arms if _fits(document, arm)]
    if isinstance(document, dict):
        named = [arm for arm in fitting if _class_name_of(arm) == document.get("class")]
        members = document["value"] if KIND in document else document
        same = [
            arm for arm in fitting if isinstance(members, dict) and set(field_names(class_of(arm)) or ()) == {*members}
        ]
        fitting = named or same or fitting
    return fitting[0] if fitting else Any


def _class_name_of(arm: Any) -> str | None:
    kind = class_of(arm)
    return class_name(kind) if isinstance(kind, type) else None


def _fits(document: Any, arm: Any) -> bool:
    kind = class_of(arm)
    if not isinstance(kind, type) or kind is Any or getattr(kind, "_is_protocol", False):
        return False
    tag = document.get(KIND) if isinstance(document, dict) else None
    if tag == "enum":
        return issubclass(kind, Enum)
    if tag in ("tuple", "set", "frozenset"):
        return issubclass({"tuple": tuple, "set": set, "frozenset": frozenset}[cast(str, tag)], kind)
    if tag == "object" or (tag is None and isinstance(document, dict)):
        plain = tag is None and issubclass(kind, Mapping)
        return field_names(kind) is not None or typing.is_typeddict(kind) or plain
    if tag == "dict":
        return issubclass(dict, kind)
    if issubclass(kind, Enum):
        return any(member.value == document for member in kind)
    return isinstance(document, kind)

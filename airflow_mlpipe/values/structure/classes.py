"""Dataclasses, attrs classes, pydantic models, NamedTuples and enums: their fields, and objects made of them."""

from __future__ import annotations

import dataclasses
import typing
from enum import Enum
from typing import Any


def field_names(kind: Any) -> tuple[str, ...] | None:
    """Names of the fields of a dataclass, attrs class, pydantic model or NamedTuple; ``None`` for other types."""
    if not isinstance(kind, type):
        return None
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if hasattr(kind, "__attrs_attrs__"):
        return tuple(field.name for field in kind.__attrs_attrs__)
    if hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_fields"):
        return tuple(kind.model_fields)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return tuple(kind._fields)
    return None


def class_of(annotation: Any) -> Any:
    """The class of ``Box`` and of ``Box[int]``."""
    return typing.get_origin(annotation) or annotation


def is_enum(annotation: Any) -> bool:
    """Whether an annotation is an enumeration."""
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def hints_of(kind: Any) -> dict[str, Any]:
    """The annotations of a class's fields; none where one of them names what is not importable."""
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}


def make(kind: Any, values: dict[str, Any]) -> Any:
    """Call the constructor, with its checks and defaults."""
    if hasattr(kind, "model_validate"):
        return kind.model_validate(values)
    if hasattr(kind, "__attrs_attrs__"):
        aliases = {field.name: getattr(field, "alias", None) or field.name for field in kind.__attrs_attrs__}
        return kind(**{aliases.get(name, name): value for name, value in values.items()})
    return kind(**values)


def restore(kind: Any, values: dict[str, Any]) -> Any:
    """The very object that was written: its fields, without running what its constructor would do to them."""
    names = field_names(kind) or ()
    if issubclass(kind, tuple):
        return kind(**values)
    if not hasattr(kind, "model_validate"):
        if set(values) != set(names):
            return make(kind, values)
        new = kind.__new__(kind)
        for name, value in values.items():
            object.__setattr__(new, name, value)
        return new
    extra = {name: value for name, value in values.items() if name not in names}
    if extra and kind.model_config.get("extra") != "allow":
        return make(kind, values)
    new = kind.__new__(kind)
    new.__setstate__(
        {
            "__dict__": {name: values[name] for name in names},
            "__pydantic_extra__": extra if kind.model_config.get("extra") == "allow" else None,
            "__pydantic_fields_set__": set(values),
            "__pydantic_private__": None,
        }
    )
    if kind.__private_attributes__:
        new.model_post_init(None)
    return new


def member_of(kind: Any, name: str | None, value: Any) -> Any:
    """The member of an enumeration, by its name, or else by its value.  :raises ValueError: when there is none."""
    found = kind.__members__.get(name)
    return kind(value) if found is None else found

"""What may not be written down: values that Airflow's secrets masker hides in the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_mlpipe.model.step import Template

MASK = "***"
"""Stands for a text that is a secret."""


def is_masked(value: object, name: str | None = None) -> bool:
    """Whether Airflow would hide (part of) a value, for what it is or for the name that it has."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    return bool(redact(value, name) != value)


def without_secrets(value: Any) -> Any:
    """A value with the texts in it that Airflow hides replaced; everything beside them still counts."""
    if isinstance(value, str):
        return MASK if is_masked(value) else value
    if isinstance(value, Mapping):
        return {name: without_secrets(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(member) for member in value]
    return value


def typed_params(params: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Run parameters with their types; of a text that is secret, its name only."""
    return {n: _typed_param(n, params[n]) for n in sorted(names) if n in params}


def _typed_param(name: str, value: Any) -> Any:
    # Only texts are hidden for the name that they have: Airflow takes "tokenizer" for a secret's, and a structure that
    # has such a member may not stop counting.
    if isinstance(value, str):
        return Template(f"params.{name}") if is_masked(value, name) else value
    return without_secrets(value)

"""What may not be written down: texts that Airflow hides in its log, for what they are or for the name that they have.

A value that Airflow knows as a secret (a connection's password, a sensitive variable) counts by reference only:
rotating it changes no fingerprint.  A text that merely has a secret's name - ``password``, but also ``tokenizer`` - may
decide the result, so it must count, and may be a secret, so it must not be readable: it counts by a keyed digest
(HMAC, RFC 2104) whose key is random and kept in the workspace.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Any

MASK = "***"
"""Stands for a text that is a secret."""

Salt = Callable[[], bytes]
"""Gives the workspace's key; asked only when something needs it."""


def is_masked(value: object, name: str | None = None) -> bool:
    """Whether Airflow would hide (part of) a value, for what it is or for the name that it has."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    return bool(redact(value, name) != value)


def has_secret_name(name: str) -> bool:
    """Whether Airflow hides a text for this name (``[core] sensitive_var_conn_names`` adds to its own list)."""
    return is_masked("any text", name)


def salted(text: str, salt: Salt) -> str:
    """What stands for a text that has a secret's name: equal for equal texts of one workspace, and says nothing."""
    return f"salted:{hmac.new(salt(), text.encode(), hashlib.sha256).hexdigest()[:32]}"


def without_secrets(value: Any, salt: Salt, name: str = "") -> Any:
    """A value with the texts in it that may not be written down replaced; everything beside them stays.

    :param name: that the value has: of a parameter, a variable, a member.
    """
    if isinstance(value, str):
        if is_masked(value):
            return MASK
        return salted(value, salt) if name and has_secret_name(name) else value
    if isinstance(value, Mapping):
        return {
            key: without_secrets(member, salt, key if isinstance(key, str) else "") for key, member in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_secrets(member, salt, name) for member in value]
    return value


def typed_params(params: Mapping[str, Any], names: Iterable[str], salt: Salt) -> dict[str, Any]:
    """Run parameters with their types, without secrets."""
    return {n: without_secrets(params[n], salt, n) for n in sorted(names) if n in params}

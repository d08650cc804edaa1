"""Names of ports, parameters and datastores: one rule, checked where a name is first said."""

from __future__ import annotations

import re

from airflow_mlpipe.errors import DefinitionError

_PORT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_DATASTORE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")

RESERVED_PORTS = frozenset({"return_value", "mlpipe"})
"""XCom keys that a step uses itself: an output of this name would overwrite them."""


def check_port(name: object, *, where: str) -> str:
    """Return ``name`` if it can name an input, an output, a parameter or a secret.

    The rule is that of environment variable names (POSIX 1003.1, 8.1), because ``MLPIPE_INPUT_<NAME>`` is made of it;
    it is also Azure ML's rule for ports.

    :raises DefinitionError: with the offending value and the rule.
    """
    if not isinstance(name, str) or not _PORT.match(name):
        raise DefinitionError(
            "not a valid name",
            where=where,
            given=name,
            valid="letters, digits and _, not starting with a digit, at most 64",
        )
    if name in RESERVED_PORTS:
        raise DefinitionError("this name is reserved", where=where, given=name, fix="choose another name")
    return name


def check_datastore(name: object, *, where: str = "Datastore(name)") -> str:
    """Return ``name`` if it can name a datastore (it is an Airflow connection id).

    :raises DefinitionError: with the offending value and the rule.
    """
    if not isinstance(name, str) or not _DATASTORE.match(name):
        raise DefinitionError(
            "not a valid datastore name", where=where, given=name, valid="letters, digits, _ . and -, at most 100"
        )
    return name


def port_from_path(path: str) -> str:
    """Derive a port name from a path: ``raw/digits-8x8.csv`` gives ``digits_8x8``.

    Deterministic, so that the same definition always gives the same name (a random one would change the fingerprint).
    """
    last = next((p for p in reversed(path.rstrip("/").split("/")) if not set(p) & set("*?[]")), "data")
    stem = last.split(".")[0] or last.strip(".")
    name = re.sub(r"[^A-Za-z0-9_]", "_", stem)[:60] or "data"
    return f"_{name}" if name[0].isdigit() else name

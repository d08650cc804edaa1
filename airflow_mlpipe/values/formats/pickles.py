"""Pickles.  Called only where the deployment allows them; see :mod:`airflow_mlpipe.values.pickled`."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.names import check_form, check_type, type_name
from airflow_mlpipe.values.pickled import FORMAT, Pickle

_PROTOCOL = 5
"""The newest that every Python that we support reads."""


class Pickles:
    """``pickle/1``: what an author wrapped in ``Pickle``; it loads as the value in it."""

    format = FORMAT
    suffix = ".pickle"
    types: tuple[str, ...] = ("airflow_mlpipe.Pickle",)
    forms: tuple[str, ...] = types

    def save(self, value: Pickle, path: Path) -> Mapping[str, Any]:
        """Write the value; no details.

        :raises ValueError: for a value that cannot be pickled.
        """
        check_type(value, self.types)
        try:
            data = pickle.dumps(value.value, _PROTOCOL)
        except Exception as error:  # a class may raise anything when it is asked for its state
            raise ValueError(f"a {type_name(type(value.value))} cannot be pickled ({_said(error)})") from error
        path.write_bytes(data)
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read the value, which executes what the pickle says.

        :raises ValueError: for bytes that are no pickle, and for one whose classes are not importable here.
        """
        check_form(form, self.forms)
        try:
            return pickle.loads(path.read_bytes())
        except (ImportError, AttributeError) as error:
            raise ValueError(
                f"what it is made of cannot be imported here ({_said(error)}); define its classes in a module that "
                "both steps import, not in the DAG file, and give both environments the same libraries"
            ) from error
        except Exception as error:  # a class may raise anything when it is given its state
            raise ValueError(f"it cannot be unpickled ({_said(error)})") from error

    def preview(self, value: Pickle) -> Mapping[str, Any]:
        """The class."""
        return {"class": type_name(type(value.value))}


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"

"""Run: what a v1 *script* asks for its surroundings with ``Run.get_context()``.

It needs nothing but the standard library and this package beside the script; a program that appends to the file
``MLPIPE_METRICS`` needs not even that.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_mlpipe.errors import DefinitionError


class Run:
    """The run of the step that this program belongs to.  By hand, outside of a step, metrics are printed only."""

    @staticmethod
    def get_context(allow_offline: bool = True, **others: Any) -> Run:
        """The run."""
        return Run()

    @property
    def parent(self) -> Run:
        """The same: metrics of a pipeline are those of its steps."""
        return self

    @property
    def id(self) -> str:
        """No run is told its id: it may not enter a result that others reuse."""
        return "OfflineRun" if "MLPIPE_METRICS" not in os.environ else "step"

    @property
    def input_datasets(self) -> Mapping[str, str]:
        """The paths of the inputs, by name."""
        return _Paths("AZURE_ML_INPUT_")

    @property
    def output_datasets(self) -> Mapping[str, str]:
        """The paths of the outputs, by name."""
        return _Paths("AZURE_ML_OUTPUT_")

    def log(self, name: str, value: Any, description: str = "", step: int | None = None) -> None:
        """Record a metric: a number; anything else is printed only."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if isinstance(value, (str, bytes)) or not math.isfinite(number):
            _say(f"{name}: {value}")
            return
        _record(name, number)

    def log_list(self, name: str, value: Sequence[Any], description: str = "") -> None:
        """Record numbers one after the other; the last one counts."""
        for one in value:
            self.log(name, one)

    def log_row(self, name: str, description: str = "", **columns: Any) -> None:
        """Record the numbers of a row, as ``name.column``."""
        for column, value in columns.items():
            self.log(f"{name}.{column}", value)

    def log_table(self, name: str, value: Mapping[str, Any], description: str = "") -> None:
        """Record the columns of a table, as ``name.column``; the last number of each counts."""
        for column, values in value.items():
            given = values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
            self.log_list(f"{name}.{column}", given)

    def tag(self, key: str, value: str | None = None) -> None:
        """Print it: runs have no tags here."""
        _say(f"tag {key}={value}")

    def add_properties(self, properties: Mapping[str, str]) -> None:
        """Print them: runs have no properties here."""
        for key, value in properties.items():
            self.tag(key, value)

    set_tags = add_properties

    def complete(self, **others: Any) -> None:
        """Nothing: the program ends the step."""

    def flush(self, **others: Any) -> None:
        """Nothing: what is logged is written."""

    def get_secret(self, name: str) -> str:
        """The secret of that name in ``secrets=`` of the step.  :raises DefinitionError: when it has none."""
        path = os.environ.get(f"MLPIPE_SECRET_{name.upper().replace('-', '_')}")
        if path is None:
            raise DefinitionError("the step has no such secret", where="Run.get_secret", given=name)
        with open(path, encoding="utf-8") as file:
            return file.read()

    def get_file_names(self) -> list[str]:
        """Nothing is kept with a run: files are outputs."""
        return []

    def upload_file(self, name: str, *others: Any, **more: Any) -> None:
        """v1's.  :raises DefinitionError: always: what is to be kept is an output of the step."""
        raise DefinitionError(
            "files are not kept with a run", where="Run.upload_file", given=name, fix="write it into an output"
        )

    upload_folder = upload_file
    register_model = upload_file
    log_image = upload_file

    def __repr__(self) -> str:
        return "Run()"


class _Paths(Mapping[str, str]):
    """Paths of ports by name; a name without one is said."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __getitem__(self, name: str) -> str:
        return os.environ[f"{self._prefix}{name}"]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self._prefix) for name in sorted(os.environ) if name.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _record(name: str, value: float) -> None:
    _say(f"{name}: {value:g}")
    if path := os.environ.get("MLPIPE_METRICS"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "value": value}) + "\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")

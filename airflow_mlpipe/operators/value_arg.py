"""The result of a function step at parse time: an XComArg with the step's outputs as attributes.

Passed to another step it is an edge, and the step gets a reference.  Passed to any other task - an ordinary ``@task``,
a classic operator - it is the value itself, read when that task is rendered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_mlpipe.operators.composites import LoadedMembers, members
from airflow_mlpipe.operators.output_arg import OutputArg
from airflow_mlpipe.operators.ports import output_names
from airflow_mlpipe.operators.xcoms import VALUE


class ValueArg(OutputArg):
    """``train(...)``; ``train(...).model`` and ``train(...)["model"]`` are its outputs."""

    def __getattr__(self, name: str) -> ValueArg:
        if not name.startswith("_") and name in output_names(self.operator):
            return ValueArg(self.operator, key=name)
        raise AttributeError(
            f"step {self.operator.task_id!r} has no output {name!r}; it has: "
            + (", ".join(sorted(output_names(self.operator))) or "one value")
        )

    def __iter__(self) -> NoReturn:
        names = sorted(output_names(self.operator) - {VALUE})
        said = "its outputs are " + ", ".join(f".{name}" for name in names) if names else "it returns one value"
        raise TypeError(f"the result of step {self.operator.task_id!r} is not a tuple; {said}")

    def __getitem__(self, item: str) -> ValueArg:
        return ValueArg(self.operator, key=item)

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """A reference for a step of ours, the value for any other task; members of either for one that is mapped."""
        from airflow_mlpipe.hooks.values import as_references, load_any
        from airflow_mlpipe.operators.base import StepOperator

        with as_references():
            found = PlainXComArg.resolve(self, context) if self.key == "return_value" else super().resolve(context)
        task: Any = context["task"]
        if issubclass(getattr(task, "operator_class", type(task)), StepOperator):
            return members(found) or found
        if isinstance(found, Sequence) and not isinstance(found, (str, bytes, list)):
            return LoadedMembers(found)
        if task.is_mapped and (parts := members(found)) is not None:
            return LoadedMembers(parts)
        return load_any(found)

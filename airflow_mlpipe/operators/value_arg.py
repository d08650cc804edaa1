"""The result of a function step at parse time: an XComArg with the step's outputs as attributes.

Passed to another step it is an edge, and the step gets a reference.  Passed to any other task - an ordinary ``@task``,
a classic operator - it is the value itself, read when that task is rendered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_mlpipe.operators.output_arg import OutputArg
from airflow_mlpipe.operators.ports import output_names


class ValueArg(OutputArg):
    """``train(...)``; ``train(...).model`` and ``train(...)["model"]`` are its outputs."""

    def __getattr__(self, name: str) -> ValueArg:
        if not name.startswith("_") and name in output_names(self.operator):
            return ValueArg(self.operator, key=name)
        raise AttributeError(
            f"step {self.operator.task_id!r} has no output {name!r}; it has: "
            + (", ".join(sorted(output_names(self.operator))) or "one value")
        )

    def __getitem__(self, item: str) -> ValueArg:
        return ValueArg(self.operator, key=item)

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """A reference for a step of ours, the value for any other task."""
        from airflow_mlpipe.operators.base import StepOperator

        if self.key == "return_value":
            found = PlainXComArg.resolve(self, context)
        else:
            found = super().resolve(context)
        task: Any = context["task"]
        if issubclass(getattr(task, "operator_class", type(task)), StepOperator):
            return found
        if isinstance(found, Sequence) and not isinstance(found, (str, bytes, list)):
            return LoadedSequence(found)
        return loaded(found)


def loaded(found: Any) -> Any:
    """A value from XCom as an ordinary task gets it; what is no value of ours stays."""
    from airflow_mlpipe.hooks.values import load_any

    return load_any(found)


class LoadedSequence(Sequence[Any]):
    """The values of a mapped step, each read when it is asked for."""

    def __init__(self, found: Sequence[Any]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: Any) -> Any:
        one = self._found[index]
        return [loaded(v) for v in one] if isinstance(index, slice) else loaded(one)

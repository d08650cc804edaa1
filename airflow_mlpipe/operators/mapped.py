"""``.partial().expand()`` for steps: the same edges and the same checks for a step that is mapped.

Airflow builds the operator of a mapped task only when an instance of it runs.  So what a step's constructor does at
parse time - plain values, edges from data, checks - is done here, on the two halves of the definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial

from airflow_mlpipe.operators.definition import (
    check_argument_ports,
    check_compute,
    check_files,
    check_types,
    effective_reuse,
)
from airflow_mlpipe.operators.edges import edges_of
from airflow_mlpipe.operators.ports import Inputs, check_outputs, is_xcom, plain_arguments

if TYPE_CHECKING:
    from airflow.sdk.definitions._internal.expandinput import ExpandInput


@attrs.define(kw_only=True, repr=False)
class StepPartial(OperatorPartial):
    """What ``ScriptStep.partial()`` returns: an Airflow partial that knows our data edges."""

    def _expand(self, expand_input: ExpandInput, *, strict: bool) -> MappedOperator:
        where = f"step {self.kwargs['task_id']!r}"
        check_types(self.kwargs, where=where)
        effective_reuse(self.kwargs.get("reuse"), self.kwargs.get("allow_reuse", True), where=where)
        outputs = check_outputs(self.kwargs.get("outputs"), where=where)
        mapped = expand_input.value if isinstance(expand_input.value, Mapping) else {}
        inputs, resources = Inputs(where), Inputs(where)
        inputs.add_all(self.kwargs.get("inputs"))
        resources.add_all(self.kwargs.get("resource_inputs"))
        arguments_key = "command" if "command" in self.kwargs or "command" in mapped else "arguments"
        self._plain_arguments(arguments_key, mapped, inputs, outputs, where)
        self._plain_mapped_inputs(mapped, inputs)
        if inputs.ports:
            self.kwargs["inputs"] = inputs.ports
        if resources.ports:
            self.kwargs["resource_inputs"] = resources.ports
        dag = self.kwargs.get("dag")
        check_compute(self.kwargs, where=where)
        folder = {"source_directory": "."} if "script_name" in self.kwargs else {}  # ScriptStep's own default
        check_files({**folder, **self.kwargs}, dag.fileloc if dag else None, where=where)
        if "inputs" not in mapped and isinstance(expand_input.value, Mapping):
            check_argument_ports(
                self.kwargs.get(arguments_key), inputs.ports, tuple(o.name for o in outputs), where=where
            )
        step = super()._expand(expand_input, strict=strict)
        edges = edges_of(step.dag, where=where)
        edges.produce(step, outputs)
        edges.consume(step, inputs.pending + resources.pending)
        # Airflow calls this on every task when it has the whole DAG; see StepOperator.resolve_template_files.
        object.__setattr__(step, "resolve_template_files", edges.check)
        return step

    def _plain_arguments(self, key: str, mapped: Any, inputs: Inputs, outputs: Any, where: str) -> None:
        add = "inputs" not in mapped
        if key in self.kwargs:
            self.kwargs[key] = plain_arguments(self.kwargs[key], inputs, outputs, where=where, add=add)
        given = mapped.get(key)
        if isinstance(given, (list, tuple)):
            mapped[key] = [
                plain_arguments(one, inputs, outputs, where=f"{where}: instance {i}", add=add)
                for i, one in enumerate(given)
            ]

    @staticmethod
    def _plain_mapped_inputs(mapped: Any, inputs: Inputs) -> None:
        """``expand(inputs=[[a], [b]])``: each instance's data, as plain ports."""
        given = mapped.get("inputs")
        if not isinstance(given, (list, tuple)):
            return
        instances = []
        for index, one in enumerate(given):
            if is_xcom(one):
                instances.append(one)
                continue
            instance = Inputs(f"{inputs.where}: instance {index}")
            instance.add_all(one)
            inputs.pending += instance.pending
            instances.append(instance.ports)
        mapped["inputs"] = instances

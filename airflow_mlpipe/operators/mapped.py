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
from airflow_mlpipe.operators.output_arg import OutputArgs
from airflow_mlpipe.operators.ports import Inputs, check_outputs, is_xcom, plain_arguments
from airflow_mlpipe.operators.program import Said

if TYPE_CHECKING:
    from airflow.sdk.definitions._internal.expandinput import ExpandInput

    from airflow_mlpipe.model.data import PipelineData


@attrs.define(kw_only=True, repr=False)
class StepPartial(OperatorPartial):
    """What ``ScriptStep.partial()`` returns: an Airflow partial that knows our data edges."""

    def _expand(self, expand_input: ExpandInput, *, strict: bool) -> MappedOperator:
        where = f"step {self.kwargs['task_id']!r}"
        mapped = expand_input.value if isinstance(expand_input.value, dict) else {}
        if "command" in mapped:
            mapped["arguments"] = mapped.pop("command")
        self._fill_from_default_args(mapped)
        self._complete_program(mapped, where)
        check_types(self.kwargs, where=where)
        effective_reuse(self.kwargs.get("reuse"), self.kwargs.get("allow_reuse", True), where=where)
        check_compute(self.kwargs, where=where)
        outputs = check_outputs(self.kwargs.get("outputs"), where=where)
        inputs, resources = Inputs(where), Inputs(where)
        inputs.add_all(self.kwargs.get("inputs"))
        resources.add_all(self.kwargs.get("resource_inputs"))
        self._plain_arguments(mapped, inputs, outputs, where)
        self._plain_mapped_inputs(mapped, inputs)
        self.kwargs |= {k: v for k, v in (("inputs", inputs.ports), ("resource_inputs", resources.ports)) if v}
        dag = self.kwargs.get("dag")
        edges = edges_of(dag, where=where)
        check_files(self.kwargs, dag.fileloc if dag else None, where=where, seen=edges.files)
        if mapped and "inputs" not in mapped:
            check_argument_ports(
                self.kwargs.get("arguments"), inputs.ports, tuple(o.name for o in outputs), where=where
            )
        step = super()._expand(expand_input, strict=strict)
        edges.produce(step, outputs, self.take(step))
        edges.consume(step, inputs.pending + resources.pending)
        # Airflow calls this on every task when it has the whole DAG; see StepOperator.resolve_template_files.
        object.__setattr__(step, "resolve_template_files", edges.check)
        object.__setattr__(step, "outputs", OutputArgs.of(step, {o.name: o.name for o in outputs}))
        return step

    def take(self, step: MappedOperator) -> Mapping[str, PipelineData]:
        """Called with the mapped step, before its edges are made; see :meth:`StepOperator.consumer_data`."""
        return {}

    def _fill_from_default_args(self, mapped: Mapping[str, Any]) -> None:
        """Airflow fills the arguments of ``partial`` that are BaseOperator's; ours can be in ``default_args`` too."""
        own: set[str] = getattr(self.operator_class.__init__, "_BaseOperatorMeta__param_names")  # noqa: B009 - mypy
        for holder in (self.kwargs.get("task_group"), self.kwargs.get("dag")):
            for name, value in (getattr(holder, "default_args", None) or {}).items():
                if name in own and name not in mapped:
                    self.kwargs.setdefault(name, value)

    def _complete_program(self, mapped: Mapping[str, Any], where: str) -> None:
        names = ("arguments", "command", "script_name", "source_directory", "code")
        if not mapped:  # expand_kwargs(): what each instance gets is known at run time only
            mapped = dict.fromkeys(n for n in names if n not in self.kwargs)
        given = {n: self.kwargs.pop(n, None) for n in names}
        said: Said = self.operator_class.complete(  # type: ignore[attr-defined]
            Said(**given, mapped=frozenset(mapped)), where=where
        )
        completed = {n: getattr(said, n) for n in names}
        self.kwargs |= {n: v for n, v in completed.items() if v is not None and n not in mapped}

    def _plain_arguments(self, mapped: Any, inputs: Inputs, outputs: Any, where: str) -> None:
        add = "inputs" not in mapped
        if "arguments" in self.kwargs:
            self.kwargs["arguments"] = plain_arguments(self.kwargs["arguments"], inputs, outputs, where=where, add=add)
        given = mapped.get("arguments")
        if isinstance(given, (list, tuple)):
            mapped["arguments"] = [
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

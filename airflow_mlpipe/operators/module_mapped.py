"""``ModuleStep.partial().expand()``: the checks of a module's step, on the two halves of a mapped one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.modules.params import complete_params
from airflow_mlpipe.operators.mapped import StepPartial
from airflow_mlpipe.operators.module_functions import declare_ports, key_of
from airflow_mlpipe.operators.module_ports import bind_inputs
from airflow_mlpipe.operators.output_arg import OutputArgs
from airflow_mlpipe.operators.ports import is_deferred, is_xcom

if TYPE_CHECKING:
    from airflow.sdk.definitions._internal.expandinput import ExpandInput
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from airflow_mlpipe.modules.resolved import ResolvedModule

PARAMS = "module_params"
"""What ``params`` of a ModuleStep is called inside: Airflow has an argument of that name for every operator."""


@attrs.define(kw_only=True, repr=False)
class ModulePartial(StepPartial):
    """What ``ModuleStep.partial()`` returns.

    :ivar resolved: the module. :ivar data_of_outputs: by output, the object that the author gave.
    """

    resolved: ResolvedModule
    data_of_outputs: Mapping[str, PipelineData]

    def _expand(self, expand_input: ExpandInput, *, strict: bool) -> MappedOperator:
        definition, where = self.resolved.definition, f"step {self.kwargs['task_id']!r}"
        mapped: dict[str, Any] = expand_input.value if isinstance(expand_input.value, dict) else {}
        over_dicts = not isinstance(expand_input.value, dict)
        if over_dicts:
            self._dicts(expand_input.value, where)
        if "params" in mapped:
            mapped[PARAMS] = mapped.pop("params")
        self._params(mapped, where, unknown=over_dicts)
        self._inputs(mapped, where, unknown=over_dicts)
        step = super()._expand(expand_input, strict=strict)
        keys = {port.name: key_of(definition, port.name) for port in definition.outputs}
        object.__setattr__(step, "outputs", OutputArgs.of(step, keys))
        return step

    def take(self, step: MappedOperator) -> Mapping[str, PipelineData]:
        """See :meth:`StepPartial.take`."""
        definition = self.resolved.definition
        object.__setattr__(step, "resolved", self.resolved)
        declare_ports(step, definition)
        return {key_of(definition, name): data for name, data in self.data_of_outputs.items()}

    @staticmethod
    def _dicts(given: Any, where: str) -> None:
        """``expand_kwargs``: what it calls ``params`` is Airflow's in the instances."""
        if isinstance(given, (list, tuple)) and any(isinstance(one, Mapping) and "params" in one for one in given):
            raise DefinitionError(
                "in expand_kwargs the parameters of a module are called module_params",
                where=where,
                fix=f"write {{{PARAMS!r}: ...}}, or map with expand(params=[...])",
            )

    def _params(self, mapped: dict[str, Any], where: str, *, unknown: bool) -> None:
        schemas, common = self.resolved.definition.params, self.kwargs.get(PARAMS) or {}
        given = mapped.get(PARAMS)
        if given is None:
            if not unknown:
                complete_params(schemas, common, where=where, deferred=is_deferred)
        elif isinstance(given, (list, tuple)):
            both = [{**common, **one} if isinstance(one, Mapping) else one for one in given]
            for number, one in enumerate(both):
                if not is_xcom(one):
                    complete_params(schemas, one, where=f"{where}: instance {number}", deferred=is_deferred)
            mapped[PARAMS] = both
            self.kwargs.pop(PARAMS, None)
        elif common:
            raise DefinitionError(
                "params of partial() and params that another task gives cannot be put together",
                where=where,
                given=sorted(common),
                fix="let that task give all of them",
            )

    def _inputs(self, mapped: dict[str, Any], where: str, *, unknown: bool) -> None:
        definition, given = self.resolved.definition, mapped.get("inputs")
        if isinstance(given, (list, tuple)):
            mapped["inputs"] = [
                one if is_xcom(one) else bind_inputs(definition, one, where=f"{where}: instance {number}")
                for number, one in enumerate(given)
            ]
        elif given is None:
            ports = None if unknown else ()
            self.kwargs["inputs"] = bind_inputs(definition, self.kwargs.get("inputs"), where=where, mapped=ports)

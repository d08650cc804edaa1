"""The placeholders of a module's arguments: each names something that the module has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.modules.commands import SIDES, placeholders
from airflow_mlpipe.written.mistakes import Mistakes
from airflow_mlpipe.written.places import Place

if TYPE_CHECKING:
    from airflow_mlpipe.modules.definition import ModuleDefinition


Names = Mapping[str, tuple[str, ...]]
"""Of inputs, outputs and params."""


def check_arguments(definition: ModuleDefinition, names: Names, mistakes: Mistakes) -> None:
    """Remember the mistakes in the arguments of a module.

    :param names: all that are written, those with mistakes of their own included.
    """
    member = "command" if definition.kind == "command" else "arguments"
    for index, item in enumerate(definition.arguments):
        if isinstance(item, tuple):
            for position, inner in enumerate(item):
                _check(definition, names, (member, index, position), inner, mistakes, grouped=True)
        else:
            _check(definition, names, (member, index), item, mistakes, grouped=False)


def _check(
    definition: ModuleDefinition, known: Names, place: Place, item: Any, mistakes: Mistakes, *, grouped: bool
) -> None:
    if not isinstance(item, str):
        return
    if "{{" in item or "{%" in item:
        what = "a module has no templates of Airflow: what changes from run to run is a parameter"
        mistakes.add(place, what, given=item, fix="write ${params.NAME}, and let the DAG give the template")
    for side, name, whole in placeholders(item):
        if side not in known:
            valid = [f"${{{one}.NAME}}" for one in SIDES]
            mistakes.add(place, "unknown placeholder", given=item, valid=valid, fix="$${ stands for ${")
        elif name not in known[side]:
            mistakes.add(place, f"the module has no {side[:-1]} {name!r}", valid=known[side] or f"it has no {side}")
        elif side != "params" and not whole:
            mistakes.add(place, "a path is a whole argument", given=item, fix=f"['--{name}', '${{{side}.{name}}}']")
        elif not grouped and _may_miss(definition, side, name):
            what = "this may not be there"
            fix = f"put it into a list of its own, which is left out then: [--{name}, '${{{side}.{name}}}']"
            mistakes.add(place, what, given=item, fix=fix)


def _may_miss(definition: ModuleDefinition, side: str, name: str) -> bool:
    if side == "params":
        schema = definition.params.get(name, {})
        return "default" in schema and schema["default"] is None
    port = definition.input(name) if side == "inputs" else None
    return port is not None and port.optional

"""What an author connects to the ports of a module, checked while the DAG file is parsed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import DataReference, PipelineData
from airflow_mlpipe.modules.definition import InputDeclaration, ModuleDefinition, OutputDeclaration


def bind_inputs(
    definition: ModuleDefinition, given: Any, *, where: str, mapped: Collection[str] | None = ()
) -> dict[str, Any]:
    """The inputs of a step: a dict of port to data.

    :param given: by the author. :param mapped: ports that ``expand`` fills; ``None``: it may fill any.
    :raises DefinitionError: for ports that the module does not have, and required ones that nothing fills.
    """
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise DefinitionError(
            "inputs of a module is a dict of port to data",
            where=where,
            given=given,
            fix=f"write inputs={{{', '.join(f'{port.name!r}: ...' for port in definition.inputs)}}}",
        )
    names = [port.name for port in definition.inputs]
    for name in given:
        if name not in names:
            raise DefinitionError(
                f"the module {definition.label} has no such input",
                where=f"{where}: inputs",
                given=name,
                valid=names or "it has no inputs",
            )
    for port in definition.inputs:
        if not port.optional and given.get(port.name) is None and mapped is not None and port.name not in mapped:
            raise DefinitionError(
                f"the module {definition.label} requires the input {port.name!r}, of type {port.type}",
                where=f"{where}: inputs",
                given=sorted(given) or "nothing",
                fix=f"add inputs={{{port.name!r}: ...}}",
            )
        if isinstance(given.get(port.name), (list, tuple)) and not port.many:
            raise DefinitionError(
                f"the input {port.name!r} of the module {definition.label} takes one thing, not a list",
                where=f"{where}: inputs",
                fix="give one, or ask the module's owner for a port with many: true",
            )
        for one in value if isinstance(value := given.get(port.name), (list, tuple)) else (value,):
            _check_kind(port, one, where)
    return {name: _many(definition, name, value) for name, value in given.items() if value is not None}


def _check_kind(port: InputDeclaration, given: Any, where: str) -> None:
    """A folder is no file, whatever is in it; of a path without a final ``/`` nobody knows before it is looked at."""
    is_folder = isinstance(given, DataReference) and (given.is_glob or given.path.endswith("/"))
    if is_folder and port.type.kind == "file":
        raise DefinitionError(
            f"the input {port.name!r} takes a file, and this is a folder",
            where=f"{where}: inputs",
            given=given.path,
            fix="name one file",
        )


def _many(definition: ModuleDefinition, name: str, value: Any) -> Any:
    """A port for several gets a list, also of one; what a mapped step gives is one already."""
    port = definition.input(name)
    assert port is not None  # bind_inputs has looked
    operator = getattr(value, "operator", None)
    if not port.many or isinstance(value, (list, tuple)) or getattr(operator, "is_mapped", False):
        return value
    return [value]


def bind_outputs(
    definition: ModuleDefinition, given: Any, *, where: str
) -> tuple[tuple[PipelineData, ...], dict[str, PipelineData]]:
    """The outputs of a step, by the module's names; and by these names the objects that the author holds.

    :param given: by the author: a dict of port to :class:`PipelineData`, or a list of those with the ports' names.
    :raises DefinitionError: for ports that the module does not have, and options that contradict its interface.
    """
    data = named_outputs(definition, given, where=where)
    own = tuple(_output(port, data.get(port.name), where) for port in definition.outputs)
    return own, data


def named_outputs(definition: ModuleDefinition, given: Any, *, where: str) -> dict[str, PipelineData]:
    """The objects that the author holds, by the module's names; errors as :func:`bind_outputs`."""
    data = _by_port(given, where)
    names = [port.name for port in definition.outputs]
    for name, one in data.items():
        if name not in names:
            raise DefinitionError(
                f"the module {definition.label} has no such output",
                where=f"{where}: outputs",
                given=name,
                valid=names or "it has no outputs",
            )
        if sum(other is one for other in data.values()) > 1:
            raise DefinitionError(
                "one PipelineData for two outputs", where=f"{where}: outputs", given=one.name, fix="make two"
            )
    return data


def _by_port(given: Any, where: str) -> dict[str, PipelineData]:
    if given is None:
        return {}
    named = dict(given) if isinstance(given, Mapping) else None
    if named is None and isinstance(given, (list, tuple)):
        named = {getattr(one, "name", str(index)): one for index, one in enumerate(given)}
    if named is None or not all(isinstance(one, PipelineData) for one in named.values()):
        raise DefinitionError(
            "outputs of a module is a dict of port to PipelineData",
            where=where,
            given=given,
            fix="leave it out, and take step.outputs['port']; or write outputs={'port': PipelineData('name')}",
        )
    return named


def _output(port: OutputDeclaration, given: PipelineData | None, where: str) -> PipelineData:
    kind = port.type.kind or "folder"
    if given is None:
        return PipelineData(port.name, kind=kind, filename=port.filename, optional=port.optional)
    wrong = (
        ("kind", given.kind, kind, given.kind == "file" and kind == "folder"),
        ("filename", given.filename, port.filename, given.filename not in (None, port.filename)),
        ("optional", given.optional, port.optional, given.optional and not port.optional),
    )
    for option, said, valid, contradicts in wrong:
        if contradicts:
            raise DefinitionError(
                f"{option} of an output is the module's to say",
                where=f"{where}: output {port.name!r}",
                given=said,
                valid=(valid,),
                fix=f"leave {option} out",
            )
    return PipelineData(
        port.name,
        datastore=given.datastore,
        kind=kind,
        filename=port.filename,
        optional=port.optional,
        path=given.path,
        asset=given.asset,
        volatile=given.volatile,
    )

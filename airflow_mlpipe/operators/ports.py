"""From what an author writes to plain values: inputs, outputs and arguments of a step.

Runs while the DAG file is parsed, so it checks everything that can be known there, does no I/O, and gives only lists,
dicts and strings in a canonical order: Airflow serialises them, and a DAG that is parsed twice must serialise to
identical bytes.  A *port* is ``{"name": ..., "data": {...}}`` for data that exist already and
``{"name": ..., "from": X}`` for outputs of other steps, where X is an XComArg or a list of them (Airflow makes the
dependency of it, and replaces it by references when it renders the task).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import DataReference, Datastore, NamedInput, PipelineData
from airflow_mlpipe.model.names import check_port
from airflow_mlpipe.model.reference import is_absent, is_reference
from airflow_mlpipe.model.step import InputPath, OutputPath

Port = dict[str, Any]
_OUTPUTS = "mlpipe_output_names"
_DATA_OBJECTS = "DataReference, PipelineData, step.outputs['name'], or a list of the latter two"
_DATA_FIELDS = ("path", "version", "identity")


def is_xcom(value: object) -> bool:
    """Whether a value is an XComArg (or another thing that Airflow resolves at run time)."""
    from airflow.sdk.definitions._internal.mixins import ResolveMixin

    return isinstance(value, ResolveMixin)


def is_deferred(value: Any) -> bool:
    """Whether a value, or something in it, is known in a run only."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(map(is_deferred, value.values()))
    return is_xcom(value) or (isinstance(value, (list, tuple)) and any(map(is_deferred, value)))


def declare_outputs(step: object, names: frozenset[str]) -> None:
    """Write on a step, mapped or not, which outputs it has."""
    object.__setattr__(step, _OUTPUTS, names)


def output_names(step: object) -> frozenset[str]:
    """Names of the declared outputs of a step of ours; empty for any other operator."""
    names: frozenset[str] = getattr(step, _OUTPUTS, frozenset())
    return names


def data_to_plain(data: DataReference) -> dict[str, Any]:
    """A DataReference as a dict that Airflow can render (paths may hold templates) and serialise."""
    store = {"name": data.datastore.name, "url": data.datastore.url, "connection": data.datastore.connection}
    plain: dict[str, Any] = {"datastore": {k: v for k, v in store.items() if v is not None}}
    return plain | {name: value for name in _DATA_FIELDS if (value := getattr(data, name)) is not None}


def data_from_plain(name: str, plain: Mapping[str, Any]) -> DataReference:
    """Read :func:`data_to_plain` back.  :raises PathError: when a rendered path leaves its root."""
    store = plain["datastore"]
    return DataReference(
        Datastore(store["name"], url=store.get("url"), connection=store.get("connection")),
        plain["path"],
        name=name,
        version=plain.get("version"),
        identity=plain.get("identity", "auto"),
    )


@dataclass(slots=True)
class Inputs:
    """The input ports of a step while they are collected.

    :ivar ports: in the order in which they were said.
    :ivar names: port name by ``id`` of the data object, for the arguments that repeat it.
    :ivar pending: data objects whose producer is looked for: (port, index in its list or ``None``, object).
    """

    where: str
    ports: list[Port] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    pending: list[tuple[Port, int | None, PipelineData]] = field(default_factory=list)

    def add_all(self, given: Any) -> None:
        """Take what the author gave for ``inputs``.  :raises DefinitionError: for what is no data object."""
        if given is None:
            return
        if is_reference(given):
            self.add(str(given["name"]), given)
        elif isinstance(given, Mapping):
            for name, value in given.items():
                self.add(str(name), value)
        elif isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
            for value in given:
                self.add(None, value)
        else:
            raise DefinitionError(
                "inputs is a list of data objects, or a dict of port name to data object", where=self.where, given=given
            )

    def add(self, name: str | None, value: Any) -> str:
        """Add one port and return its name."""
        if isinstance(value, Mapping) and set(value) <= {"name", "data", "from"} and "name" in value:
            return self._append(dict(value), value)  # a port already: a mapped step is built a second time
        if isinstance(value, NamedInput):
            name, value = value.name if name is None else name, value.data
        name = check_port(self._name_of(value) if name is None else name, where=f"{self.where}: inputs")
        port: Port = {"name": name}
        if isinstance(value, DataReference):
            port["data"] = data_to_plain(value)
        elif isinstance(value, (list, tuple)):
            if not value:
                raise DefinitionError("an input of no data", where=f"{self.where}: inputs[{name!r}]", given=value)
            port["from"] = [self._source(port, i, item) for i, item in enumerate(value)]
        else:
            port["from"] = self._source(port, None, value)
        return self._append(port, value)

    def _append(self, port: Port, value: object) -> str:
        name: str = port["name"]
        if any(p["name"] == name for p in self.ports):
            raise DefinitionError(
                f"two inputs are named {name!r}",
                where=self.where,
                fix="give inputs as a dict, inputs={'a': x, 'b': y}, or rename one with x.as_input('a')",
            )
        self.ports.append(port)
        self.names[id(value)] = name
        return name

    def _source(self, port: Port, index: int | None, value: Any) -> Any:
        if isinstance(value, NamedInput):
            value = value.data
        if isinstance(value, PipelineData):
            self.pending.append((port, index, value))
            return None
        if is_xcom(value) or is_reference(value) or is_absent(value):
            return value
        raise DefinitionError(
            "not a data object",
            where=f"{self.where}: inputs[{port['name']!r}]",
            given=value,
            valid=_DATA_OBJECTS,
        )

    def _name_of(self, value: Any) -> str:
        if isinstance(value, (DataReference, PipelineData)):
            return value.name
        if is_reference(value) or is_absent(value):
            return str(value["name"])
        key = getattr(value, "key", None)
        if is_xcom(value) and isinstance(key, str) and key != "return_value":
            return key
        if not is_xcom(value) and not isinstance(value, (list, tuple)):
            raise DefinitionError("not a data object", where=f"{self.where}: inputs", given=value, valid=_DATA_OBJECTS)
        raise DefinitionError(
            "this input needs a name",
            where=f"{self.where}: inputs",
            given=value,
            fix="give inputs as a dict, inputs={'name': x}",
        )


def check_outputs(given: Any, *, where: str) -> tuple[PipelineData, ...]:
    """The outputs of a step.  :raises DefinitionError: for what is no PipelineData, and for two of one name."""
    outputs: dict[str, PipelineData] = {}
    if given is not None and not isinstance(given, Iterable):
        raise DefinitionError("outputs is a list of PipelineData", where=where, given=given, fix="write outputs=[x]")
    for value in given or ():
        if not isinstance(value, PipelineData):
            raise DefinitionError(
                "not an output", where=f"{where}: outputs", given=value, valid="PipelineData(name)", fix="wrap the name"
            )
        if value.name in outputs:
            raise DefinitionError(f"two outputs are named {value.name!r}", where=where, fix="rename one")
        outputs[value.name] = value
    return tuple(outputs.values())


def plain_arguments(
    given: Any, inputs: Inputs, outputs: Sequence[PipelineData], *, where: str, add: bool = True
) -> list[Any] | Any:
    """Arguments with the data objects in them replaced by ``{"input": name}`` and ``{"output": name}``.

    :param add: whether a data object that is not among the inputs becomes one (it does not when a mapped step gets its
        inputs from ``expand``).
    :raises DefinitionError: for a shell string, and for a value that is no argument.
    """
    if given is None:
        return []
    if is_xcom(given):
        return given
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
        raise DefinitionError(
            "arguments is a list, one item an argument; no shell reads it",
            where=where,
            given=given,
            fix="write arguments=['--input', raw, '--rate', '{{ params.rate }}']",
        )
    return [_argument(value, i, inputs, outputs, where, add) for i, value in enumerate(given)]


def _argument(value: Any, index: int, inputs: Inputs, outputs: Sequence[PipelineData], where: str, add: bool) -> Any:
    at = f"{where}: arguments[{index}]"
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, InputPath):
        return {"input": check_port(value.name, where=at)}
    if isinstance(value, OutputPath):
        return {"output": check_port(value.name, where=at)}
    if isinstance(value, Mapping) and len(value) == 1 and set(value) <= {"input", "output"}:
        return dict(value)
    if isinstance(value, PipelineData) and any(o is value for o in outputs):
        return {"output": value.name}
    if id(value) in inputs.names:
        return {"input": inputs.names[id(value)]}
    if isinstance(value, (PipelineData, DataReference, NamedInput)) or is_reference(value):
        return {"input": inputs.add(None, value) if add else _port_name(value)}
    if is_xcom(value):
        return _xcom_argument(value, inputs, add)
    raise DefinitionError(
        "not an argument",
        where=at,
        given=value,
        valid="text, a number, a bool, a path, a data object, or a step's output",
    )


def _port_name(value: Any) -> str:
    return str(value["name"]) if is_reference(value) else str(value.name)


def _xcom_argument(value: Any, inputs: Inputs, add: bool) -> Any:
    """An XComArg is data when it is a declared output of a step of ours, else a plain value."""
    key = getattr(value, "key", None)
    for port in inputs.ports:  # ``step.outputs["x"]`` makes a new object each time: compare what it points to
        source = port.get("from")
        if getattr(source, "operator", None) is value.operator and getattr(source, "key", None) == key:
            return {"input": port["name"]}
    if key in output_names(getattr(value, "operator", None)):
        return {"input": inputs.add(None, value) if add else key}
    return value

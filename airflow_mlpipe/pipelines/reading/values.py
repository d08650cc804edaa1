"""Values of a pipeline's file that have a record of their own: parameters, data, secrets, outputs, groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from airflow_mlpipe.model.data import DataReference, Datastore, Kind, PipelineData, Volatile
from airflow_mlpipe.model.environment import Secret
from airflow_mlpipe.model.reuse import POLICIES, Reuse
from airflow_mlpipe.pipelines.records import Data, Group, Output, Parameter
from airflow_mlpipe.pipelines.schedules import Asset
from airflow_mlpipe.written.members import Members, made, names_of
from airflow_mlpipe.written.mistakes import Mistakes
from airflow_mlpipe.written.places import Place

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
OUTPUT = ("kind", "filename", "optional", "datastore", "path", "asset", "volatile")
"""What an output may say."""


def json_type(value: object) -> str | None:
    """The type of a value in JSON Schema; ``None`` for one that says nothing of its type."""
    return _TYPES.get(type(value))


def read_parameter(name: str, value: Any, place: Place, mistakes: Mistakes) -> Parameter:
    """A parameter: its default value, whose type it gets, or a JSON Schema with ``default``."""
    if not isinstance(value, Mapping):
        kind = json_type(value)
        return Parameter(name=name, default=value, schema={"type": kind} if kind else {})
    schema = {key: one for key, one in value.items() if key not in ("default", "required", "description")}
    members = Members(value, place, mistakes, what="a parameter")
    required = members.boolean("required") or False
    if required == ("default" in members):
        what = "a parameter has a default, or is required"
        mistakes.add(place, what, fix="remove one of the two" if required else "add default: or required: true")
    description = members.text("description")
    return Parameter(name=name, default=value.get("default"), required=required, description=description, schema=schema)


def read_datastore(name: str, value: Any, place: Place, mistakes: Mistakes) -> Datastore | None:
    """A datastore by URL; one without is Airflow's connection, or the configuration's, of this name."""
    members = Members(
        value if value is not None else {}, place, mistakes, what="a datastore", known=names_of(Datastore)
    )
    said, url, connection = members.text("name") or name, members.text("url"), members.text("connection")
    return members.made(place, lambda: Datastore(said, url=url, connection=connection))


def datastore_of(members: Members, name: str, datastores: Mapping[str, Datastore]) -> Datastore | None:
    """A datastore that a member names."""
    said = members.text(name)
    if said is None:
        return None
    return datastores.get(said) or members.made(members.at(name), lambda: Datastore(said))


def read_data(
    name: str,
    value: Any,
    place: Place,
    mistakes: Mistakes,
    datastores: Mapping[str, Datastore],
    text: Callable[[str, Place], Any],
) -> Data | None:
    """Data that exist already.  :param text: fills in the parameters of a text."""
    members = Members(value, place, mistakes, what="data", known=("datastore", "path", "version", "identity"))
    datastore = datastore_of(members, "datastore", datastores)
    if datastore is None:
        if "datastore" not in members and isinstance(value, Mapping):
            mistakes.add(place, "data are in a datastore", fix="add datastore: NAME")
        return None
    version, identity = members.text("version"), members.choice("identity", ("auto", "content")) or "auto"
    path = str(text(members.text("path") or "", members.at("path")))
    made = members.made(
        place,
        lambda: DataReference(datastore, path, name=name, version=version, identity=identity),  # type: ignore[arg-type]
    )
    if made is None:
        return None
    return Data(name=name, datastore=datastore, path=made.path, version=version, identity=made.identity)


def read_reuse(value: Any, place: Place, mistakes: Mistakes) -> Reuse | None:
    """A reuse policy: its name, true or false, or all of it."""
    if isinstance(value, bool):
        return Reuse() if value else Reuse(policy="never")
    if isinstance(value, str):
        value = {"policy": value}
        mistakes.places.values.setdefault((*place, "policy"), mistakes.places.line(place))
        mistakes.places.columns.setdefault(((*place, "policy"), False), mistakes.places.column(place))
    members = Members(value, place, mistakes, what="reuse", known=names_of(Reuse))
    policy: Any = members.choice("policy", POLICIES) or "if_unchanged"
    version, age, ignored = members.text("version"), members.duration("max_age"), members.texts("ignore")
    return members.made(place, lambda: Reuse(policy=policy, version=version, max_age=age, ignore=ignored))


def read_secret(value: Any, place: Place, mistakes: Mistakes) -> Secret | None:
    """A secret by reference."""
    members = Members(value, place, mistakes, what="a secret", known=names_of(Secret))
    said = {n: members.text(n) for n in ("connection", "variable")}
    field = members.text("field") or "password"
    return members.made(place, lambda: Secret(**said, field=field))


def read_asset(value: Any, place: Place, mistakes: Mistakes) -> Asset | None:
    """An asset: its name or URI, or all of it."""
    if isinstance(value, str) and value:
        return Asset(name=value)
    members = Members(value, place, mistakes, what="an asset", known=("name", "uri", "group", "extra"))
    name, uri, group = (members.text(n) for n in ("name", "uri", "group"))
    if not (name or uri):
        if isinstance(value, Mapping):
            mistakes.add(place, "an asset has a name")
        return None
    return Asset(name=name or uri or "", uri=uri, group=group, extra=tuple(sorted(members.mapping("extra").items())))


def read_output(
    name: str, value: Any, place: Place, mistakes: Mistakes, datastores: Mapping[str, Datastore]
) -> Output | None:
    """An output: ``folder``, ``file``, or all of it."""
    if value is None:
        value = {}
    if isinstance(value, str):
        value = {"kind": value}
        mistakes.places.values.setdefault((*place, "kind"), mistakes.places.line(place))
        mistakes.places.columns.setdefault(((*place, "kind"), False), mistakes.places.column(place))
    members = Members(value, place, mistakes, what="an output", known=OUTPUT)
    kind: Any = members.choice("kind", get_args(Kind)) or "folder"
    asset = read_asset(members.raw("asset"), members.at("asset"), mistakes) if "asset" in members else None
    datastore = datastore_of(members, "datastore", datastores)
    parts = [
        _volatile(one, (*members.at("volatile"), i), mistakes) for i, one in enumerate(members.sequence("volatile"))
    ]
    volatile = tuple(one for one in parts if one is not None)
    filename, path, optional = members.text("filename"), members.text("path"), members.boolean("optional") or False
    if made(place, mistakes, lambda: PipelineData(name, kind=kind, filename=filename, path=path)) is None:
        return None
    return Output(
        name=name,
        kind=kind,
        filename=filename,
        optional=optional,
        datastore=datastore,
        path=path,
        asset=asset,
        volatile=volatile,
    )


def _volatile(value: Any, place: Place, mistakes: Mistakes) -> Volatile | None:
    if isinstance(value, str):
        return Volatile(value)
    members = Members(value, place, mistakes, what="a volatile part", known=names_of(Volatile))
    files = members.text("files")
    if not files:
        mistakes.add(place, "a volatile part names its files", fix="add files: PATTERN")
        return None
    pattern = members.text("pattern")
    return members.made(place, lambda: Volatile(files, pattern))


def read_group(name: str, value: Any, place: Place, mistakes: Mistakes) -> Group:
    """A group of steps."""
    known = ("parent", "prefix", "title", "tooltip", "description")
    members = Members(value if value is not None else {}, place, mistakes, what="a group", known=known)
    prefix = members.boolean("prefix")
    return Group(
        name=name,
        parent=members.text("parent"),
        prefix=True if prefix is None else prefix,
        title=members.text("title") or "",
        tooltip=members.text("tooltip") or "",
        description=members.text("description"),
    )

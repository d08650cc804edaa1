"""JSON for values that are made of plain ones: builtins, dates, enums, dataclasses, models, and leaves among them.

What JSON has is written as it is, all else as ``{"$type": ..., "value": ...}``; a dict that has such a member itself is
written as a list of pairs, so no value of a user can look like a tagged form.

Guarantees: the same value gives the same document in every process; :func:`decode` imports no module that a document
names and makes an object of a class only where the annotation names that class.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import types
import typing
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from airflow_mlpipe.values.errors import UnsupportedValueError
from airflow_mlpipe.values.names import type_names

KIND = "$type"
"""The member that marks the tagged form of a value that JSON does not have."""

Leaf = Callable[[Any, str], Any | None]
"""(value, path) -> the JSON document that stands for it, or ``None`` if it is no leaf."""

Load = Callable[[Mapping[str, Any], Any], Any]
"""(document of a leaf, wanted annotation) -> the value."""

_DEEPEST = 100
_SHORT = 1024  # bytes that are written in the document without asking for a leaf
_BITS = 14_000  # Python refuses to write, and to read back, decimals of more than 4300 digits
_DICTS = (dict, OrderedDict, defaultdict)
_BUILTINS = frozenset({type(None), bool, int, float, str, list, tuple, dict, set, frozenset})


# --------------------------------------------------------------------------------------------------------------- encode
def encode(value: Any, leaf: Leaf, *, path: str = "value") -> Any:
    """The JSON document of a value.

    :param leaf: asked first about every value that is not of exactly a builtin type, and about bytes over 1 KiB.
    :param path: what the value is called in an error.
    :raises UnsupportedValueError: for a value that has no form here and is no leaf, one that contains itself, and one
        that is nested more than 100 deep.
    """
    return _Encoder(leaf).write(value, path, 0)


def is_plain(value: Any) -> bool:
    """Whether ``json.loads(json.dumps(value))`` gives exactly this value, and :func:`encode` leaves it as it is."""
    return _is_plain(value, 0)


def _is_plain(value: Any, depth: int) -> bool:
    kind = type(value)
    if depth > _DEEPEST:
        return False
    if value is None or kind is bool:
        return True
    if kind is int:
        return bool(value.bit_length() <= _BITS)
    if kind is float:
        return math.isfinite(value)
    if kind is str:
        return _is_text(value)
    if kind is list:
        return all(_is_plain(member, depth + 1) for member in value)
    return kind is dict and _is_members(value) and all(_is_plain(member, depth + 1) for member in value.values())


def _is_text(value: Any) -> bool:
    """Whether it is text without halves of surrogate pairs: JSON joins two that follow each other."""
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_members(value: Mapping[Any, Any]) -> bool:
    return KIND not in value and all(_is_text(name) for name in value)


def _tagged(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    return {KIND: kind, **more, "value": value}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _sort_key(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


def _class_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


class _Encoder:
    """Walks a value; it has no state but ``leaf``."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf

    def write(self, value: Any, path: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise UnsupportedValueError(
                path, value, why="is nested more than 100 deep", fix="nest less deeply; let no value contain itself"
            )
        kind = type(value)
        if kind not in _BUILTINS and not (kind is bytes and len(value) <= _SHORT):
            document = self._leaf(value, path)
            if document is not None:
                return _tagged("leaf", document)
        if kind in _SCALARS:
            return _SCALARS[kind](value)
        if kind in _DICTS:
            return self._dict(value, path, depth)
        if kind in (list, tuple):
            members = [self.write(member, f"{path}[{i}]", depth + 1) for i, member in enumerate(value)]
            return members if kind is list else _tagged("tuple", members)
        if kind in (set, frozenset):
            return _tagged(
                kind.__name__, sorted((self.write(m, f"{path}{{}}", depth + 1) for m in value), key=_sort_key)
            )
        return self._other(value, path, depth)

    def _dict(self, value: Mapping[Any, Any], path: str, depth: int) -> Any:
        if _is_members(value):
            return {name: self.write(member, f"{path}[{name!r}]", depth + 1) for name, member in value.items()}
        return _tagged(
            "dict",
            [
                [self.write(name, f"{path}<key>", depth + 1), self.write(member, f"{path}[{name!r}]", depth + 1)]
                for name, member in value.items()
            ],
        )

    def _other(self, value: Any, path: str, depth: int) -> Any:
        kind = type(value)
        if isinstance(value, Enum):
            raw = self.write(value.value, f"{path}.value", depth + 1)
            return _tagged("enum", raw, **{"class": _class_name(kind), "name": value.name})
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return self._object(kind, dict(zip(kind._fields, value, strict=True)), path, depth)
        foreign = _library_scalar(value, path)
        if foreign is not None:
            return foreign
        if isinstance(value, (datetime, time)):
            return _clock(value, path)
        if isinstance(value, date) and _is_stdlib(kind, date):
            return _tagged("date", date.isoformat(value))
        if isinstance(value, tzinfo):
            return _zone(value, path)
        fields = None if isinstance(value, tuple(_BUILTINS)) else field_names(kind)
        if fields is None:
            raise UnsupportedValueError(path, value)
        extra = getattr(value, "__pydantic_extra__", None) or {}
        members = {name: getattr(value, name) for name in fields if hasattr(value, name)}
        return self._object(kind, {**members, **extra}, path, depth)

    def _object(self, kind: type, members: Mapping[str, Any], path: str, depth: int) -> Any:
        written = {name: self.write(member, f"{path}.{name}", depth + 1) for name, member in members.items()}
        return _tagged("object", written, **{"class": _class_name(kind)})


def _int(value: int) -> Any:
    return value if value.bit_length() <= _BITS else _tagged("int", hex(value))


def _float(value: float) -> Any:
    return value if math.isfinite(value) else _tagged("float", repr(value))


def _str(value: str) -> Any:
    return value if _is_text(value) else _tagged("str", _base64(value.encode("utf-8", "surrogatepass")))


_SCALARS: dict[type, Callable[[Any], Any]] = {
    type(None): lambda v: v,
    bool: lambda v: v,
    int: _int,
    float: _float,
    str: _str,
    bytes: lambda v: _tagged("bytes", _base64(v)),
    complex: lambda v: _tagged("complex", [repr(v.real), repr(v.imag)]),
    timedelta: lambda v: _tagged("timedelta", [v.days, v.seconds, v.microseconds]),
    Decimal: lambda v: _tagged("decimal", str(v)),
    UUID: lambda v: _tagged("uuid", str(v)),
    PurePosixPath: lambda v: _tagged("posixpath", _str(str(v))),
    PureWindowsPath: lambda v: _tagged("windowspath", _str(str(v))),
}


def _is_stdlib(kind: type, base: type) -> bool:
    """Whether a date is of exactly this class, or pendulum's, which says nothing more."""
    return kind is base or kind.__module__.partition(".")[0] == "pendulum"


def _clock(value: datetime | time, path: str) -> dict[str, Any]:
    base = datetime if isinstance(value, datetime) else time
    if not _is_stdlib(type(value), base):
        raise UnsupportedValueError(path, value)
    zone = None if value.tzinfo is None else _zone(value.tzinfo, f"{path}.tzinfo")
    text = base.isoformat(value.replace(tzinfo=None, fold=0))  # type: ignore[arg-type]
    return _tagged(base.__name__, text, zone=zone, fold=value.fold)


def _zone(zone: tzinfo, path: str) -> dict[str, Any]:
    if isinstance(zone, ZoneInfo) and zone.key:
        return _tagged("zone", zone.key)
    if not isinstance(zone, timezone) and not type(zone).__module__.startswith("pendulum."):
        raise UnsupportedValueError(path, zone, fix="use zoneinfo.ZoneInfo or datetime.timezone")
    offset = zone.utcoffset(None)
    if offset is None:
        raise UnsupportedValueError(path, zone, fix="use zoneinfo.ZoneInfo or datetime.timezone")
    name = zone.tzname(None) if isinstance(zone, timezone) else None
    name = None if name == timezone(offset).tzname(None) else name
    return _tagged("timezone", [offset.days, offset.seconds, offset.microseconds], name=name)


def _library_scalar(value: Any, path: str) -> dict[str, Any] | None:
    """Scalars of numpy and pandas, known by the name of their type."""
    kind: Any = type(value)
    names = type_names(kind)
    if "numpy.generic" in names:
        if value.dtype.kind in "VO":
            raise UnsupportedValueError(path, value)
        return _tagged("numpy", {"dtype": value.dtype.str, "value": _base64(value.tobytes())})
    if not names or names[0] not in ("pandas.Timestamp", "pandas.Timedelta", "pandas.NaTType"):
        return None
    if names[0] == "pandas.NaTType":
        return _tagged("pandas.NaT", None)
    count = int(value.asm8.view("i8"))
    if names[0] == "pandas.Timedelta":
        return _tagged("pandas.Timedelta", count, unit=value.unit)
    named = getattr(value.tzinfo, "zone", None)  # pytz; the count is in UTC, so its name is all that it says
    zone = None if value.tzinfo is None else _tagged("zone", named) if named else _zone(value.tzinfo, f"{path}.tzinfo")
    return _tagged("pandas.Timestamp", count, unit=value.unit, zone=zone)


def field_names(kind: Any) -> tuple[str, ...] | None:
    """Names of the fields of a dataclass, attrs class, pydantic model or NamedTuple; ``None`` for other types."""
    if not isinstance(kind, type):
        return None
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if hasattr(kind, "__attrs_attrs__"):
        return tuple(field.name for field in kind.__attrs_attrs__)
    if hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_fields"):
        return tuple(kind.model_fields)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return tuple(kind._fields)
    return None


# --------------------------------------------------------------------------------------------------------------- decode
def decode(document: Any, wanted: Any, load: Load) -> Any:
    """The value of a document.

    :param wanted: the annotation of who asks. Objects and enum members become members of the classes that it names,
        here and in the fields of these; those that it does not name come back as a dict, and as the member's value.
    :param load: gives the value of a leaf.
    :raises ValueError: for a document that :func:`encode` did not write, and one that the wanted class refuses.
    """
    return _Decoder(load).read(document, wanted)


class _Decoder:
    """Walks a document; it has no state but ``load``."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def read(self, document: Any, wanted: Any) -> Any:
        tag = document.get(KIND) if isinstance(document, dict) else None
        if tag == "leaf":
            return self._load(document["value"], wanted)
        asked = _arm(document, _bare(wanted))
        if tag is not None:
            return self._tagged(tag, document, asked)
        if isinstance(document, list):
            return self._members(document, asked)
        if isinstance(document, dict):
            return self._mapping(document, asked)
        if _is_enum(asked):
            return _member(asked, None, document)
        return document

    def _members(self, documents: list[Any], asked: Any) -> list[Any]:
        args = typing.get_args(asked)
        if typing.get_origin(asked) is tuple and not (len(args) == 2 and args[1] is Ellipsis):
            hints = args if len(args) == len(documents) else [Any] * len(documents)
            return [self.read(member, hint) for member, hint in zip(documents, hints, strict=True)]
        return [self.read(member, args[0] if args else Any) for member in documents]

    def _mapping(self, document: dict[str, Any], asked: Any) -> Any:
        if field_names(_class_of(asked)) is not None:
            return self._build(document, asked, exact=False)
        if typing.is_typeddict(asked):
            hints = _hints(asked)
            return {name: self.read(member, hints.get(name, Any)) for name, member in document.items()}
        hint = _value_hint(asked)
        return {name: self.read(member, hint) for name, member in document.items()}

    def _tagged(self, tag: str, document: dict[str, Any], asked: Any) -> Any:
        value = document["value"]
        if tag in ("tuple", "set", "frozenset"):
            return {"tuple": tuple, "set": set, "frozenset": frozenset}[tag](self._members(value, asked))
        if tag == "dict":
            key = (typing.get_args(asked) or (Any,))[0]
            return {self.read(name, key): self.read(member, _value_hint(asked)) for name, member in value}
        if tag == "object":
            if field_names(_class_of(asked)) is None:
                return self._mapping(value, asked)
            return self._build(value, asked, exact=document.get("class") == _class_name(_class_of(asked)))
        if tag == "enum":
            raw = self.read(value, Any)
            return _member(asked, document.get("name"), raw) if _is_enum(asked) else raw
        if tag not in _READERS:
            raise ValueError(f"no form of a value is called {tag!r}")
        return _READERS[tag](document)

    def _build(self, members: Mapping[str, Any], asked: Any, *, exact: bool) -> Any:
        kind = _class_of(asked)
        hints = _hints(kind)
        values = {name: self.read(member, hints.get(name, Any)) for name, member in members.items()}
        try:
            return (
                _restore(kind, values) if exact and set(field_names(kind) or ()) <= set(values) else _make(kind, values)
            )
        except TypeError as error:
            raise ValueError(f"the members {sorted(values)} do not make a {_class_name(kind)}: {error}") from error


def _make(kind: Any, values: dict[str, Any]) -> Any:
    """Call the constructor, with its checks and defaults."""
    if hasattr(kind, "model_validate"):
        return kind.model_validate(values)
    if hasattr(kind, "__attrs_attrs__"):
        aliases = {field.name: getattr(field, "alias", None) or field.name for field in kind.__attrs_attrs__}
        return kind(**{aliases.get(name, name): value for name, value in values.items()})
    return kind(**values)


def _restore(kind: Any, values: dict[str, Any]) -> Any:
    """The very object that was written: its fields, without running what its constructor would do to them."""
    names = field_names(kind) or ()
    if issubclass(kind, tuple):
        return kind(**values)
    if not hasattr(kind, "model_validate"):
        if set(values) != set(names):
            return _make(kind, values)
        new = kind.__new__(kind)
        for name, value in values.items():
            object.__setattr__(new, name, value)
        return new
    extra = {name: value for name, value in values.items() if name not in names}
    if extra and kind.model_config.get("extra") != "allow":
        return _make(kind, values)
    new = kind.__new__(kind)
    new.__setstate__(
        {
            "__dict__": {name: values[name] for name in names},
            "__pydantic_extra__": extra if kind.model_config.get("extra") == "allow" else None,
            "__pydantic_fields_set__": set(values),
            "__pydantic_private__": None,
        }
    )
    if kind.__private_attributes__:
        new.model_post_init(None)
    return new


def _member(kind: Any, name: str | None, value: Any) -> Any:
    found = kind.__members__.get(name)
    return kind(value) if found is None else found


# ---------------------------------------------------------------------------------------------------------- annotations
def _bare(annotation: Any) -> Any:
    """Without Annotated, Required, NewType and aliases."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated or getattr(origin, "_name", None) in (
            "Required",
            "NotRequired",
            "ReadOnly",
            "Final",
        ):
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _class_of(annotation: Any) -> Any:
    """The class of ``Box`` and of ``Box[int]``."""
    return typing.get_origin(annotation) or annotation


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}


def _value_hint(asked: Any) -> Any:
    args = typing.get_args(asked)
    kind = _class_of(asked)
    return args[1] if len(args) == 2 and isinstance(kind, type) and issubclass(kind, Mapping) else Any


def _arm(document: Any, asked: Any) -> Any:
    """The member of a union that a document is for; the annotation itself when it is none."""
    if typing.get_origin(asked) not in (typing.Union, types.UnionType):
        return asked
    arms = [_arm(document, _bare(arm)) for arm in typing.get_args(asked)]
    fitting = [arm for arm in arms if _fits(document, arm)]
    if isinstance(document, dict):
        named = [arm for arm in fitting if _class_name_of(arm) == document.get("class")]
        members = document["value"] if KIND in document else document
        same = [
            arm for arm in fitting if isinstance(members, dict) and set(field_names(_class_of(arm)) or ()) == {*members}
        ]
        fitting = named or same or fitting
    return fitting[0] if fitting else Any


def _class_name_of(arm: Any) -> str | None:
    kind = _class_of(arm)
    return _class_name(kind) if isinstance(kind, type) else None


def _fits(document: Any, arm: Any) -> bool:
    kind = _class_of(arm)
    if not isinstance(kind, type) or kind is Any or getattr(kind, "_is_protocol", False):
        return False
    tag = document.get(KIND) if isinstance(document, dict) else None
    if tag == "enum":
        return issubclass(kind, Enum)
    if tag in ("tuple", "set", "frozenset"):
        return issubclass({"tuple": tuple, "set": set, "frozenset": frozenset}[cast(str, tag)], kind)
    if tag == "object" or (tag is None and isinstance(document, dict)):
        plain = tag is None and issubclass(kind, Mapping)
        return field_names(kind) is not None or typing.is_typeddict(kind) or plain
    if tag == "dict":
        return issubclass(dict, kind)
    if issubclass(kind, Enum):
        return any(member.value == document for member in kind)
    return isinstance(document, kind)


# -------------------------------------------------------------------------------------------------------------- readers
def _read_zone(document: Any) -> tzinfo | None:
    if document is None:
        return None
    if document[KIND] == "zone":
        return ZoneInfo(document["value"])
    days, seconds, microseconds = document["value"]
    offset = timedelta(days, seconds, microseconds)
    name = document.get("name")
    if name is None:
        return timezone.utc if not offset else timezone(offset)
    return timezone(offset, name)


def _read_str(document: Any) -> str:
    if isinstance(document, str):
        return document
    return base64.b64decode(document["value"]).decode("utf-8", "surrogatepass")


def _read_clock(kind: Any) -> Callable[[Mapping[str, Any]], Any]:
    return lambda d: kind.fromisoformat(d["value"]).replace(tzinfo=_read_zone(d["zone"]), fold=d["fold"])


def _read_numpy(document: Mapping[str, Any]) -> Any:
    import numpy as np

    kind = np.dtype(document["value"]["dtype"])
    if kind.kind in "VO":
        raise ValueError(f"no scalar is of dtype {kind}")
    raw = base64.b64decode(document["value"]["value"])
    return np.frombuffer(raw, kind, 1)[0] if kind.itemsize else kind.type()


def _read_timestamp(document: Mapping[str, Any]) -> Any:
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    moment = pd.Timestamp(np.datetime64(document["value"], document["unit"]))
    zone = _read_zone(document["zone"])
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _read_span(document: Mapping[str, Any]) -> Any:
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    return pd.Timedelta(np.timedelta64(document["value"], document["unit"]))


def _read_nat(document: Mapping[str, Any]) -> Any:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    return pd.NaT


def _texts(values: Iterable[str]) -> list[float]:
    return [float(text) for text in values]


_READERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "int": lambda d: int(d["value"], 16),
    "float": lambda d: float(d["value"]),
    "str": _read_str,
    "bytes": lambda d: base64.b64decode(d["value"]),
    "complex": lambda d: complex(*_texts(d["value"])),
    "timedelta": lambda d: timedelta(*d["value"]),
    "decimal": lambda d: Decimal(d["value"]),
    "uuid": lambda d: UUID(d["value"]),
    "posixpath": lambda d: PurePosixPath(_read_str(d["value"])),
    "windowspath": lambda d: PureWindowsPath(_read_str(d["value"])),
    "date": lambda d: date.fromisoformat(d["value"]),
    "datetime": _read_clock(datetime),
    "time": _read_clock(time),
    "zone": _read_zone,
    "timezone": _read_zone,
    "numpy": _read_numpy,
    "pandas.Timestamp": _read_timestamp,
    "pandas.Timedelta": _read_span,
    "pandas.NaT": _read_nat,
}

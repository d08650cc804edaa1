"""One pod laid over another: members by name, elements of lists by their key, nothing replaced whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "protocol"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
}
"""By what the elements of a list are the same; those of any other list only if they are equal."""

_WHOLE = frozenset({"args", "command"})
"""Lists that are one value."""

_TERMS = "nodeSelectorTerms"
"""Any of them will do, so both pods' are met by their pairs."""


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``; neither is changed.  Elements of ``base`` come first, in its order."""
    found = dict(base)
    for name, value in over.items():
        old = found.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            found[name] = merge(old, value)
        elif isinstance(old, list) and isinstance(value, list) and name not in _WHOLE:
            found[name] = _pairs(old, value) if name == _TERMS else _lists(old, value, _KEYS.get(name, ()))
        elif value is not None:
            found[name] = value
    return found


def _lists(base: Sequence[Any], over: Sequence[Any], keys: tuple[str, ...]) -> list[Any]:
    found = {_key(one, keys): one for one in base}
    for one in over:
        key = _key(one, keys)
        found[key] = _element(found[key], one) if key in found else one
    return list(found.values())


def _element(base: Any, over: Any) -> Any:
    """A volume, or a variable, has one source: that of ``over`` replaces another one."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    merged = merge(base, over)
    if "value" in over:
        merged.pop("valueFrom", None)
    elif "valueFrom" in over:
        merged.pop("value", None)
    return merged


def _key(one: Any, keys: tuple[str, ...]) -> str:
    if keys and isinstance(one, Mapping) and keys[0] in one:
        return json.dumps([one.get(key) for key in keys])
    return json.dumps(one, sort_keys=True)


def _pairs(left: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_both(one, other) for one in left for other in right]


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    names = [name for name in ("matchExpressions", "matchFields") if one.get(name) or other.get(name)]
    return {name: [*(one.get(name) or ()), *(other.get(name) or ())] for name in names}

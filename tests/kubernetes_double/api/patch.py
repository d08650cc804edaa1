"""The three kinds of patch that clients send."""

from __future__ import annotations

import copy
from typing import Any

from kubernetes_double.api.status import ApiError, bad_request
from kubernetes_double.objects.resources import Object

# By which member strategic merge patches find the items of a list; lists not named here are replaced.
_MERGE_KEYS = {
    "ownerReferences": "uid",
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "conditions": "type",
    "imagePullSecrets": "name",
    "tolerations": "",
    "taints": "key",
    "addresses": "type",
}
_SETS = ("finalizers",)


def apply(content_type: str, target: Object, patch: Any) -> Object:
    """The patched object.

    :raises ApiError: 415 for a kind of patch that is not known, 400 for one that cannot be applied.
    """
    kind = content_type.partition(";")[0].strip()
    if kind == "application/json-patch+json":
        return _json_patch(target, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch is not an object")
    if kind == "application/merge-patch+json":
        return dict(_merge(target, patch))
    if kind == "application/strategic-merge-patch+json":
        return dict(_strategic(target, patch))
    known = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json"
    message = f"the body of the request was in an unknown format - accepted media types include: {known}"
    raise ApiError(415, "UnsupportedMediaType", message)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _strategic(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            merged[name] = [item for item in merged.get(name) or [] if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, list) and key in _SETS:
            merged[key] = list(dict.fromkeys([*(merged.get(key) or []), *value]))
        elif isinstance(value, list) and _MERGE_KEYS.get(key):
            merged[key] = _strategic_list(merged.get(key) or [], value, _MERGE_KEYS[key])
        else:
            merged[key] = _strategic(merged.get(key), value)
    return merged


def _strategic_list(target: list[Any], patch: list[Any], key: str) -> list[Any]:
    merged = copy.deepcopy(target)
    for item in patch:
        same = [i for i, old in enumerate(merged) if old.get(key) == item.get(key)]
        if item.get("$patch") == "delete":
            merged = [old for old in merged if old.get(key) != item.get(key)]
        elif same:
            merged[same[0]] = _strategic(merged[same[0]], item)
        else:
            merged.append(copy.deepcopy(item))
    return merged


def _json_patch(target: Object, patch: Any) -> Object:
    if not isinstance(patch, list):
        raise bad_request("a JSON patch is a list of operations")
    root: Any = copy.deepcopy(target)
    for operation in patch:
        path = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        try:
            _operate(root, operation["op"], path, operation.get("value"))
        except (KeyError, IndexError, ValueError, TypeError) as error:
            message = f"the server rejected our request due to an error in our request: {operation}"
            raise ApiError(422, "Invalid", message) from error
    return dict(root)


def _operate(root: Any, operation: str, path: list[str], value: Any) -> None:
    for part in path[:-1]:
        root = root[int(part)] if isinstance(root, list) else root[part]
    last: Any = path[-1]
    if isinstance(root, list):
        last = len(root) if last == "-" else int(last)
    if operation == "add" and isinstance(root, list):
        root.insert(last, value)
    elif operation == "add":
        root[last] = value
    elif operation == "replace":
        _ = root[last]
        root[last] = value
    elif operation == "remove":
        del root[last]
    elif operation == "test":
        if root[last] != value:
            raise ValueError(f"{value} is not there")
    else:
        raise ValueError(f"{operation} is not supported")

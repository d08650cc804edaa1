"""The files of secrets, config maps, the downward API and projections, laid out as a kubelet does."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from kubernetes_double.kubelet import fields
from kubernetes_double.kubelet.environment import contents
from kubernetes_double.kubelet.trouble import MountTrouble
from kubernetes_double.objects.resources import CONFIG_MAPS, SECRETS, Object, Resource
from kubernetes_double.objects.store import Key, Store

KINDS = ("secret", "configMap", "downwardAPI", "projected")
# The timestamped folder that the names point into; a kubelet changes all files at once by changing one link.
_VERSION = "..2026_01_01_00_00_00.000000001"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume."""

    path: str
    data: bytes
    mode: int


def files(store: Store, pod: Object, volume: dict[str, Any]) -> list[File]:
    """The files of a volume.

    :raises MountTrouble: if what they come from is not there.
    """
    kind = next(kind for kind in KINDS if kind in volume)
    source = volume[kind]
    mode = source["defaultMode"]
    if kind != "projected":
        return list(_files(store, pod, kind, source, mode))
    return [
        file
        for part in source.get("sources") or []
        for name, given in part.items()
        for file in _files(store, pod, name, given, mode)
    ]


def _files(store: Store, pod: Object, kind: str, source: dict[str, Any], mode: int) -> Iterator[File]:
    if kind == "serviceAccountToken":
        yield File(source["path"], secrets.token_urlsafe(32).encode(), 0o600)
    elif kind == "downwardAPI":
        for item in source.get("items") or []:
            if "fieldRef" in item:
                text = fields.field(pod, item["fieldRef"]["fieldPath"], "")
            else:
                text = fields.resource_field(pod, {}, item["resourceFieldRef"])
            yield File(item["path"], text.encode(), item.get("mode", mode))
    elif kind in ("secret", "configMap"):
        resource = SECRETS if kind == "secret" else CONFIG_MAPS
        yield from _from_object(store, pod, resource, source, mode)


def _from_object(store: Store, pod: Object, resource: Resource, source: dict[str, Any], mode: int) -> Iterator[File]:
    name = source.get("secretName") or source["name"]
    obj = store.find(Key(resource, pod["metadata"]["namespace"], name))
    if obj is None:
        if source.get("optional"):
            return
        raise MountTrouble(f'{resource.plural.removesuffix("s")} "{name}" not found')
    data = contents(obj)
    if "items" not in source:
        yield from (File(key, value, mode) for key, value in data.items())
    for item in source.get("items") or []:
        if item["key"] in data:
            yield File(item["path"], data[item["key"]], item.get("mode", mode))
        elif not source.get("optional"):
            raise MountTrouble(f"references non-existent {resource.kind.lower()} key: {item['key']}")


def archive(found: list[File], group: int | None) -> bytes:
    """The files as a tar archive: in a folder of their own, and links to them where they are looked for."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        _folder(out, ".", group)
        for parent in sorted({str(p) for file in found for p in PurePosixPath(_VERSION, file.path).parents} - {"."}):
            _folder(out, parent, group)
        for file in found:
            info = tarfile.TarInfo(f"{_VERSION}/{file.path}")
            info.size, info.mode = len(file.data), file.mode
            if group is not None:
                info.gid, info.mode = group, file.mode | 0o440
            out.addfile(info, io.BytesIO(file.data))
        _link(out, "..data", _VERSION)
        for top in sorted({PurePosixPath(file.path).parts[0] for file in found}):
            _link(out, top, f"..data/{top}")
    return buffer.getvalue()


def _folder(out: tarfile.TarFile, path: str, group: int | None) -> None:
    info = tarfile.TarInfo(path)
    info.type, info.mode = tarfile.DIRTYPE, 0o777 if path == "." else 0o755
    if group is not None:
        info.gid, info.mode = group, info.mode | 0o2070
    out.addfile(info)


def _link(out: tarfile.TarFile, path: str, target: str) -> None:
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
    out.addfile(info)

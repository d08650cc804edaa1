"""What the containers of a pod share: network, name, volumes.  A container that only waits holds them."""

from __future__ import annotations

import io
import shlex
import tarfile
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from docker.errors import APIError
from docker.types import Mount

from kubernetes_double.kubelet import content
from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.environment import hostname
from kubernetes_double.kubelet.trouble import MountTrouble
from kubernetes_double.objects.quantities import whole
from kubernetes_double.objects.resources import CLAIMS, NAMESPACES, Object
from kubernetes_double.objects.store import Key, Store

# A label of namespaces, of the double alone: its pods share the machine's network, as with ``hostNetwork``.
NETWORK = "kubernetes-double/network"
_ROOT = "/volumes"
_OWN = ".pod"
_WAIT = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"]
_MESSAGE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume of the pod.

    :param volume: its name at the engine; empty for a folder of the machine.
    :param path: where it is on the engine's machine.
    :param options: of the engine's driver: memory.
    :param lasting: whether it stays when the pod goes.
    :param files: what is written to it; such volumes are read-only.
    """

    name: str
    volume: str
    path: str = ""
    options: dict[str, str] | None = None
    lasting: bool = False
    files: tuple[content.File, ...] | None = None
    read_only: bool = False


class Sandbox:
    """Of one pod."""

    def __init__(self, engine: Engine, store: Store, pod: Object, image: str) -> None:
        self._engine, self._store, self._pod, self._image = engine, store, pod, image
        self._prefix = f"kd-{engine.session}-{pod['metadata']['uid'][:13]}"
        self._labels = {"mlpipe.kubernetes-double.pod": pod["metadata"]["uid"]}
        self._volumes: dict[str, Volume] = {}
        self._own = ""
        self.id = ""
        self.address = ""

    def make(self) -> None:
        """Make the volumes, then the container that holds them, then fill them.

        :raises MountTrouble: if something that a volume comes from is not there.
        """
        planned = [self._plan(volume) for volume in self._pod["spec"].get("volumes") or []]
        self._own = self._engine.volume(f"{self._prefix}-pod", self._labels)
        for volume in planned:
            path = volume.path
            if volume.volume:
                labels = {} if volume.lasting else self._labels
                path = self._engine.volume(volume.volume, labels, volume.options)
            self._volumes[volume.name] = replace(volume, path=path)
        self.id = self._container()
        self._engine.start(self.id)
        networks = self._engine.inspect(self.id)["NetworkSettings"]
        self.address = networks["IPAddress"] or "127.0.0.1"
        self._fill()

    def _plan(self, volume: dict[str, Any]) -> Volume:
        name, own = volume["name"], f"{self._prefix}-{volume['name']}"
        if "emptyDir" in volume:
            return Volume(name=name, volume=own, options=self._memory(volume["emptyDir"]))
        if "hostPath" in volume:
            return Volume(name=name, volume="", path=volume["hostPath"]["path"])
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]
            found = self._store.find(Key(CLAIMS, self._pod["metadata"]["namespace"], claim["claimName"]))
            if found is None:
                raise MountTrouble(f'persistentvolumeclaim "{claim["claimName"]}" not found')
            docker = claim_volume(self._engine, found)
            return Volume(name=name, volume=docker, lasting=True, read_only=claim.get("readOnly", False))
        try:
            files = content.files(self._store, self._pod, volume)
        except MountTrouble as trouble:
            raise MountTrouble(f'MountVolume.SetUp failed for volume "{name}" : {trouble}') from trouble
        return Volume(name=name, volume=own, files=tuple(files), read_only=True)

    def _memory(self, source: dict[str, Any]) -> dict[str, str] | None:
        if source.get("medium") != "Memory":
            return None
        size = f"size={whole(source['sizeLimit'])}," if "sizeLimit" in source else ""
        return {"type": "tmpfs", "device": "tmpfs", "o": f"{size}mode=1777"}

    @property
    def _group(self) -> int | None:
        group = (self._pod["spec"].get("securityContext") or {}).get("fsGroup")
        return None if group is None else int(group)

    def _container(self) -> str:
        spec = self._pod["spec"]
        mounts = [
            Mount(f"{_ROOT}/{volume.name}", volume.volume, type="volume", no_copy=True)
            for volume in self._volumes.values()
            if volume.volume
        ]
        mounts.append(Mount(f"{_ROOT}/{_OWN}", f"{self._prefix}-pod", type="volume", no_copy=True))
        host = bool(spec.get("hostNetwork")) or self._shares_network()
        aliases = {name: item["ip"] for item in spec.get("hostAliases") or [] for name in item.get("hostnames") or []}
        return self._engine.create(
            self._labels,
            image=self._image,
            name=f"{self._prefix}-pause",
            entrypoint=_WAIT,
            command=[],
            user="0:0",
            hostname=None if host else hostname(self._pod),
            network_mode="host" if host else None,
            ipc_mode="host" if spec.get("hostIPC") else "shareable",
            pid_mode="host" if spec.get("hostPID") else None,
            extra_hosts=aliases or None,
            mounts=mounts,
        )

    def _shares_network(self) -> bool:
        """Whether the pod's namespace is one of pods that reach servers on this machine's 127.0.0.1."""
        namespace = self._store.find(Key(NAMESPACES, "", self._pod["metadata"]["namespace"])) or {"metadata": {}}
        return (namespace["metadata"].get("labels") or {}).get(NETWORK) == "host"

    def _fill(self) -> None:
        group = self._group
        lines: list[str] = []
        for volume in self._volumes.values():
            if volume.files is not None:
                self._engine.put(self.id, f"{_ROOT}/{volume.name}", content.archive(list(volume.files), group))
            elif volume.volume and not volume.read_only:
                lines += _prepare(f"{_ROOT}/{volume.name}", group, lasting=volume.lasting)
        for mount in self._sub_paths():
            folder = shlex.quote(f"{_ROOT}/{mount['name']}/{mount['subPath']}")
            lines.append(f"[ -e {folder} ] || {{ mkdir -p {folder}; chmod 0777 {folder}; }}")
        if lines:
            code, said = self._engine.execute(self.id, ["/bin/sh", "-ec", "\n".join(lines)])
            if code:
                raise MountTrouble(f"failed to prepare the volumes: {said}")

    def _sub_paths(self) -> list[dict[str, Any]]:
        spec = self._pod["spec"]
        containers = [*(spec.get("initContainers") or []), *spec["containers"]]
        return [
            mount
            for container in containers
            for mount in container.get("volumeMounts") or []
            if mount.get("subPath") and self._is_writable(mount["name"])
        ]

    def _is_writable(self, name: str) -> bool:
        volume = self._volumes[name]
        return bool(volume.volume) and volume.files is None and not volume.read_only

    def mounts(self, container: dict[str, Any], attempt: int) -> list[Mount]:
        """What a container sees of the volumes, and the file for its last words."""
        mounts = [self._mount(mount) for mount in container.get("volumeMounts") or []]
        name = _message(container, attempt)
        info = tarfile.TarInfo(name)
        info.mode = 0o666
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as out:
            out.addfile(info)
        self._engine.put(self.id, f"{_ROOT}/{_OWN}", buffer.getvalue())
        return [*mounts, Mount(container["terminationMessagePath"], f"{self._own}/{name}", type="bind")]

    def _mount(self, mount: dict[str, Any]) -> Mount:
        volume = self._volumes[mount["name"]]
        read_only = bool(mount.get("readOnly") or volume.read_only)
        target = mount["mountPath"]
        if mount.get("subPath"):
            return Mount(target, f"{volume.path}/{mount['subPath']}", type="bind", read_only=read_only)
        if volume.volume:
            return Mount(target, volume.volume, type="volume", read_only=read_only, no_copy=True)
        return Mount(target, volume.path, type="bind", read_only=read_only)

    def last_words(self, container: dict[str, Any], attempt: int) -> str:
        """What the container wrote to its termination message."""
        with suppress(APIError):
            data = self._engine.take(self.id, f"{_ROOT}/{_OWN}/{_message(container, attempt)}")
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                file = archive.extractfile(archive.getmembers()[0])
                return file.read(_MESSAGE_BYTES).decode(errors="replace") if file else ""
        return ""

    def remove(self) -> None:
        """End it; what is in the pod's own volumes is lost once no container has them."""
        if self.id:
            self._engine.remove(self.id)
            self.id = ""

    def remove_volumes(self) -> None:
        """Remove the pod's own volumes.  Its containers must be gone."""
        for volume in self._volumes.values():
            if volume.volume and not volume.lasting:
                self._engine.remove_volume(volume.volume)
        self._engine.remove_volume(f"{self._prefix}-pod")


def claim_volume(engine: Engine, claim: Object) -> str:
    """The volume of a claim, at the engine."""
    return f"kd-{engine.session}-claim-{claim['metadata']['uid'][:13]}"


def _message(container: dict[str, Any], attempt: int) -> str:
    return f"message-{container['name']}-{attempt}"


def _prepare(folder: str, group: int | None, *, lasting: bool) -> list[str]:
    """An ``emptyDir`` is everybody's; a claim's volume is root's, as a new file system is, unless there is a group."""
    lines = [] if lasting else [f"chmod 0777 {folder}"]
    if group is not None:
        lines += [f"chown -R :{group} {folder}", f"chmod -R g+rwX {folder}"]
        lines += [f"find {folder} -type d -exec chmod g+s {{}} +"]
    return lines

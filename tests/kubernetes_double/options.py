"""What a double can be told when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node to declare.  What it has is only accounted: containers run on the machine of the Docker engine.

    :param taints: as ``(key, value, effect)``.
    """

    name: str
    allocatable: dict[str, str] = field(default_factory=lambda: {"cpu": "4", "memory": "8Gi", "pods": "110"})
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Numbers and names that differ between clusters.

    :param pause_image: what holds a pod's network and volumes; it needs a shell, ``chmod``, ``chown`` and ``find``.
    :param crash_seconds: a kubelet's first wait between restarts; it doubles up to ``crash_most``.
        Those of Kubernetes are the defaults.
    :param pull_seconds: the same between tries to get an image.
    :param mount_seconds: between tries to set up volumes.
    :param cannot_start: reason and exit code of a container whose program cannot be started.  ``("StartError", 128)``
        is what containerd says.
    """

    pause_image: str
    nodes: tuple[Node, ...] = (Node(name="node-a"), Node(name="node-b"))
    namespace: str = "default"
    priorities: dict[str, int] = field(
        default_factory=lambda: {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}
    )
    crash_seconds: float = 10
    crash_most: float = 300
    pull_seconds: float = 10
    pull_most: float = 300
    mount_seconds: float = 0.5
    cannot_start: tuple[str, int] = ("ContainerCannotRun", 127)

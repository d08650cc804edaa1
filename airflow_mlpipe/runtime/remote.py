"""Where things are on a machine whose folders are made for one attempt: all below one folder, ``/mlpipe``.

Besides those of :class:`~airflow_mlpipe.runtime.layout.Layout`: ``checkpoints``, which may be a volume that outlives
the attempt; ``kernel`` and ``site``, ours for Python programs; ``.agent``, what the agent keeps for itself.
"""

from __future__ import annotations

from pathlib import Path

from airflow_mlpipe.runtime.layout import Layout

TOP = Path("/mlpipe")

VOLUMES = Path("/mlpipe-data")
"""Datastores that are mounted there, in the agent's container and in the program's."""


def checkpoints_of(layout: Layout) -> Path:
    """``MLPIPE_CHECKPOINT_DIR``."""
    return layout.root / "checkpoints"


def caches_of(layout: Layout) -> Path:
    """``XDG_CACHE_HOME``: there is no host whose cache could be shared."""
    return layout.home / ".cache"


def kernel_of(layout: Layout) -> Path:
    """See :mod:`.kernel`."""
    return layout.root / "kernel"


def pysite_of(layout: Layout) -> Path:
    """See :mod:`.pysite`."""
    return layout.root / "site"


def agent_of(layout: Layout) -> Path:
    """The agent's own: blobs that inputs are links to, and its marks."""
    return layout.root / ".agent"


def ready_of(layout: Layout) -> Path:
    """Exists when everything is staged."""
    return agent_of(layout) / "ready"

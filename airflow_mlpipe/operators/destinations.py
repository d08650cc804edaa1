"""Plain copies of outputs at the paths that the author chose."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_mlpipe.model.records import ReuseRecord
from airflow_mlpipe.model.step import StepSpec

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores


def export_all(spec: StepSpec, record: ReuseRecord, stores: Stores, say: Callable[[str], object]) -> None:
    """Bring every output with a ``path`` to its destination; what is there already, unchanged, stays.

    Done for a reused step too: ``{run}`` in a path means a copy for each run.

    :param say: is told where each copy is.
    """
    for port in spec.outputs:
        reference = record.output(port.name)
        if port.destination is None or reference is None:
            continue
        contents = stores.contents(reference.datastore)
        target = stores.datastore(port.data.datastore) if port.data.datastore else stores.workspace.store
        prefix = port.destination if port.data.datastore else f"outputs/{port.destination}"
        contents.export(reference.digest, reference.kind, prefix, target)
        say(f"output {port.name} is copied to {target.uri(prefix)}")

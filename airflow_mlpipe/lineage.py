"""Lineage: the true inputs and outputs of a step for OpenLineage, with digests as dataset versions.

Airflow's OpenLineage provider asks an operator for them by the methods that :class:`Lineage` mixes in; without that
provider nothing here is imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_mlpipe.model.records import StepRun
from airflow_mlpipe.model.reference import OutputReference

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_mlpipe.operators.attempt import Fingerprinted


class Lineage:
    """What OpenLineage asks of an operator (``airflow/providers/openlineage/extractors/base.py``)."""

    def get_openlineage_facets_on_start(self) -> OperatorLineage:
        """Inputs are known as soon as the step has its fingerprint."""
        return self._lineage()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage:
        """Inputs and outputs, for a reused step too: the original's."""
        return self._lineage()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage:
        """Inputs, and no outputs."""
        return self._lineage()

    def _lineage(self) -> OperatorLineage:
        from airflow.providers.openlineage.extractors import OperatorLineage

        step: Fingerprinted | None = getattr(self, "_step", None)
        run: StepRun | None = getattr(self, "_run", None)
        return OperatorLineage(
            inputs=list(_inputs(step, getattr(self, "_stores", None))) if step else [],
            outputs=[_dataset(o) for o in run.outputs] if run else [],
        )


def _inputs(step: Fingerprinted, stores: Any) -> Iterable[Any]:
    for port in (*step.resolved.spec.inputs, *step.resolved.spec.resource_inputs):
        if port.data is not None:
            root = stores.datastore(port.data.datastore).url
            path = port.data.path.rstrip("/")
            yield _versioned(f"{root}/{path}" if path else root, step.inputs[port.name].digest)
        for reference in port.references:
            yield _dataset(reference)


def _dataset(reference: OutputReference) -> Any:
    return _versioned(reference.uri, reference.digest)


def _versioned(uri: str, version: str) -> Any:
    """A dataset by OpenLineage's naming rules: the namespace is scheme and authority, the name is the path."""
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import dataset_version_dataset

    parts = urlsplit(uri)
    return Dataset(
        namespace=f"{parts.scheme}://{parts.netloc}" if parts.netloc else parts.scheme,
        name=parts.path if parts.scheme == "file" else parts.path.lstrip("/"),
        facets={"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=version)},
    )

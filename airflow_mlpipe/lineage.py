"""Lineage: the true inputs and outputs of a step for OpenLineage, with digests as dataset versions.

Airflow's OpenLineage provider asks an operator for them by the methods that :class:`Lineage` mixes in; without that
provider nothing here is imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


@dataclass(frozen=True, slots=True)
class VersionedData:
    """Data that a step read or wrote: where, as a URL with its path quoted, and the digest of what was there."""

    uri: str
    digest: str


class Lineage:
    """What OpenLineage asks of an operator (``airflow/providers/openlineage/extractors/base.py``)."""

    def lineage_inputs(self) -> Iterable[VersionedData]:
        """What the step reads; nothing before it has its fingerprint."""
        raise NotImplementedError

    def lineage_outputs(self) -> Iterable[VersionedData]:
        """What the step wrote, or the original that it was reused from; nothing before that."""
        raise NotImplementedError

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Inputs are known as soon as the step has its fingerprint."""
        return self._lineage()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Inputs and outputs, for a reused step too: the original's."""
        return self._lineage()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Inputs, and no outputs."""
        return self._lineage()

    def _lineage(self) -> OperatorLineage[Any, Any]:
        from airflow.providers.openlineage.extractors import OperatorLineage

        return OperatorLineage(
            inputs=[_dataset(data) for data in self.lineage_inputs()],
            outputs=[_dataset(data) for data in self.lineage_outputs()],
        )


def _dataset(data: VersionedData) -> Any:
    """A dataset by OpenLineage's rules: the namespace is scheme and authority, the name the unquoted path."""
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import dataset_version_dataset

    parts = urlsplit(data.uri)
    path = unquote(parts.path)
    return Dataset(
        namespace=f"{parts.scheme}://{parts.netloc}" if parts.netloc else parts.scheme,
        name=path if parts.scheme == "file" else path.lstrip("/"),
        facets={"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=data.digest)},
    )

"""Outputs as Airflow Assets: an event when *new* bytes are published, none when a step was reused.

Airflow emits an event for each outlet of a task that succeeds.  An AssetAlias emits only what the task adds to it, so
an output's asset is behind an alias of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.model.records import ReuseRecord, StepRun

if TYPE_CHECKING:
    from airflow.sdk import Context


def asset_of(data: PipelineData) -> Asset | None:
    """The asset of an output; a text is the asset's name or URI.

    :raises DefinitionError: for anything else.
    """
    if data.asset is None:
        return None
    if isinstance(data.asset, Asset):
        return data.asset
    if isinstance(data.asset, str):
        return Asset(data.asset)
    raise DefinitionError(
        "asset is an Airflow Asset, its name or its URI", where=f"PipelineData({data.name!r})", given=data.asset
    )


def alias_of(asset: Asset) -> AssetAlias:
    """The alias that stands for an asset among a step's outlets."""
    return AssetAlias(f"mlpipe:{asset.name}")


def asset_outlets(outlets: Any, outputs: Sequence[PipelineData]) -> list[Any]:
    """The author's outlets and an alias for each output with an asset."""
    if outlets is None and all(data.asset is None for data in outputs):
        return []
    given = list(outlets) if isinstance(outlets, (list, tuple)) else [outlets] if outlets is not None else []
    aliases = [alias_of(asset) for data in outputs if (asset := asset_of(data)) is not None]
    return given + [a for a in aliases if not any(isinstance(g, AssetAlias) and g.name == a.name for g in given)]


def publish_assets(
    outputs: Sequence[PipelineData], record: ReuseRecord, previous: StepRun | None, context: Context
) -> None:
    """Emit an event for each output whose bytes are not those of the step's previous run."""
    before = {o.name: o.digest for o in previous.outputs} if previous else {}
    for data in outputs:
        asset, output = asset_of(data), record.output(data.name)
        if asset is None or output is None or before.get(data.name) == output.digest:
            continue
        extra: dict[str, Any] = {"digest": output.digest, "uri": output.uri, "size": output.size, "files": output.files}
        context["outlet_events"][alias_of(asset)].add(asset, extra=extra)

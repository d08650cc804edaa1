"""Load one DAG as an object, from where the deployment says its file is; writes nothing to the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.experiment.errors import UsageError

if TYPE_CHECKING:
    from airflow.dag_processing.bundles.base import BaseDagBundle
    from airflow.sdk import DAG


def load_dag(dag_id: str) -> DAG:
    """Parse a DAG's file.

    A DAG that the database knows costs the parse of one file; for another one every bundle is searched.

    :raises DefinitionError: when the file does not parse. :raises UsageError: when no bundle has such a DAG.
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    manager = DagBundlesManager()  # type: ignore[no-untyped-call]
    known = _place(dag_id)
    if known is not None and known[0] in manager.get_all_bundle_names():
        bundle = manager.get_bundle(known[0])
        bundle.initialize()
        if dag := _parse(bundle, bundle.path / known[1], dag_id):
            return dag
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        if dag := _parse(bundle, bundle.path, dag_id):
            return dag
    raise UsageError(
        "there is no such DAG",
        where="this deployment's bundles",
        given=dag_id,
        valid=f"those of airflow dags list; bundles: {', '.join(manager.get_all_bundle_names())}",
    )


def is_file(dag_id: str) -> bool:
    """Whether what stands for a DAG is the path of a pipeline's file."""
    return dag_id.lower().endswith((".yaml", ".yml"))


def _place(dag_id: str) -> tuple[str, str] | None:
    """Bundle and file of a DAG, as the database knows them."""
    from airflow.models import DagModel
    from sqlalchemy.exc import SQLAlchemyError

    try:
        model = DagModel.get_current(dag_id)
    except SQLAlchemyError:  # no database, or none of this version: the bundles are searched instead
        return None
    if model is None or not model.bundle_name or not model.relative_fileloc:
        return None
    return model.bundle_name, model.relative_fileloc


def _parse(bundle: BaseDagBundle, path: Path, dag_id: str) -> DAG | None:
    from airflow.dag_processing.dagbag import BundleDagBag

    bag = BundleDagBag(dag_folder=path, bundle_path=bundle.path, bundle_name=bundle.name)
    if dag := bag.dags.get(dag_id):
        return dag
    if path != bundle.path and bag.import_errors:
        raise DefinitionError(
            f"the file does not parse: {next(iter(bag.import_errors.values())).strip()}", where=f"DAG {dag_id!r}"
        )
    return None

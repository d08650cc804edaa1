"""From files to DAGs: what stands in a DAG file.

The DAG file is what Airflow knows: the DAG's ``fileloc``, what a worker parses again, what a bundle has a version of.
It finds the YAML relative to itself, so that a worker that runs an old version of the bundle reads that version's YAML,
too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError, MLPipeError
from airflow_mlpipe.pipelines.reading.mistakes import PipelineFileError
from airflow_mlpipe.pipelines.reading.pipeline import ReadPipeline, read_pipeline_file
from airflow_mlpipe.written.mistakes import Mistakes
from airflow_mlpipe.written.places import Place

if TYPE_CHECKING:
    from airflow.sdk import DAG

ENDINGS = (".yaml", ".yml")
_API = b"mlpipe/v1"


def dag_from_spec(path: str | os.PathLike[str], *, dag_file: str | None = None) -> DAG:
    """The DAG of a pipeline's file.

    :param path: relative to the file that calls this. :param dag_file: the DAG file, and what ``path`` is relative to,
        where that is another one and Airflow does not say it.
    :raises PipelineFileError: with all mistakes of the file.
    """
    caller = dag_file or sys._getframe(1).f_code.co_filename
    return _dag(_beside(path, caller), dag_file or _parsed() or caller)


def load_pipelines(folder: str | os.PathLike[str] = ".", *, dag_file: str | None = None) -> list[DAG]:
    """The DAGs of all pipelines in a folder, and the folders in it, by the order of their paths.

    A file is one if its name ends with ``.yaml`` or ``.yml`` and it says ``api: mlpipe/v1``.

    :param folder: relative to the file that calls this. :param dag_file: as of :func:`dag_from_spec`.
    :raises PipelineFileError: with all mistakes of all files. :raises DefinitionError: for two pipelines of one name.
    """
    caller = dag_file or sys._getframe(1).f_code.co_filename
    root = _beside(folder, caller)
    if not root.is_dir():
        raise DefinitionError("there is no such folder", where="load_pipelines", given=str(root), fix="check the path")
    dags: dict[str, tuple[DAG, Path]] = {}
    failed: list[MLPipeError] = []
    for path in _pipelines(root):
        try:
            dag = _dag(path, dag_file or _parsed() or caller)
            if dag.dag_id in dags:
                other = dags[dag.dag_id][1]
                raise DefinitionError(f"{other} is a pipeline of this name, too", where=str(path), given=dag.dag_id)
            dags[dag.dag_id] = (dag, path)
        except MLPipeError as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise DefinitionError("\n".join(["several pipelines have mistakes", *map(str, failed)]), where=str(root))
    return [dag for dag, _ in dags.values()]


def _pipelines(root: Path) -> list[Path]:
    found = [
        Path(folder, name) for folder, _, names in os.walk(root) for name in names if name.lower().endswith(ENDINGS)
    ]
    return sorted(path for path in found if _API in path.read_bytes())


def _parsed() -> str | None:
    """The DAG file that Airflow parses just now, which may have called somebody who called us."""
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    module = sys.modules.get(DagContext.current_autoregister_module_name or "")
    return getattr(module, "__file__", None)


def _beside(path: str | os.PathLike[str], dag_file: str) -> Path:
    return Path(os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(dag_file)), path)))


def _dag(path: Path, dag_file: str) -> DAG:
    from airflow_mlpipe.pipelines.build import build_dag
    from airflow_mlpipe.pipelines.origin import Origin, remember

    read = read_pipeline_file(path)
    mistakes = read.written.mistakes()
    prefix = os.path.relpath(path.parent, os.path.dirname(os.path.abspath(dag_file)))

    def rebase(relative: str) -> str:
        joined: str = os.path.normpath(os.path.join(prefix, relative))
        return joined.replace(os.sep, "/")

    dag = build_dag(
        read.pipeline,
        dag_file=os.path.abspath(dag_file),
        rebase=rebase,
        wrong=lambda place, error: _note(mistakes, read, place, error),
    )
    if mistakes.found:
        raise PipelineFileError(str(path), mistakes.found)
    remember(dag, Origin(pipeline=read.pipeline, folder=str(path.parent)))
    return dag


def _note(mistakes: Mistakes, read: ReadPipeline, place: str, error: Exception) -> None:
    section, _, name = place.partition(".")
    at: Place = (section, name) if name else (section,)
    if not isinstance(error, MLPipeError):
        mistakes.add(at, " ".join(str(error).split()) or type(error).__name__, of_key=True)
    elif member := _member(read, at, error):
        mistakes.take((*at, *member), error)
    else:
        mistakes.add(at, error.what, given=error.given, valid=error.valid, fix=error.fix, of_key=True)


def _member(read: ReadPipeline, at: Place, error: MLPipeError) -> tuple[Any, ...]:
    """The member of a step that an operator's error names: ``step 'train': script_name`` is ``script``."""
    said = (error.where or "").rpartition(": ")[2].split("[")[0]
    name = {"script_name": "script", "source_directory": "source", "compute_target": "compute"}.get(said, said)
    return (name,) if (*at, name) in read.written.places.values else ()

"""Write what was imported: the pipeline's file, its code, and the DAG file.

``FOLDER/name.py`` is the DAG file, ``FOLDER/name/`` holds everything else.  It is made beside and moved into place at
the end, so that Airflow never parses half of it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from airflow_mlpipe.azureml.v2.importing import CodeFolder, Importing
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.fingerprint.ignore import Ignore
from airflow_mlpipe.pipelines.records import Pipeline

MARK = "# Imported from Azure ML by `airflow mlpipe import azureml`"
_DAG_FILE = """{mark}, from {source}.
from airflow_mlpipe import dag_from_spec

dag = dag_from_spec("{name}/pipeline.yaml")
"""


def write(pipeline: Pipeline, importing: Importing, into: Path, source: str, *, replace: bool) -> Path:
    """Write all files; the path of the DAG file.

    :param source: the YAML that it is from, for readers. :param replace: whether an earlier import may be replaced.
    :raises DefinitionError: when there are files of that name that no import wrote, or that may not be replaced.
    """
    dag_file, folder = into / f"{pipeline.name}.py", into / pipeline.name
    _check_free(dag_file, folder, replace)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=into) as temporary:
        new = Path(temporary, pipeline.name)
        new.mkdir()
        (new / "pipeline.yaml").write_text(f"{MARK}, from {source}.\n{pipeline.to_yaml()}", encoding="utf-8")
        for name, text in importing.files.items():
            (new / name).write_text(text, encoding="utf-8")
        for name, code in importing.folders.items():
            _copy(code, new / name, frozenset({Path(temporary), folder, dag_file}))
        if folder.exists():
            os.replace(folder, Path(temporary, "old"))
        os.replace(new, folder)
    text = _DAG_FILE.format(mark=MARK, source=source, name=pipeline.name)
    dag_file.write_text(text, encoding="utf-8")
    return dag_file


def _check_free(dag_file: Path, folder: Path, replace: bool) -> None:
    for path in (dag_file, folder / "pipeline.yaml"):
        if not path.exists():
            continue
        if not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
            raise DefinitionError("there is a file that no import wrote", where=str(path), fix="choose another folder")
        if not replace:
            raise DefinitionError("it was imported before", where=str(path), fix="say --replace to import it again")
    if folder.exists() and not (folder / "pipeline.yaml").exists():
        raise DefinitionError("there is a folder that no import wrote", where=str(folder), fix="choose another folder")


def _copy(code: CodeFolder, target: Path, ours: frozenset[Path]) -> None:
    """Copy code without what Azure ML's ignore file leaves out.

    :param ours: what this import writes, which may lie in the folder of the code.
    """
    target.mkdir()
    for source in (code.source, *code.includes):
        if source is None:
            continue
        if source.is_file():
            shutil.copy2(source, target / source.name)
        elif source == code.source:
            _copy_folder(source, target, ours)
        else:
            (target / source.name).mkdir(exist_ok=True)
            _copy_folder(source, target / source.name, ours)


def _copy_folder(source: Path, target: Path, ours: frozenset[Path]) -> None:
    ignore = Ignore(str(source))
    for folder, names, files in os.walk(source):
        relative = Path(folder).relative_to(source)
        kept = (n for n in names if Path(folder, n) not in ours)
        names[:] = sorted(n for n in kept if ignore.keeps((relative / n).as_posix(), True))
        for name in sorted(files):
            path = (relative / name).as_posix()
            if ignore.keeps(path, False) and Path(folder, name) not in ours:
                (target / relative).mkdir(parents=True, exist_ok=True)
                shutil.copy2(Path(folder, name), target / path)

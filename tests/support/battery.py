"""The battery's pipeline: data in a lake, ``prepare`` with a helper module, ``train`` with a parameter.

``prepare`` drops comments, so that an edit of a comment executes it and leaves its output's bytes as they were;
``train`` writes one line that shows the rows and the rate, so that a wrong reuse shows as wrong bytes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from support.dags import DagRunner, RunOutcome

DAG_FILE = """
from datetime import timedelta
from airflow_mlpipe import DataReference, Datastore, Environment, PipelineData, Resources, Reuse, ScriptStep

lake = Datastore("lake", url="@LAKE@")
with DAG("@DAG@", schedule=None, params={"rate": 1, "seed": 1, "verbose": False}):
    raw = DataReference(lake, "raw", name="raw")
    prepared = PipelineData("prepared")
    model = PipelineData("model", kind="file", filename="model.txt")
    ScriptStep(
        task_id="prepare", source_directory="scripts", script_name="prepare.py",
        inputs=[raw], outputs=[prepared], arguments=[raw, prepared], @PREPARE@
    )
    ScriptStep(
        task_id="train", source_directory="scripts", script_name="train.py",
        inputs=[prepared], outputs=[model], arguments=[prepared, "{{ params.rate }}", model], @TRAIN@
    )
"""

PROGRAMS = {
    "scripts/clean.py": """\
        def clean(line):
            return line.partition("#")[0].strip()
        """,
    "scripts/prepare.py": """\
        import os, sys
        from clean import clean
        source, target = sys.argv[1:]
        print("I run: prepare")
        rows = []
        for folder, names, files in sorted(os.walk(source, followlinks=True)):
            if not names and not files:
                rows.append(os.path.relpath(folder, source) + "/")
            for name in sorted(files):
                path = os.path.join(folder, name)
                text = clean(open(path).read())
                mode = "x" if os.access(path, os.X_OK) and os.stat(path).st_mode & 0o100 else "-"
                rows.append(f"{os.path.relpath(path, source)} {mode} {text}")
        with open(os.path.join(target, "rows.txt"), "w") as out:
            out.write(";".join(sorted(rows)))
        """,
    "scripts/train.py": """\
        import sys
        source, rate, target = sys.argv[1:]
        print("I run: train")
        with open(target, "w") as out:
            out.write(f"rate={rate} rows={open(source + '/rows.txt').read()}")
        """,
    "scripts/README.md": "What nobody runs.",
}

RAW = {"a.csv": "1", "b.csv": "22  # two", "deep/c.csv": "333"}


@dataclass(kw_only=True)
class Pipeline:
    """The pipeline in a folder of the test, and what it wrote.

    :param runs: every run so far.
    """

    run_dag: DagRunner
    lake: Path
    dag_id: str = "battery"
    prepare: str = ""
    train: str = ""
    folder: Path | None = None
    runs: list[RunOutcome] = field(default_factory=list)

    @property
    def scripts(self) -> Path:
        """The source folder."""
        return (self.folder or self.run_dag.folder) / "scripts"

    @property
    def raw(self) -> Path:
        """The input folder."""
        return self.lake / "raw"

    def create(self) -> Pipeline:
        """Write programs and data."""
        self.run_dag.write(PROGRAMS)
        for name, text in RAW.items():
            (self.raw / name).parent.mkdir(parents=True, exist_ok=True)
            (self.raw / name).write_text(text)
        return self

    def run(self, **conf: Any) -> RunOutcome:
        """Run it once; the decisions must agree with what the programs printed."""
        source = DAG_FILE.replace("@LAKE@", self.lake.as_uri()).replace("@DAG@", self.dag_id)
        source = source.replace("@PREPARE@", self.prepare).replace("@TRAIN@", self.train)
        outcome = self.run_dag(source, conf=conf, folder=self.folder)
        for name, task in outcome.tasks.items():
            if task.state == "success":
                assert ("I run: " in task.log) == (task.decision == "executed"), f"{name}: {task.decision}\n{task.log}"
        self.runs.append(outcome)
        return outcome

    def model(self, outcome: RunOutcome | None = None) -> str:
        """The model of a run (the last one), read from the workspace."""
        return output_path((outcome or self.runs[-1])["train"].xcoms["model"]).read_text()


def output_path(reference: Mapping[str, Any]) -> Path:
    """The blob, or the tree, of a reference in a local workspace."""
    return Path(unquote(urlsplit(reference["uri"]).path))


def blobs_of(reference: Mapping[str, Any], workspace: Path) -> list[Path]:
    """The files that hold the bytes of an output."""
    if reference["kind"] == "file":
        return [output_path(reference)]
    tree = json.dumps(json.loads(output_path(reference).read_bytes()))
    found = [p for p in (workspace / "blobs").rglob("*_*") if p.name.rpartition("_")[2] in tree]
    assert found, tree
    return found


def overwrite(path: Path, data: bytes) -> None:
    """Write to a file, whatever its mode says."""
    path.chmod(0o644)
    path.write_bytes(data)


def age(path: Path, seconds: float = 3600) -> None:
    """Make a file or folder, and all that is in it, look older."""
    for one in [path, *path.rglob("*")]:
        status = one.stat(follow_symlinks=False)
        times = (status.st_atime - seconds, status.st_mtime - seconds)
        if one.is_symlink():
            os.utime(one, times, follow_symlinks=False)
        else:
            os.utime(one, times)


def another_machine(run_dag: DagRunner, folder: Path) -> None:
    """From here on the steps run on a worker that shares only the workspace."""
    run_dag.monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(folder / "cache"))
    run_dag.monkeypatch.setenv("AIRFLOW__MLPIPE__SCRATCH", str(folder / "scratch"))


def copy_project(source: Path, target: Path) -> Path:
    """A fresh clone: the same bytes, new times, no compiled files."""
    shutil.copytree(source, target, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("__pycache__"))
    return target

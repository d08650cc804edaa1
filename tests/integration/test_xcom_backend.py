"""The XCom backend, on a real Airflow: ordinary tasks return values of any size, and rows stay small."""

from __future__ import annotations

import json

import pytest

FILE = "ordinary.py"
DAG = """
import pendulum
from airflow.sdk import dag, task
from airflow_mlpipe import step


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
def ordinary():
    @task
    def frame():
        import pandas as pd
        return pd.DataFrame({"x": range(1000), "password": ["hunter2"] * 1000})

    @task
    def array():
        import numpy as np
        return {"values": np.arange(5), "n": 5}

    @task
    def long():
        return list(range(5000))

    @task
    def short():
        return {"a": [1, 2]}

    @task
    def looked(table, held, numbers, small):
        return [type(table).__name__, len(table), type(held["values"]).__name__, held["n"], sum(numbers), small["a"]]

    @step
    def counted(table) -> int:
        return len(table)

    table = frame()
    looked(table, array(), long(), short())
    counted(table)


ordinary()
"""


@pytest.fixture
def backend(monkeypatch):
    """The backend of this process, as ``[core] xcom_backend`` would choose it."""
    from airflow.sdk.execution_time import lazy_sequence, task_runner, xcom

    import airflow_mlpipe.xcom

    for module in (xcom, task_runner, lazy_sequence):
        if hasattr(module, "XCom"):
            monkeypatch.setattr(module, "XCom", airflow_mlpipe.xcom.XComBackend)


def test_ordinary_tasks_pass_values_of_any_size_and_rows_stay_small(run_dag, backend):
    """A frame, an array in a dict and a long list come as they went; a step gets the frame, too."""
    run = run_dag(files={FILE: DAG})
    assert set(run.states.values()) == {"success"}, run.log
    assert run["looked"].xcoms["return_value"] == ["DataFrame", 1000, "ndarray", 5, 12497500, [1, 2]]
    assert run["counted"].xcoms["return_value"] == 1000
    assert run["short"].xcoms["return_value"] == {"a": [1, 2]}
    for task in run.tasks.values():
        for key, value in task.xcoms.items():
            assert len(json.dumps(value)) < 4096, (task.task_id, key)


def test_a_row_shows_what_the_value_is_and_no_secret(run_dag, backend):
    """Type, shape and columns are in it; a column with a secret's name is not shown."""
    row = run_dag(files={FILE: DAG})["frame"].xcoms["return_value"]
    assert row["type"] == "pandas.DataFrame"
    assert row["preview"]["shape"] == "1000 x 2"
    assert "hunter2" not in json.dumps(row)


def test_an_equal_value_is_written_once(run_dag, backend):
    """Two runs push the same bytes: one blob."""
    first = run_dag(files={FILE: DAG})
    blobs = sorted(p.name for p in (run_dag.workspace / "blobs").rglob("*") if p.is_file())
    second = run_dag(files={FILE: DAG})
    assert second["frame"].xcoms["return_value"]["digest"] == first["frame"].xcoms["return_value"]["digest"]
    assert sorted(p.name for p in (run_dag.workspace / "blobs").rglob("*") if p.is_file()) == blobs


def test_a_value_lies_once_on_a_disk_and_is_read_where_it_lies(run_dag, backend):
    """The workspace's file is all there is; who asks for a path, which could be written to, gets a copy's."""
    from pathlib import Path

    import numpy as np

    from airflow_mlpipe import load
    from airflow_mlpipe.hooks.settings import load_settings

    run = run_dag(
        """
        with DAG("arrays", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            @task
            def numbers():
                import numpy as np
                return np.arange(12_345)

            @task
            def total(values):
                return int(values.sum())

            total(numbers())
        """
    )
    assert run["total"].xcoms["return_value"] == 12_345 * 12_344 // 2, run.log
    row = run["numbers"].xcoms["return_value"]
    name = row["digest"].replace(":", "_")
    (stored,) = (run_dag.workspace / "blobs").rglob(name)
    cached = load_settings().cache / "blobs"
    assert list(cached.rglob(name)) == []
    given = load(row, Path)
    assert not given.samefile(stored)
    assert given.parent.parent == cached
    assert np.load(given).sum() == load(row).sum()


def test_gc_keeps_what_an_xcom_refers_to_until_the_xcom_is_deleted(run_dag, backend):
    """The value is needed while its row is remembered, and garbage afterwards."""
    from datetime import timedelta

    from airflow_mlpipe.hooks.workspace import open_workspace
    from airflow_mlpipe.model.records import Producer
    from airflow_mlpipe.store.gc import collect

    run = run_dag(files={FILE: DAG})
    digest = run["long"].xcoms["return_value"]["digest"].replace(":", "_")
    workspace = open_workspace()

    def garbage():
        return [o.key for o in collect(workspace, grace=timedelta(0)).objects if digest in o.key]

    assert garbage() == []
    workspace.values.forget(Producer(dag_id="ordinary", task_id="long", run_id=run.run_id), "return_value")
    assert len(garbage()) == 1


OBJECTS = """
with DAG("objects", schedule=None):
    from airflow_mlpipe import step

    @task
    def made(count):
        from airflow_mlpipe import Datastore
        return {"stores": [Datastore(f"store_{i}") for i in range(count)], "pair": (1, {2})}

    @task
    def seen(found):
        from airflow_mlpipe import Datastore
        return [all(type(one) is Datastore for one in found["stores"]), found["pair"] == (1, {2})]

    @step
    def stepped(found) -> list:
        return [found["stores"][-1]["name"], found["pair"] == (1, {2})]

    for count in (2, 500):
        found = made(count)
        seen(found)
        stepped(found)
"""


def test_objects_that_airflow_gives_back_come_alike_from_short_and_from_long_values(run_dag, backend, monkeypatch):
    """Of any length, ordinary tasks get the classes that the deployment allows; a step gets dicts, as from any task."""
    from airflow.sdk import serde

    monkeypatch.setenv("AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES", "airflow_mlpipe.model.data.Datastore")
    for cached in (serde._get_patterns, serde._get_regexp_patterns):
        cached.cache_clear()
    run = run_dag(OBJECTS)
    assert set(run.states.values()) == {"success"}, run.log
    assert run["seen"].xcoms["return_value"] == run["seen__1"].xcoms["return_value"] == [True, True]
    assert run["stepped"].xcoms["return_value"] == ["store_1", True]
    assert run["stepped__1"].xcoms["return_value"] == ["store_499", True]
    assert run["made__1"].xcoms["return_value"]["format"] == "airflow/1"


MORE = """
with DAG("more", schedule=None):
    from airflow_mlpipe import step

    @task
    def file():
        import gzip
        from pathlib import Path
        path = Path("a table.csv.gz")
        path.write_bytes(gzip.compress(b"x\\n1\\n", mtime=0))
        path.chmod(0o755)
        return path

    @task
    def read(path):
        import os
        import pandas as pd
        return [path.name, int(pd.read_csv(path)["x"][0]), os.access(path, os.X_OK)]

    @task
    def texts():
        return ["x" * 1000 + str(n) for n in range(4)]

    @task
    def last(text):
        return text[-1]

    @step
    def stepped_last(text: str) -> str:
        return text[-1]

    @task
    def holder():
        from dataclasses import dataclass
        import numpy as np

        @dataclass
        class Holder:
            array: object
            n: int

        return Holder(np.arange(3), 3)

    @task
    def held(found):
        return [found["array"].tolist(), found["n"]]

    @task
    def pair():
        return (1, "two")

    @task
    def is_pair(found):
        return type(found).__name__

    @step
    def stepped_pair() -> tuple:
        return (1, "two")

    read(file())
    held(holder())
    is_pair(pair())
    is_pair(stepped_pair())
    last.expand(text=texts())
    stepped_last.expand(text=texts())
"""


@pytest.mark.usefixtures("backend")
def test_values_of_every_shape_come_as_they_are(run_dag, monkeypatch, tmp_path):
    """A file under its own name and mode, an object that holds an array, a tuple; and a long list is mapped over."""
    monkeypatch.chdir(tmp_path)
    run = run_dag(MORE)
    assert set(run.states.values()) == {"success"}, run.log
    assert run["read"].xcoms["return_value"] == ["a table.csv.gz", 1, True]
    assert run["held"].xcoms["return_value"] == [[0, 1, 2], 3]
    assert run["is_pair"].xcoms["return_value"] == run["is_pair__1"].xcoms["return_value"] == "tuple"
    assert run["texts"].xcoms["return_value"]["length"] == 4
    for task in ("last", "stepped_last"):
        assert [run[task, n].xcoms["return_value"] for n in range(4)] == ["0", "1", "2", "3"]


FORGED = """
from airflow_mlpipe import Input, Output, PipelineData, CommandStep, step

with DAG("forged", schedule=None, params={"reference": {}}):
    @task
    def made(params):
        return params["reference"]

    @step
    def stepped(value):
        return 1

    @task
    def ordinary(value):
        return 1

    reference = made()
    stepped(reference)
    ordinary(reference)
    CommandStep(task_id="command", arguments=["cat", Input("value")], inputs={"value": reference})
"""


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        ({"datastore": "evil=file:///etc"}, "outside of this deployment"),
        ({"datastore": "evil=http://127.0.0.1:9|store"}, "outside of this deployment"),
        ({"digest": "../../../../etc/passwd"}, "without a digest"),
        ({"kind": "folder", "digest": "../../../../etc"}, "without a digest"),
        ({"kind": "folder", "digest": "sha256:" + "0" * 64}, "without a digest"),
        ({"filename": "../../escaped"}, "is a path"),
        ({"format": "path/1", "filename": "/etc/passwd"}, "is a path"),
    ],
)
def test_a_reference_that_somebody_made_up_is_refused_before_anything_is_read(run_dag, backend, forged, words):
    """Another place, a digest or a name that leads out of the workspace; whoever takes it fails and says why."""
    row = run_dag(files={FILE: DAG})["frame"].xcoms["return_value"]
    run = run_dag(FORGED, conf={"reference": {**row, **forged}}, dag_id="forged")
    for task in ("stepped", "ordinary", "command"):
        assert run[task].state == "failed", task
        assert words in run[task].log, task


def test_an_output_in_a_datastore_that_the_dag_spells_out_is_read(run_dag, tmp_path):
    """The workspace remembers that a step published it there."""
    run = run_dag(
        f"""
        from pathlib import Path
        from airflow_mlpipe import CommandStep, Datastore, PipelineData, step

        @step
        def read(found: Path) -> str:
            return found.read_text()

        with DAG("spelled", schedule=None):
            shelf = Datastore("shelf", url="{(tmp_path / "shelf").as_uri()}")
            found = PipelineData("found", kind="file", datastore=shelf)
            CommandStep(task_id="write", arguments=["cp", __file__, found], outputs=[found])
            read(found)
        """
    )
    assert "spelled" in run["read"].xcoms["return_value"], run.log


def test_a_value_whose_data_are_gone_names_who_made_them(run_dag, backend, monkeypatch, tmp_path):
    """The error says which task instance made them, and what to do."""
    import shutil

    from airflow_mlpipe import load
    from airflow_mlpipe.errors import InputError

    run = run_dag(files={FILE: DAG})
    shutil.rmtree(run_dag.workspace / "blobs")
    monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(tmp_path / "other-cache"))
    with pytest.raises(InputError, match=f"ordinary/{run.run_id[:10]}.*/frame"):
        load(run["frame"].xcoms["return_value"])


def test_a_step_is_mapped_over_what_an_ordinary_task_returned_without_reading_it_whole(run_dag, backend):
    """Each instance gets its frame as an input of its own; the frames themselves are never written again."""
    run = run_dag(
        """
        from airflow_mlpipe import step
        import pandas as pd

        with DAG("frames", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            @task
            def frames():
                return [pd.DataFrame({"x": range(n)}) for n in (1, 2, 3)]

            @task
            def ordinary(frame):
                return len(frame)

            @step
            def rows(frame: pd.DataFrame) -> int:
                return len(frame)

            made = frames()
            rows.expand(frame=made)
            ordinary.expand(frame=made)
        """
    )
    assert [one.xcoms["return_value"] for one in run.instances("rows")] == [1, 2, 3], run.log
    assert [one.xcoms["return_value"] for one in run.instances("ordinary")] == [1, 2, 3]

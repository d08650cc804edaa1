"""The battery: what changed and what did not, on a pipeline of two steps."""

from __future__ import annotations

import os
import shutil

import pytest
from support.battery import Pipeline, age, another_machine, blobs_of, output_path, overwrite

FIRST = "rate=1 rows=a.csv - 1;b.csv - 22;deep/c.csv - 333"


@pytest.fixture
def pipeline(run_dag, tmp_path):
    """A pipeline that has run once."""
    made = Pipeline(run_dag=run_dag, lake=tmp_path / "lake").create()
    first = made.run()
    assert first.executed == ["prepare", "train"]
    assert [first[s].reasons for s in ("prepare", "train")] == [["NEW"], ["NEW"]]
    assert made.model() == FIRST
    return made


def test_no_change_and_all_files_touched(pipeline):
    """Nothing executes: neither when nothing happened, nor when every file got a new time."""
    second = pipeline.run()
    assert second.reused == ["prepare", "train"]
    assert [second[s].reasons for s in ("prepare", "train")] == [[], []]
    assert second["train"].step["origin"] == f"battery/{pipeline.runs[0].run_id}/train"
    age(pipeline.raw)
    age(pipeline.scripts)
    for path in [*pipeline.raw.rglob("*"), *pipeline.scripts.rglob("*")]:
        path.touch()
    assert pipeline.run().reused == ["prepare", "train"]
    assert pipeline.model() == FIRST


@pytest.mark.parametrize("seconds", [0, 86_400], ids=["the old time", "an older time"])
def test_a_same_size_edit_with_its_time_put_back_executes(pipeline, seconds):
    """`cp -p`, `rsync -t` and `touch -r` hide an edit from size and mtime, not from us."""
    age(pipeline.raw)
    pipeline.run()
    file = pipeline.raw / "a.csv"
    before = file.stat()
    file.write_text("7")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns - seconds * 10**9))
    changed = pipeline.run()
    assert changed.executed == ["prepare", "train"]
    assert changed["prepare"].reasons == ["INPUT raw ~1 (a.csv)"]
    assert pipeline.model() == FIRST.replace("a.csv - 1", "a.csv - 7")


def test_a_same_size_edit_of_code_with_its_time_put_back_executes(pipeline):
    """Code is read each time."""
    file = pipeline.scripts / "clean.py"
    before = file.stat()
    file.write_text(file.read_text().replace("[0]", "[2]"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = pipeline.run()
    assert changed.executed == ["prepare", "train"]
    assert changed["prepare"].reasons == ["CODE clean.py changed"]
    assert pipeline.model() == "rate=1 rows=a.csv - ;b.csv - two;deep/c.csv - "


def test_an_imported_helper_counts_and_an_unrelated_file_does_not(pipeline):
    """The script and what it imports are its code; the rest of the folder is not."""
    for name, text in {"README.md": "edited", "notes.txt": "new", "other.py": "x = 1", "train2.py": ""}.items():
        (pipeline.scripts / name).write_text(text)
    (pipeline.scripts / "__pycache__").mkdir(exist_ok=True)
    (pipeline.scripts / "__pycache__" / "clean.cpython-311.pyc").write_bytes(b"\0")
    assert pipeline.run().reused == ["prepare", "train"]
    (pipeline.scripts / "train.py").write_text((pipeline.scripts / "train.py").read_text() + "# a remark\n")
    changed = pipeline.run()
    assert (changed.reused, changed.executed) == (["prepare"], ["train"])
    assert changed["train"].reasons == ["CODE train.py changed"]


def test_upstream_executes_and_writes_the_same_bytes(pipeline):
    """Early cut-off: what comes after it is kept, and says why it was looked at."""
    (pipeline.raw / "b.csv").write_text("22  # still two")
    changed = pipeline.run()
    assert changed.executed == ["prepare"]
    assert changed["prepare"].reasons == ["INPUT raw ~1 (b.csv)"]
    assert changed["train"].decision == "reused"
    assert changed["train"].reasons == ["UPSTREAM_RERAN prepared same bytes"]
    assert "(UPSTREAM_RERAN prepared same bytes)" in changed["train"].log
    assert pipeline.model() == FIRST


def test_a_change_and_its_revert(pipeline):
    """The old result comes back with the right bytes, and nothing executes for it."""
    (pipeline.raw / "a.csv").write_text("7")
    assert pipeline.run().executed == ["prepare", "train"]
    assert pipeline.model() == FIRST.replace("a.csv - 1", "a.csv - 7")
    (pipeline.raw / "a.csv").write_text("1")
    reverted = pipeline.run()
    assert reverted.reused == ["prepare", "train"]
    assert reverted["train"].step["origin"] == f"battery/{pipeline.runs[0].run_id}/train"
    assert pipeline.model() == FIRST


def test_a_parameter_executes_only_who_reads_it(pipeline):
    """The reason has the old and the new value; a parameter that nobody reads changes nothing."""
    changed = pipeline.run(rate=3)
    assert (changed.reused, changed.executed) == (["prepare"], ["train"])
    assert changed["train"].reasons[0] == "PARAM rate 1 -> 3"
    assert "EXECUTED because PARAM rate 1 -> 3" in changed["train"].log
    assert pipeline.model() == FIRST.replace("rate=1", "rate=3")
    assert pipeline.run(rate=3, verbose=True, seed=9).reused == ["prepare", "train"]


@pytest.mark.parametrize("what", ["file", "folder's tree", "folder's blob"])
def test_a_deleted_output_is_healed(pipeline, what):
    """What is gone from the store executes again, and only that; the next run has it."""
    first, step = pipeline.runs[0], "train" if what == "file" else "prepare"
    reference = first[step].xcoms["model" if what == "file" else "prepared"]
    gone = blobs_of(reference, pipeline.run_dag.workspace)[0] if what == "folder's blob" else output_path(reference)
    gone.unlink()
    healed = pipeline.run()
    assert healed.executed == [step]
    assert healed[step].reasons == [f"OUTPUT_GONE {reference['name']}"]
    assert pipeline.run().reused == ["prepare", "train"]
    assert pipeline.model() == FIRST
    assert gone.is_file()


@pytest.mark.parametrize("data", [b"X" * len(FIRST), b"other", b""], ids=["same size", "other size", "emptied"])
def test_a_tampered_output_is_detected_and_healed(pipeline, data):
    """It counts as gone: never handed on, written anew by the same run."""
    blob = output_path(pipeline.runs[0]["train"].xcoms["model"])
    times = blob.stat()
    overwrite(blob, data)
    os.utime(blob, ns=(times.st_atime_ns, times.st_mtime_ns))
    healed = pipeline.run()
    assert (healed.reused, healed.executed) == (["prepare"], ["train"])
    assert healed["train"].reasons == ["OUTPUT_GONE model"]
    assert pipeline.model() == FIRST


def test_a_tampered_intermediate_result_never_reaches_a_consumer(pipeline, tmp_path):
    """A worker that must fetch it refuses the bytes; upstream writes them anew."""
    (blob,) = blobs_of(pipeline.runs[0]["prepare"].xcoms["prepared"], pipeline.run_dag.workspace)
    overwrite(blob, blob.read_bytes()[::-1])
    another_machine(pipeline.run_dag, tmp_path / "other")
    healed = pipeline.run(rate=2)
    assert healed.executed == ["prepare", "train"]
    assert healed["prepare"].reasons == ["OUTPUT_GONE prepared"]
    assert pipeline.model() == FIRST.replace("rate=1", "rate=2")


def test_everything_of_the_workspace_deleted(pipeline):
    """An empty workspace is a fresh start, not an error."""
    shutil.rmtree(pipeline.run_dag.workspace)
    again = pipeline.run()
    assert again.executed == ["prepare", "train"]
    assert pipeline.model() == FIRST

"""The battery: what happens to files and folders, as a program sees them."""

from __future__ import annotations

import os
import shutil
import socket

import pytest
from support.battery import Pipeline, another_machine, output_path

LISTING = {
    "list.py": """\
        import os, sys
        source, copied, listed, _ = sys.argv[1:]
        rows = []
        for folder, names, files in os.walk(source, followlinks=True):
            for name in [*names, *files]:
                path = os.path.join(folder, name)
                kind = "d" if os.path.isdir(path) else "x" if os.stat(path).st_mode & 0o100 else "f"
                text = "" if kind == "d" else open(path, "rb").read().decode("latin-1")
                rows.append(repr((os.path.relpath(path, source), kind, text)))
        open(listed, "w").write("\\n".join(sorted(rows)))
        import shutil
        for name in os.listdir(source):
            path = os.path.join(source, name)
            (shutil.copytree if os.path.isdir(path) else shutil.copy)(path, os.path.join(copied, name))
        """,
}
COPY = """
from airflow_mlpipe import DataReference, Datastore, PipelineData, ScriptStep

raw = DataReference(Datastore("lake", url="@LAKE@"), "raw", name="raw")
with DAG("folders", schedule=None):
    for name, source in (("first", raw), ("second", None)):
        copied, listed = PipelineData("copied"), PipelineData("listed", kind="file")
        source = source or last
        ScriptStep(task_id=name, script_name="list.py", inputs={"source": source}, outputs=[copied, listed],
                   arguments=[source, copied, listed, name])
        last = copied
"""


class Folders:
    """A DAG of two steps: each lists and copies a folder, the second what the first copied."""

    def __init__(self, run_dag, tmp_path):
        self.run_dag, self.raw = run_dag, tmp_path / "lake" / "raw"
        for name, text in {"a": "1", "b": "2", "deep/c": "3", "deep/er/d": "4"}.items():
            (self.raw / name).parent.mkdir(parents=True, exist_ok=True)
            (self.raw / name).write_text(text)
        run_dag.write(LISTING)
        self.source = COPY.replace("@LAKE@", (tmp_path / "lake").as_uri())

    def run(self):
        """Run; both steps saw the same folder."""
        outcome = self.run_dag(self.source)
        assert outcome.state == "success", outcome.log[-3000:]
        first, second = (output_path(outcome[s].xcoms["listed"]).read_text() for s in ("first", "second"))
        assert first == second
        return outcome, first


@pytest.fixture
def folders(run_dag, tmp_path):
    """The DAG, run once."""
    made = Folders(run_dag, tmp_path)
    made.run()
    return made


def rename(raw):
    (raw / "a").rename(raw / "z")
    return "INPUT source +1 -1"


def swap(raw):
    one, two = raw / "a", raw / "b"
    one.rename(raw / "t")
    two.rename(one)
    (raw / "t").rename(two)
    return "INPUT source ~2"


def add_file(raw):
    (raw / "new").write_text("5")
    return "INPUT source +1"


def add_empty_file(raw):
    (raw / "new").touch()
    return "INPUT source +1"


def empty_file(raw):
    (raw / "a").write_text("")
    return "INPUT source ~1"


def delete_file(raw):
    (raw / "deep" / "c").unlink()
    return "INPUT source -1"


def add_empty_folder(raw):
    (raw / "empty").mkdir()
    return "INPUT source +1"


def rename_folder(raw):
    (raw / "deep" / "er").rename(raw / "deep" / "est")
    return "INPUT source +1 -1"


def delete_folder(raw):
    shutil.rmtree(raw / "deep")
    return "INPUT source -2"


def empty_everything(raw):
    shutil.rmtree(raw)
    raw.mkdir()
    return "INPUT source -4"


def file_becomes_folder(raw):
    (raw / "a").unlink()
    (raw / "a").mkdir()
    return "INPUT source"


def executable(raw):
    (raw / "a").chmod(0o755)
    return "INPUT source ~1"


def odd_names(raw):
    names = [
        "zoë",
        "日本語.csv",
        " leading",
        "trailing ",
        "new\nline",
        "quote'\"",
        "-dash",
        "%41",
        "a\tb",
        "*?[x]",
        "é" * 100,
    ]
    for name in names:
        (raw / name).write_text(name)
    return f"INPUT source +{len(names)}"


def link_inside(raw):
    (raw / "link").symlink_to("deep/c")
    return "INPUT source +1"


def link_to_folder(raw):
    (raw / "linked").symlink_to("deep/er")
    return "INPUT source +1"


CHANGES = [
    rename,
    swap,
    add_file,
    add_empty_file,
    empty_file,
    delete_file,
    add_empty_folder,
    rename_folder,
    delete_folder,
    empty_everything,
    file_becomes_folder,
    executable,
    odd_names,
    link_inside,
    link_to_folder,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_what_a_program_sees_counts(folders, change):
    """Each change executes both steps, the reason counts the files, and the bytes travel as they are."""
    expected = change(folders.raw)
    changed, listing = folders.run()
    assert changed.executed == ["first", "second"]
    (reason,) = changed["first"].reasons
    assert reason.startswith(expected)
    assert len(listing.splitlines()) == sum(len(d) + len(f) for _, d, f in os.walk(folders.raw, followlinks=True))


def test_what_a_program_does_not_see_does_not_count(folders):
    """Owner's other mode bits, times, and a link in place of the file with the same bytes."""
    (folders.raw / "a").chmod(0o600)
    (folders.raw / "b").rename(folders.raw.parent / "elsewhere")
    shutil.copy(folders.raw.parent / "elsewhere", folders.raw.parent / "raw" / "b")
    (folders.raw / "deep").chmod(0o700)
    assert folders.run()[0].reused == ["first", "second"]


def test_two_changes_and_back(folders):
    """A folder that becomes what it was has its old result."""
    before = folders.run()[1]
    rename(folders.raw)
    add_empty_folder(folders.raw)
    folders.run()
    (folders.raw / "z").rename(folders.raw / "a")
    (folders.raw / "empty").rmdir()
    back, listing = folders.run()
    assert back.reused == ["first", "second"]
    assert listing == before


def test_odd_names_and_empty_folders_reach_another_machine(folders, tmp_path):
    """Through the workspace, not through this host's cache."""
    odd_names(folders.raw)
    add_empty_folder(folders.raw)
    executable(folders.raw)
    folders.run()
    another_machine(folders.run_dag, tmp_path / "other")
    folders.source = folders.source.replace('"second", None', '"third", None')
    folders.run_dag.write({"list.py": LISTING["list.py"] + "        # edited\n"})
    outcome = folders.run_dag(folders.source)
    assert outcome.executed == ["first", "third"]
    one, two = (output_path(outcome[s].xcoms["listed"]).read_text() for s in ("first", "third"))
    assert one == two
    assert "日本語.csv" in one
    assert "('empty', 'd', '')" in one
    assert "('a', 'x', '1')" in one


def test_a_link_out_of_the_datastore_is_refused(folders, tmp_path):
    """Neither read nor published; the message names the link and where it leads."""
    (tmp_path / "secret").write_text("x")
    (folders.raw / "link").symlink_to(tmp_path / "secret")
    outcome = folders.run_dag(folders.source)
    assert outcome["first"].state == "failed"
    assert "link" in outcome["first"].log
    assert str(tmp_path / "secret") in outcome["first"].log


def test_a_socket_among_the_data_is_refused(folders, monkeypatch):
    """What has no bytes cannot be data; the message names it."""
    monkeypatch.chdir(folders.raw)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("sock")
        outcome = folders.run_dag(folders.source)
    assert outcome["first"].state == "failed"
    assert "sock" in outcome["first"].log


def test_a_file_and_a_glob_as_inputs(run_dag, tmp_path):
    """A single file counts with its name; a glob counts by what matches it."""
    lake = tmp_path / "lake"
    (lake / "raw").mkdir(parents=True)
    for name, text in {"a.csv": "1", "b.csv": "2", "c.txt": "3"}.items():
        (lake / "raw" / name).write_text(text)
    source = f"""
from airflow_mlpipe import CommandStep, DataReference, Datastore, PipelineData

lake = Datastore("lake", url="{lake.as_uri()}")
with DAG("inputs", schedule=None):
    for name, path in (("file", "raw/a.csv"), ("glob", "raw/*.csv")):
        data, out = DataReference(lake, path, name="data"), PipelineData("out", kind="file")
        CommandStep(task_id=name, command=["bash", "-c", 'cat $(find -L "$0" -type f | sort) > "$1"', data, out],
                    outputs=[out])
"""
    first = run_dag(source)
    assert first.executed == ["file", "glob"], first.log[-2000:]
    assert output_path(first["file"].xcoms["out"]).read_text().endswith("1")
    assert output_path(first["glob"].xcoms["out"]).read_text().endswith("12")
    (lake / "raw" / "c.txt").write_text("4")
    assert run_dag().reused == ["file", "glob"]
    (lake / "raw" / "d.csv").write_text("5")
    changed = run_dag()
    assert (changed.reused, changed.executed) == (["file"], ["glob"])
    assert output_path(changed["glob"].xcoms["out"]).read_text().endswith("125")


def test_a_python_step_sees_sorted_listings_unless_switched_off(run_dag, tmp_path):
    """What `os.listdir` gives first is the same on every file system; switching it off is another step."""
    made = Pipeline(run_dag=run_dag, lake=tmp_path / "lake").create()
    for name in "qwertyuiopasdfgh":
        (made.raw / name).write_text("1")
    run_dag.write(
        {
            "scripts/train.py": "import os, sys\nprint('I run: train')\n"
            "open(sys.argv[3], 'w').write(','.join(n for n in os.listdir(os.environ['LISTED'])))\n"
        }
    )
    made.train = f"environment=Environment(variables={{'LISTED': {str(made.raw)!r}}}),"
    made.run()
    assert made.model().split(",") == sorted(os.listdir(made.raw))
    made.train += "sorted_listings=False,"
    changed = made.run()
    assert changed.executed == ["train"]
    assert made.model().split(",") == os.listdir(made.raw)

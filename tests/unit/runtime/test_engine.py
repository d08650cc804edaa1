"""One attempt from an empty folder to published outputs, with real programs in a real deployment on local folders."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from support.deployment import Deployment, ports, reads

from airflow_mlpipe.errors import (
    InputChangedError,
    OutOfMemoryError,
    OutputInvalidError,
    OutputMissingError,
    ProgramFailedError,
    StepCancelledError,
    StepError,
    TimedOutError,
)
from airflow_mlpipe.fingerprint.digest import blob_key, digest_bytes
from airflow_mlpipe.model import DataReference, Datastore, PipelineData, Resources, Volatile
from airflow_mlpipe.model.step import InputPath, InputPort, OutputPath, Text

WRITE_TREE = """
import os, pathlib
out = pathlib.Path(os.environ["MLPIPE_OUTPUT_TREE"])
(out / "a" / "b").mkdir(parents=True)
(out / "empty").mkdir()
(out / "a" / "b" / "deep.txt").write_text("deep")
(out / "ünïcode name.txt").write_text("odd")
(out / "run.sh").write_text("#!/bin/sh\\necho ran\\n")
(out / "run.sh").chmod(0o755)
"""
WRITE_ONE = "import os; open(os.environ['MLPIPE_OUTPUT_ONE'], 'w').write('x')"
LIST_INPUT = """
import os, pathlib
top = pathlib.Path(os.environ["MLPIPE_INPUT_TREE"])
for path in sorted(top.rglob("*")):
    print(path.relative_to(top), path.is_dir() or path.read_text().split("\\n")[0], os.access(path, os.X_OK))
"""


def test_what_one_step_writes_the_next_one_reads(bench: Deployment) -> None:
    """Deep folders, empty folders, odd names and the executable bit survive."""
    (tree,) = bench.write(WRITE_TREE, PipelineData("tree"))
    assert (tree.kind, tree.files, tree.name) == ("folder", 3, "tree")
    bench.lines.clear()
    bench.run(LIST_INPUT, inputs=(reads("tree", tree),))
    assert bench.lines[1:] == [
        "a True True",
        "a/b True True",
        "a/b/deep.txt deep False",
        "empty True True",
        "run.sh #!/bin/sh True",
        "ünïcode name.txt odd False",
    ]


def test_on_one_host_nothing_is_copied(bench: Deployment) -> None:
    """The consumer's file is a link to the very file that the producer wrote."""
    script = "import os\np = os.environ['MLPIPE_OUTPUT_ONE']\nopen(p, 'w').write('x')\nprint(os.stat(p).st_ino)"
    (one,) = bench.write(script, PipelineData("one", kind="file"))
    bench.run("import os; print(os.stat(os.environ['MLPIPE_INPUT_ONE']).st_ino)", inputs=(reads("one", one),))
    written, staged, read = bench.lines
    assert written == read
    assert staged == "staged 1 files by links, fetched 0 bytes"


def test_the_store_is_never_linked_to(bench: Deployment) -> None:
    """Whatever a program does to its inputs, the store's file is another one."""
    (one,) = bench.write(
        "import os; open(os.environ['MLPIPE_OUTPUT_ONE'], 'w').write('x')", PipelineData("one", kind="file")
    )
    assert bench.stores.store.path(blob_key(one.digest)).stat().st_nlink == 1


def test_a_file_has_its_declared_name(bench: Deployment) -> None:
    """For the producer and for the consumer."""
    data = PipelineData("plot", kind="file", filename="figure 1.png")
    (plot,) = bench.write("import sys, os; open(os.environ['MLPIPE_OUTPUT_PLOT'], 'w').write('png')", data)
    assert plot.filename == "figure 1.png"
    bench.run(
        "import sys; print(sys.argv[1].rpartition('/')[2])", inputs=(reads("p", plot),), command=(InputPath("p"),)
    )
    assert bench.lines[-1] == "figure 1.png"


def test_several_inputs_are_numbered(bench: Deployment) -> None:
    """In their order; a folder each, and a file with its suffix."""
    data = PipelineData("part", kind="file", filename="p.tar.gz")
    parts = [
        bench.write(f"import os; open(os.environ['MLPIPE_OUTPUT_PART'], 'w').write('{n}')", data)[0] for n in range(3)
    ]
    (tree,) = bench.write(WRITE_TREE, PipelineData("tree"))
    bench.run(
        "import os, sys\nfor a in sys.argv[1:]: print(sorted(os.listdir(a)))",
        inputs=(reads("parts", *parts, many=True), reads("trees", tree, tree, many=True), reads("none", many=True)),
        command=(InputPath("parts"), InputPath("trees"), InputPath("none")),
    )
    assert bench.lines[-3:] == ["['00000.tar.gz', '00001.tar.gz', '00002.tar.gz']", "['00000', '00001']", "[]"]


@pytest.mark.skipif(os.geteuid() != 0, reason="without root the mode alone stops the program; see the next test")
def test_a_program_that_writes_to_its_input_is_found_out(bench: Deployment) -> None:
    """Its result is not published, and the next step gets the true bytes."""
    (one,) = bench.write(
        "import os; open(os.environ['MLPIPE_OUTPUT_ONE'], 'w').write('x')", PipelineData("one", kind="file")
    )
    script = "import os; open(os.environ['MLPIPE_INPUT_ONE'], 'r+').write('y')"
    with pytest.raises(InputChangedError, match=one.digest):
        bench.run(script, inputs=(reads("one", one),))
    bench.run("import os; print(open(os.environ['MLPIPE_INPUT_ONE']).read())", inputs=(reads("one", one),))
    assert bench.lines[-1] == "x"


def test_inputs_are_read_only(bench: Deployment) -> None:
    """Files and folders: no write bit is set."""
    (tree,) = bench.write(WRITE_TREE, PipelineData("tree"))
    script = """
        import os, pathlib, stat
        top = pathlib.Path(os.environ["MLPIPE_INPUT_TREE"])
        print(any(p.stat().st_mode & 0o222 for p in [top, *top.rglob("*")]))
    """
    bench.run(script, inputs=(reads("tree", tree),))
    assert bench.lines[-1] == "False"
    assert bench.left_in_scratch == []


def test_local_data_are_linked_not_copied(bench: Deployment) -> None:
    """A symbolic link to the original, under its own name; a glob's matches under their paths."""
    lake = Datastore("lake")
    for name in ("raw/a.csv", "raw/sub/b.csv", "raw/c.txt"):
        path = bench.stores.root / "lake" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    paths = ("raw/a.csv", "raw", "raw/**/*.csv")
    inputs = tuple(InputPort(name=f"i{n}", data=DataReference(lake, p)) for n, p in enumerate(paths))
    script = """
        import glob, os, sys
        for p in sys.argv[1:]:
            found = os.path.isdir(p) and sorted(glob.glob("**/*.*", root_dir=p, recursive=True))
            print(p.split("inputs/")[1], found)
    """
    bench.run(script, inputs=inputs, command=tuple(InputPath(i.name) for i in inputs))
    assert bench.lines[-3:] == [
        "i0/a.csv False",
        "i1/raw ['a.csv', 'c.txt', 'sub/b.csv']",
        "i2 ['a.csv', 'sub/b.csv']",
    ]


def test_objects_of_a_store_are_downloaded(bench: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a datastore that is no folder of this machine: a file, a folder and a glob."""
    monkeypatch.setattr(bench.stores, "local_root", lambda _: None)
    lake = Datastore("lake")
    for name in ("raw/a.csv", "raw/sub/b.csv"):
        bench.stores.datastore(lake).put(name, name.encode())
    paths = ("raw/a.csv", "raw", "raw/**/*.csv")
    inputs = tuple(InputPort(name=f"i{n}", data=DataReference(lake, p)) for n, p in enumerate(paths))
    script = """
        import glob, sys
        print(open(sys.argv[1]).read())
        for p in sys.argv[2:]:
            print(sorted(glob.glob("**/*.*", root_dir=p, recursive=True)))
    """
    bench.run(script, inputs=inputs, command=tuple(InputPath(i.name) for i in inputs))
    assert bench.lines[-3:] == ["raw/a.csv", "['a.csv', 'sub/b.csv']", "['a.csv', 'sub/b.csv']"]


def test_an_input_that_changes_while_the_step_runs_is_not_published(bench: Deployment) -> None:
    """The caller's check runs after the program and before anything is stored."""

    def recheck() -> None:
        assert bench.lines == ["ran"]
        assert not list(bench.stores.store.list())
        raise InputChangedError("changed", where="raw")

    with pytest.raises(InputChangedError):
        bench.run(
            "import os; open(os.environ['MLPIPE_OUTPUT_O'], 'w').write('x'); print('ran')",
            outputs=ports(PipelineData("o", kind="file")),
            recheck=recheck,
        )
    assert not list(bench.stores.store.list())


def test_the_code_that_runs_is_the_snapshot(bench: Deployment) -> None:
    """With its folders; the script finds its modules and its files."""
    files = {"lib/__init__.py": "", "lib/helper.py": "VALUE = 7", "data/x.txt": "text"}
    bench.run("from lib.helper import VALUE\nprint(VALUE, open('data/x.txt').read())", files=files)
    assert bench.lines == ["7 text"]


def test_a_script_that_is_no_python_runs_by_its_first_line(bench: Deployment) -> None:
    """Whatever mode it has in the source folder."""
    bench.run("#!/bin/sh\necho shell $1\n", entry="run", command=(Text("x", "x"),))
    assert bench.lines == ["shell x"]


def test_a_command_needs_no_code(bench: Deployment) -> None:
    """And no Python."""
    command = (Text("cp", "cp"), Text("/etc/hostname", "/etc/hostname"), OutputPath("o"))
    result = bench.run(None, kind="command", command=command, outputs=ports(PipelineData("o", kind="file")))
    assert result.outputs[0].digest == digest_bytes(Path("/etc/hostname").read_bytes())


def test_a_resource_input_lies_with_the_code(bench: Deployment) -> None:
    """A file under its own name, a folder under the port's."""
    data = PipelineData("weights", kind="file", filename="w.bin")
    (weights,) = bench.write("import os; open(os.environ['MLPIPE_OUTPUT_WEIGHTS'], 'w').write('w')", data)
    (tree,) = bench.write(WRITE_TREE, PipelineData("tree"))
    script = "import os; print(open('w.bin').read(), sorted(os.listdir('assets')))"
    bench.run(script, resource_inputs=(reads("weights", weights), reads("assets", tree)))
    assert bench.lines[-1] == "w ['a', 'empty', 'run.sh', 'ünïcode name.txt']"


def test_nothing_of_the_worker_is_in_the_environment(bench: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process itself sees, not what we meant to give it."""
    monkeypatch.setenv("AIRFLOW_CONN_DB", "mysql://u:p@h")
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "fernet")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws")
    bench.run("import os; print(open('/proc/self/environ').read().replace(chr(0), ' '))")
    assert "MLPIPE_PARAMS=" in bench.lines[0]
    assert not any(word in bench.lines[0] for word in ("AIRFLOW", "fernet", "aws", "mysql"))


def test_result_and_metrics_come_back(bench: Deployment) -> None:
    """With how long it took and how much memory."""
    script = """
        import json, os
        json.dump({"best": 3}, open(os.environ["MLPIPE_RESULT"], "w"))
        with open(os.environ["MLPIPE_METRICS"], "a") as f:
            for step in range(3):
                print(json.dumps({"name": "loss", "value": 1 / (step + 1), "step": step}), file=f)
        assert json.load(open(os.environ["MLPIPE_PARAMS"])) == {"lr": 0.1, "n": 1}
    """
    result = bench.run(script, parameters={"lr": 0.1, "n": 1})
    assert result.result == {"best": 3}
    assert result.metrics == {"loss": pytest.approx(1 / 3)}
    assert result.seconds > 0
    assert result.peak_bytes is None or result.peak_bytes > 2**20


def test_secrets_are_files(bench: Deployment) -> None:
    """Gone with the attempt."""
    bench.run(
        "import os; print(os.environ['MLPIPE_SECRET_TOKEN'], open(os.environ['MLPIPE_SECRET_TOKEN']).read())",
        secrets={"token": "t0"},
    )
    path, value = bench.lines[0].split()
    assert value == "t0"
    assert not Path(path).exists()


def test_a_missing_output_is_named(bench: Deployment) -> None:
    """Port, path, and what lies beside it."""
    data = PipelineData("model", kind="file", filename="model.bin")
    script = "import os; open(os.path.dirname(os.environ['MLPIPE_OUTPUT_MODEL']) + '/model.pkl', 'w')"
    with pytest.raises(OutputMissingError) as caught:
        bench.run(script, outputs=ports(data))
    message = str(caught.value)
    assert all(part in message for part in ("demo/step", "'model'", "model.bin", "beside it there is: model.pkl"))
    assert not list(bench.stores.store.list())


def test_all_outputs_are_looked_at_before_the_first_is_stored(bench: Deployment) -> None:
    """A step with one good and one missing output leaves nothing."""
    data = (PipelineData("a", kind="file"), PipelineData("b", kind="file"))
    with pytest.raises(OutputMissingError, match="'b'"):
        bench.write("import os; open(os.environ['MLPIPE_OUTPUT_A'], 'w').write('x')", *data)
    assert not list(bench.stores.store.list())


def test_an_optional_output_may_be_left_out(bench: Deployment) -> None:
    """Then there is no reference; an empty folder that is not optional is one."""
    data = (PipelineData("a", kind="file", optional=True), PipelineData("b", optional=True), PipelineData("c"))
    assert [o.name for o in bench.write("pass", *data)] == ["c"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.symlink('/etc/passwd', out + '/link')", "link"),
        ("os.symlink('nowhere', out + '/link')", "link"),
        ("import socket; socket.socket(socket.AF_UNIX).bind(out + '/s')", "socket"),
        ("os.mkfifo(out + '/pipe')", "pipe"),
        ("open(os.fsencode(out) + b'/\\xff', 'w')", "UTF-8"),
        ("os.rmdir(out); open(out, 'w')", "declared as a folder, and a file is there"),
        ("os.rmdir(out); os.symlink('/etc', out)", "the output is a link"),
    ],
)
def test_what_no_store_can_hold_is_refused(code: str, words: str, bench: Deployment) -> None:
    """With the output and the file in the message."""
    if "AF_UNIX" in code:
        code = f"os.chdir(out); {code.replace('out + ' + repr('/s'), repr('s'))}"  # such a path has 107 bytes at most
    with pytest.raises(OutputInvalidError, match=words) as caught:
        bench.write(f"import os\nout = os.environ['MLPIPE_OUTPUT_O']\n{code}", PipelineData("o"))
    assert "demo/step: output 'o'" in str(caught.value)


def test_a_link_inside_an_output_is_its_target(bench: Deployment) -> None:
    """A store holds files: the consumer sees the bytes under both names."""
    script = "import os\nos.chdir(os.environ['MLPIPE_OUTPUT_TREE'])\nopen('a', 'w').write('x')\nos.symlink('a', 'b')"
    (tree,) = bench.write(script, PipelineData("tree"))
    bench.lines.clear()
    bench.run(LIST_INPUT, inputs=(reads("tree", tree),))
    assert bench.lines[1:] == ["a x False", "b x False"]


def test_an_attempt_starts_from_empty_outputs(bench: Deployment) -> None:
    """What a failed attempt wrote is never seen again, even by an attempt of the same name."""
    script = "import os\nout = os.environ['MLPIPE_OUTPUT_O']\nopen(out + '/partial', 'w')\nprint(os.listdir(out))\n1/0"
    job = bench.job(script, outputs=ports(PipelineData("o")))
    for keep in (True, False):
        with pytest.raises(ProgramFailedError):
            bench.attempt_of(job, keep_failed=keep).run()
        assert bench.left_in_scratch == ([job.attempt] if keep else [])
    assert bench.lines.count("['partial']") == 2
    assert not list(bench.stores.store.list())


def test_checkpoints_survive_a_failed_attempt_and_not_a_good_one(bench: Deployment) -> None:
    """Of the same fingerprint."""
    script = """
        import os, pathlib
        mark = pathlib.Path(os.environ["MLPIPE_CHECKPOINT_DIR"], "mark")
        print(mark.exists())
        mark.touch()
        raise SystemExit(int(os.environ["AML_PARAMETER_code"]))
    """
    for code in (1, 75, 0, 0):
        try:
            bench.run(script, parameters={"code": code})
        except StepError:
            pass
    assert bench.lines == ["False", "True", "True", "False"]


def test_volatile_parts_do_not_count_for_the_identity(bench: Deployment) -> None:
    """The bytes are published as they are."""
    data = PipelineData("o", volatile=(Volatile("run_id"),))
    script = "import os, uuid\nout = os.environ['MLPIPE_OUTPUT_O']\nopen(out + '/run_id', 'w').write(uuid.uuid4().hex)"
    (one,), (two,) = bench.write(script, data), bench.write(script, data)
    assert one.digest != two.digest
    assert one.identity == two.identity


def test_an_output_goes_to_its_datastore(bench: Deployment) -> None:
    """The reference says where, and the next step finds it there."""
    (one,) = bench.write(
        "import os; open(os.environ['MLPIPE_OUTPUT_O'], 'w').write('lake')",
        PipelineData("o", kind="file", datastore=Datastore("lake")),
    )
    assert one.datastore == "lake"
    assert Path(one.uri.removeprefix("file://")).read_text() == "lake"
    assert not list(bench.stores.store.list())
    bench.run("import os; print(open(os.environ['MLPIPE_INPUT_O']).read())", inputs=(reads("o", one),))
    assert bench.lines[-1] == "lake"


def test_memory_and_time_limits_reach_the_program(bench: Deployment) -> None:
    """From the step's resources and the job's timeout."""
    with pytest.raises(OutOfMemoryError, match="limit is 60 MiB"):
        bench.run("x = b'x' * (200 << 20)\nimport time; time.sleep(600)", resources=Resources(memory="60Mi"))
    with pytest.raises(TimedOutError):
        bench.run("import time; time.sleep(600)", timeout=0.5)


def test_a_cancelled_attempt_publishes_nothing(bench: Deployment) -> None:
    """From another thread while it runs, and before it starts."""
    attempt = bench.attempt("import time; print('up', flush=True); time.sleep(600)", outputs=ports(PipelineData("o")))
    bench.on_line = lambda _: threading.Thread(target=attempt.cancel).start()
    with pytest.raises(StepCancelledError):
        attempt.run()
    early = bench.attempt("print('never')")
    early.cancel()
    with pytest.raises(StepCancelledError):
        early.run()
    assert bench.left_in_scratch == []
    assert not list(bench.stores.store.list())


def test_ten_thousand_files_are_staged(bench: Deployment) -> None:
    """All of them, as links."""
    script = """
        import os
        out = os.environ["MLPIPE_OUTPUT_TREE"]
        for folder in range(100):
            os.mkdir(f"{out}/{folder}")
            for n in range(100):
                if folder:
                    os.link(f"{out}/0/{n}", f"{out}/{folder}/{n}")  # quicker to write, and as many to stage
                else:
                    open(f"{out}/0/{n}", "w").write(str(n))
    """
    (tree,) = bench.write(script, PipelineData("tree"))
    script = """
        import glob, os
        files = glob.glob(os.environ["MLPIPE_INPUT_TREE"] + "/*/*")
        print(len(files), all(os.stat(f).st_nlink == 101 for f in files))
        print(all(open(f).read() == os.path.basename(f) for f in files))
    """
    bench.run(script, inputs=(reads("tree", tree),))
    assert bench.lines[-2:] == ["10000 True", "True"]


def test_a_cache_that_was_removed_is_filled_again(bench: Deployment) -> None:
    """From the store: another host starts like this."""
    (tree,) = bench.write(WRITE_TREE, PipelineData("tree"))
    bench.forget_cache()
    bench.lines.clear()
    bench.run(LIST_INPUT, inputs=(reads("tree", tree),))
    assert bench.lines[0].startswith("staged 3 files by links, fetched ")
    assert "fetched 0 bytes" not in bench.lines[0]
    assert "a/b/deep.txt deep False" in bench.lines


def test_the_attempts_folders_are_the_owners_alone(bench: Deployment) -> None:
    """Other users of the host do not read inputs, outputs and secrets."""
    bench.run("import os; print(oct(os.stat(os.path.dirname(os.environ['HOME'])).st_mode & 0o777))")
    assert bench.lines == ["0o700"]
    assert stat.S_IMODE(bench.host.scratch.stat().st_mode) & 0o700


def test_a_bad_result_is_the_steps_fault(bench: Deployment) -> None:
    """And nothing is published."""
    with pytest.raises(StepError, match="MLPIPE_RESULT"):
        bench.write("import os; open(os.environ['MLPIPE_RESULT'], 'w').write('{')", PipelineData("o"))
    assert not list(bench.stores.store.list())

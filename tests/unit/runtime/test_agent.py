"""The agent as a process: stage, a program, publish, on folders and on a real S3 server."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.agents import AgentBench, clean, job_of, writes

from airflow_mlpipe.errors import ComputeError, InputChangedError, InputError, OutputInvalidError, OutputMissingError
from airflow_mlpipe.model import DataReference, Datastore, PipelineData
from airflow_mlpipe.model.step import FunctionCall, InputPath, InputPort, OutputPath
from airflow_mlpipe.runtime.documents.failure import failure_from_bytes
from airflow_mlpipe.runtime.function import FunctionError
from airflow_mlpipe.runtime.orders import make_order, put_order
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.testing.compute_contract import wait_for

if TYPE_CHECKING:
    from servers import S3Server


@pytest.fixture(params=["folder", "s3"])
def configs(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, StoreConfig]:
    """A workspace, and the datastores ``raw`` and ``lake``."""
    if request.param == "folder":
        return {name: StoreConfig(url=(tmp_path / f"store{name}").as_uri()) for name in ("", "raw", "lake")}
    server: S3Server = request.getfixturevalue("s3")
    return {name: server.config(f"prefix{name}") for name in ("", "raw", "lake")}


@pytest.fixture
def bench(tmp_path: Path, configs: dict[str, StoreConfig]) -> AgentBench:
    """An attempt that writes a file and a folder."""
    return AgentBench(tmp_path / "machine", configs, writes("x"))


def run(bench: AgentBench) -> None:
    """Stage, run, publish."""
    assert bench.do("stage") == 0, bench.said
    assert bench.program() == 0, bench.said
    assert bench.do("publish") == 0, bench.said


def test_what_a_program_writes_is_a_candidate_with_its_bytes(bench: AgentBench) -> None:
    """The worker takes it, and then there is none."""
    run(bench)
    result = bench.candidates.commit("a1", where="step", seconds=2.5, peak_bytes=7)
    file, folder = result.outputs
    contents = bench.stores.contents("")
    assert contents.read_bytes(file.digest) == b"x"
    assert [path for path, _ in contents.walk(folder.digest)] == ["deep", "deep/f"]
    assert (result.seconds, result.peak_bytes, file.fingerprint) == (2.5, 7, bench.job.fingerprint)
    bench.candidates.forget("a1")
    assert bench.candidates.read("a1") is None
    assert not [key for key in bench.keys if key.startswith("candidates/")]


def test_inputs_from_upstream_and_existing_data_are_where_the_plan_says(bench: AgentBench) -> None:
    """Files, folders, several, a file, a folder and a glob of a datastore, and resources beside the code."""
    run(bench)
    file, folder = bench.candidates.commit("a1", where="step", seconds=1).outputs
    raw = bench.stores.datastore(Datastore("raw"))
    raw.put("day/a.csv", b"a")
    raw.put("day/b.txt", b"b")
    place = Datastore("raw")
    ports = (
        InputPort(name="file", references=(file,)),
        InputPort(name="folder", references=(folder,)),
        InputPort(name="many", references=(file, folder), many=True),
        InputPort(name="gone"),
        InputPort(name="one", data=DataReference(place, "day/a.csv")),
        InputPort(name="day", data=DataReference(place, "day/")),
        InputPort(name="some", data=DataReference(place, "day/*.csv")),
    )
    script = """
        import pathlib, sys
        *paths, out = sys.argv[1:]
        found = []
        for name, path in zip(("file", "folder", "many", "gone", "one", "day", "some"), paths):
            top = pathlib.Path(path) if path else None
            files = [] if top is None else [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file())
            found += [f"{name}:{file.name}={file.read_text()}" for file in files]
        found += [pathlib.Path("o.txt").read_text(), pathlib.Path("lib/x.txt").read_text()]
        pathlib.Path(out).write_text(" ".join(found))
    """
    reads = job_of(
        *(InputPath(port.name) for port in ports),
        OutputPath("o"),
        script=script,
        inputs=ports,
        resource_inputs=(InputPort(name="beside", references=(file,)),),
        outputs=(PipelineData("o", kind="file", datastore=Datastore("lake")),),
        attempt="a2",
    )
    bench.order(reads)
    run(bench)
    (read,) = bench.candidates.commit("a2", where="step", seconds=1).outputs
    assert bench.stores.contents("lake").read_bytes(read.digest).decode().split() == [
        *("file:o.txt=x", "folder:f=y", "many:00000.txt=x", "many:f=y"),
        *("one:a.csv=a", "day:a.csv=a", "day:b.txt=b", "some:a.csv=a", "x", "x"),
    ]


def test_secrets_parameters_and_results_go_through_files(bench: AgentBench) -> None:
    """A value of a secret is in its file and in no document; what the program says of itself is in the result."""
    script = """
        import json, os
        value = open(os.environ["MLPIPE_SECRET_KEY"]).read()
        n = json.load(open(os.environ["MLPIPE_PARAMS"]))["n"]
        json.dump([len(value), n], open(os.environ["MLPIPE_RESULT"], "w"))
        open(os.environ["MLPIPE_METRICS"], "a").write('{"name": "loss", "value": 0.5}\\n')
    """
    bench.order(job_of(script=script, parameters={"n": 3}, secrets={"key": "swordfish"}))
    run(bench)
    result = bench.candidates.commit("a1", where="step", seconds=1)
    assert (result.result, dict(result.metrics)) == ([9, 3], {"loss": 0.5})
    assert b"swordfish" not in (bench.folder / "job.json").read_bytes()
    assert not any(b"swordfish" in bench.workspace.get(key) for key in bench.keys)


def test_functions_are_called_with_values_and_return_some(bench: AgentBench) -> None:
    """What cannot travel is the function's error, also when its process failed."""
    run_function(bench, "def f(n):\n    return {'twice': 2 * n}\n", attempt="f1")
    assert bench.program() == 0, bench.said
    assert bench.do("publish") == 0, bench.said
    assert dict(bench.candidates.commit("f1", where="step", seconds=1).values) == {"value": {"twice": 6}}
    run_function(bench, "def f(n):\n    return object()\n", attempt="f2")
    assert bench.program() != 0
    assert bench.do("publish") == 1
    assert isinstance(bench.candidates.error("f2"), FunctionError)


def run_function(bench: AgentBench, source: str, *, attempt: str) -> None:
    """Stage a function step."""
    job = job_of(
        script=source,
        function=FunctionCall(file="main.py", name="f"),
        parameters={"n": 3},
        outputs=(PipelineData("value", optional=True),),
        attempt=attempt,
    )
    bench.order(replace(job, step=replace(job.step, kind="function", code=None)))
    assert bench.do("stage") == 0, bench.said


def test_an_error_is_the_same_in_the_worker(bench: AgentBench) -> None:
    """Its kind and every part, in the workspace and in the last line; a later publication that works counts."""
    assert bench.do("stage") == 0
    assert bench.do("publish") == 1
    with pytest.raises(OutputMissingError, match="the program did not write this file") as caught:
        bench.candidates.commit("a1", where="step", seconds=1)
    assert caught.value.where == "demo/run/step: output 'o'"
    assert caught.value.fix == "write it, or declare PipelineData(optional=True)"
    assert str(failure_from_bytes(bench.said[-1].encode())) == str(caught.value)
    assert bench.program() == 0
    assert bench.do("publish") == 0
    assert bench.candidates.commit("a1", where="step", seconds=1).outputs


def test_data_that_are_gone_are_said(bench: AgentBench) -> None:
    """By staging, before anything runs."""
    bench.order(job_of("true", inputs=(InputPort(name="one", data=DataReference(Datastore("raw"), "no/such")),)))
    assert bench.do("stage") == 1
    with pytest.raises(InputError, match="the data are not there"):
        bench.candidates.read("a1")
    assert bench.do("ready") == 1


def test_a_program_that_writes_to_its_inputs_publishes_nothing(bench: AgentBench) -> None:
    """As on the worker's machine."""
    run(bench)
    (file, _) = bench.candidates.commit("a1", where="step", seconds=1).outputs
    text = 'chmod u+w "$1" && echo more >> "$1"'
    ports = (InputPort(name="file", references=(file,)),)
    bench.order(job_of("sh", "-c", text, "sh", InputPath("file"), inputs=ports, attempt="a2"))
    assert bench.do("stage") == 0
    assert bench.program() == 0
    assert bench.do("publish") == 1
    with pytest.raises(InputChangedError):
        bench.candidates.read("a2")


@pytest.mark.parametrize(
    "text",
    [
        'ln -s "$1" "$MLPIPE_RESULT"',
        'rm "$MLPIPE_METRICS"; ln -s "$1" "$MLPIPE_METRICS"',
        'ln -s "$1" "$MLPIPE_OUTPUT_O"',
        'cd "$MLPIPE_OUTPUT_O/../.."; rm -r o; ln -s "${1%/*}" o',
        'cd "$MLPIPE_OUTPUT_O/../../.."; mv outputs away; mkdir -p elsewhere; ln -s elsewhere outputs',
        'mkfifo "$MLPIPE_RESULT"',
    ],
)
def test_a_program_cannot_have_the_agent_read_what_it_may_not(bench: AgentBench, text: str) -> None:
    """A link to the agent's own documents is an error, wherever it is put, and nothing of them is published."""
    output = PipelineData("o", kind="file", filename="stores.json", optional=True)
    bench.order(job_of("sh", "-c", text, "sh", str(bench.folder / "stores.json"), outputs=(output,)))
    assert bench.do("stage") == 0
    assert bench.program() == 0, bench.said
    assert bench.do("publish") == 1
    assert isinstance(bench.candidates.error("a1"), OutputInvalidError)
    assert bench.keys == ["candidates/a1.error.json"]


def test_of_two_publications_the_first_counts(bench: AgentBench) -> None:
    """Both end well, and there is one candidate, whole."""
    other = bench.another("other")
    for machine in (bench, other):
        assert machine.do("stage") == 0
        assert machine.program() == 0
    (other.root / "outputs" / "o" / "o.txt").write_text("something else")
    first, second = bench.start("publish"), other.start("publish")
    said = first.communicate()[0] + second.communicate()[0]
    assert (first.returncode, second.returncode) == (0, 0)
    assert said.count("another publication of this attempt was first") == 1
    (file, _) = bench.candidates.commit("a1", where="step", seconds=1).outputs
    assert bench.stores.contents("").read_bytes(file.digest) in (b"x", b"something else")


def test_nothing_at_all_is_no_result(bench: AgentBench) -> None:
    """A program that ended well and a publication that never did."""
    with pytest.raises(ComputeError, match="ended before it was done") as caught:
        bench.candidates.commit("a1", where="step", seconds=1)
    assert caught.value.reason == "lost"


# ---- the sidecar ---------------------------------------------------------------------------------------------------


def test_a_sidecar_stages_says_so_waits_and_publishes(bench: AgentBench) -> None:
    """SIGTERM is how it hears that the program is over."""
    assert bench.do("ready") == 1
    sidecar = bench.start("sidecar")
    wait_for(lambda: bench.do("ready") == 0)
    assert bench.program() == 0, bench.said
    assert not [key for key in bench.keys if key.startswith("candidates/")]
    sidecar.send_signal(signal.SIGTERM)
    sidecar.communicate()
    assert sidecar.returncode == 0
    assert len(bench.candidates.commit("a1", where="step", seconds=1).outputs) == 2


def test_a_sidecar_that_comes_back_does_not_stage_again(bench: AgentBench) -> None:
    """What the program has written meanwhile stays."""
    sidecar = bench.start("sidecar")
    mark = bench.root / ".agent" / "ready"
    wait_for(mark.exists)
    assert bench.program() == 0
    sidecar.kill()
    sidecar.communicate()
    before = mark.stat().st_mtime_ns
    again = bench.start("sidecar")
    wait_for(lambda: mark.stat().st_mtime_ns != before)
    again.terminate()
    again.communicate()
    assert again.returncode == 0
    assert len(bench.candidates.commit("a1", where="step", seconds=1).outputs) == 2


def test_checkpoints_go_through_the_workspace_unless_their_folder_outlives_the_attempt(bench: AgentBench) -> None:
    """A sidecar keeps them, also of a program that failed; a folder that has some is the younger one, and stays."""
    bench.order(job_of("sh", "-c", 'echo 1 > "$MLPIPE_CHECKPOINT_DIR/epoch"; exit 1'))
    sidecar = bench.start("sidecar")
    wait_for((bench.root / ".agent" / "ready").exists)
    assert bench.program() == 1
    sidecar.terminate()
    sidecar.communicate()
    fresh, used = bench.another("fresh"), bench.another("used")
    assert fresh.do("stage") == 0
    assert (fresh.root / "checkpoints" / "epoch").read_text() == "1\n"
    (used.root / "checkpoints").mkdir()
    (used.root / "checkpoints" / "epoch").write_text("2")
    assert used.do("stage") == 0
    assert (used.root / "checkpoints" / "epoch").read_text() == "2"


def test_sigterm_before_everything_is_staged_leaves_nothing(tmp_path: Path, s3: S3Server) -> None:
    """Neither a mark nor a candidate nor an error: it says of nothing that it is over.

    The datastore is a server that never answers, so staging is under way for as long as the test wants.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = s3.options | {"endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        configs = {"": s3.config("w"), "raw": StoreConfig(url="s3://raw/x", options=options)}
        ports = (InputPort(name="one", data=DataReference(Datastore("raw"), "never")),)
        bench = AgentBench(tmp_path / "machine", configs, job_of("true", inputs=ports))
        for verb in ("sidecar", "stage"):
            agent = bench.start(verb)
            asked = silent.accept()
            agent.terminate()
            agent.communicate()
            asked[0].close()
            assert agent.returncode == 3
            assert bench.do("ready") == 1
            assert [key for key in bench.keys if not key.startswith("blobs/")] == []


def test_a_second_sigterm_ends_a_publication(tmp_path: Path, s3: S3Server) -> None:
    """Without a candidate: the output's datastore never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = s3.options | {"endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        configs = {"": s3.config("w"), "lake": StoreConfig(url="s3://lake/x", options=options)}
        output = PipelineData("o", kind="file", datastore=Datastore("lake"))
        job = job_of("sh", "-c", 'echo > "$1"', "sh", OutputPath("o"), outputs=(output,))
        bench = AgentBench(tmp_path / "machine", configs, job)
        agent = bench.start("sidecar")
        wait_for((bench.root / ".agent" / "ready").exists)
        assert bench.program() == 0
        agent.terminate()
        asked = silent.accept()
        agent.terminate()
        agent.communicate()
        asked[0].close()
        assert agent.returncode == 3
        assert bench.candidates.read("a1") is None


@pytest.mark.parametrize("after", ["blobs", "trees", ""])
def test_a_killed_publication_leaves_no_half_candidate(bench: AgentBench, after: str) -> None:
    """Killed as soon as something of a kind is there; whoever publishes after it ends the work."""
    assert bench.do("stage") == 0
    assert bench.program() == 0
    agent = bench.start("publish")
    wait_for(lambda: agent.poll() is not None or not after or any(key.startswith(after) for key in bench.keys))
    agent.kill()
    agent.communicate()
    result = bench.candidates.read("a1")
    assert result is None or len(result.outputs) == 2
    assert bench.do("publish") == 0
    assert len(bench.candidates.commit("a1", where="step", seconds=1).outputs) == 2


# ---- documents and exit codes --------------------------------------------------------------------------------------


def test_wrong_documents_are_exit_code_2(bench: AgentBench) -> None:
    """A missing file, one that is none, a newer one; credentials are not shown."""
    secret = bench.folder / "stores.json"
    secret.unlink()
    assert bench.do("stage") == 2
    secret.write_text('{"swordfish"')
    assert bench.do("stage") == 2
    assert not any("swordfish" in line for line in bench.said)
    (bench.folder / "job.json").write_text('{"mlpipe": "job/2"}')
    bench_stores = '{"mlpipe": "stores/1", "stores": {}}'
    secret.write_text(bench_stores)
    assert bench.do("stage") == 2
    assert "written by a newer version" in bench.said[-1]
    assert bench.do("no-such-verb") == 2


def test_a_workspace_that_cannot_be_told_is_exit_code_4(tmp_path: Path) -> None:
    """The last line of the output is the error."""
    place = tmp_path / "workspace"
    bench = AgentBench(tmp_path / "machine", {"": StoreConfig(url=place.as_uri())}, writes("x"))
    assert bench.do("stage") == 0
    assert bench.program() == 0
    (tmp_path / "file").write_text("")
    place.rename(tmp_path / "away") if place.exists() else None
    place.symlink_to(tmp_path / "file")
    assert bench.do("publish") == 4
    assert failure_from_bytes(bench.said[-1].encode()).what.startswith("cannot")


def test_a_job_may_be_read_from_the_workspace(bench: AgentBench) -> None:
    """For machines that take no large files."""
    key = put_order(make_order(bench.job, bench.stores), bench.stores)
    (bench.folder / "job.json").unlink()
    assert bench.do("stage", "--job", f"workspace:{key}") == 0, bench.said
    assert bench.program() == 0
    assert bench.do("publish", "--job", f"workspace:{key}") == 0
    assert bench.candidates.read("a1") is not None


def test_any_user_can_run_the_program(bench: AgentBench) -> None:
    """Folders to write in are open, inputs and secrets are not, and what the agent keeps is its own."""
    assert bench.do("stage") == 0
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in bench.root.iterdir()}
    assert {modes[name] for name in ("outputs", "work", "home", "tmp", "exchange", "checkpoints", "code")} == {0o777}
    assert {modes[name] for name in ("inputs", "private", "kernel", "site")} == {0o755}
    assert modes[".agent"] == 0o700


def test_the_agent_imports_no_airflow_and_little_else() -> None:
    """Its image is small."""
    text = """
import sys
before = set(sys.modules)  # what the environment itself starts with
import airflow_mlpipe.runtime.agent.main, airflow_mlpipe.store.obstore_
new = {name: module for name, module in sys.modules.items() if name not in before}
files = {name.partition(".")[0]: getattr(module, "__file__", None) or "" for name, module in new.items()}
print(*sorted(name for name, file in files.items() if "site-packages" in file))
"""
    shown = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, env=clean())
    assert set(shown.stdout.split()) <= {"tenacity", "obstore"}

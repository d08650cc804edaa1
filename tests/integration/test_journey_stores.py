"""The whole journey on real object stores: a pipeline through Airflow whose data and results are never on one disk.

The workspace and two datastores are connections of type ``mlpipe_datastore``: one from the environment, the others in
Airflow's database.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from servers import AZURE_ACCOUNT, AZURE_KEY
from sqlalchemy import delete
from support.battery import another_machine
from support.dags import DagRunner, RunOutcome

from airflow_mlpipe.fingerprint.digest import blob_key
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.open import open_store

SECRET = "s3cr3t/of+the=store"
DAG_FILE = """
from airflow_mlpipe import DataReference, Datastore, PipelineData, ScriptStep

with DAG("stores", schedule=None, params={"rate": 1}):
    raw = DataReference(Datastore("journey_lake"), "raw", name="raw")
    one = DataReference(Datastore("journey_lake"), "raw/b.csv", name="one")
    tree = PipelineData("tree")
    note, rows = PipelineData("note", kind="file", filename="a note.txt"), PipelineData("rows", kind="file")
    report = PipelineData("report", kind="file", datastore=Datastore("journey_shelf"), path="reports/{task} #1.txt")
    common = {"source_directory": "."}
    ScriptStep(task_id="prepare", script_name="prepare.py", inputs=[raw, one], outputs=[tree, note],
               arguments=[raw, one, tree, note], **common)
    ScriptStep(task_id="count", script_name="count.py", inputs=[tree], outputs=[rows], arguments=[tree, rows], **common)
    ScriptStep(task_id="report", script_name="report.py", inputs=[tree, note, rows], outputs=[report],
               arguments=[tree, note, rows, "{{ params.rate }}", report], **common)
"""
PROGRAMS = {
    "prepare.py": """\
        import os, pathlib, shutil, sys
        raw, one, tree, note = map(pathlib.Path, sys.argv[1:])
        print("I run: prepare")
        shutil.copytree(raw, tree, dirs_exist_ok=True)
        (tree / "empty").mkdir()
        (tree / "deep" / "er").mkdir(parents=True)
        (tree / "deep" / "er" / "tool").write_text("#!")
        (tree / "deep" / "er" / "tool").chmod(0o755)
        note.write_text("note on " + one.read_text())
        """,
    "count.py": """\
        import os, sys
        print("I run: count")
        lines = []
        for folder, names, files in sorted(os.walk(sys.argv[1])):
            here = os.path.relpath(folder, sys.argv[1])
            lines += [f"{here}/{n}/" for n in names if not os.listdir(os.path.join(folder, n))]
            for name in files:
                path = os.path.join(folder, name)
                lines.append(f"{here}/{name} {'x' if os.stat(path).st_mode & 0o100 else '-'} {open(path).read()}")
        open(sys.argv[2], "w").write("\\n".join(sorted(lines)))
        """,
    "report.py": """\
        import os, sys
        tree, note, rows, rate, report = sys.argv[1:]
        print("I run: report")
        open(report, "w").write("|".join((str(len(os.listdir(tree))), open(note).read(), open(rows).read(), rate)))
        """,
}
RAW = {"b.csv": "2", "ünï cödé #1 100%.csv": "3", "a+b&c=d?.csv": "1", "deep/~x/ý.csv": ""}
REPORT = "|".join(
    (
        "5",
        "note on 2",
        "\n".join(
            (
                "./a+b&c=d?.csv - 1",
                "./b.csv - 2",
                "./empty/",
                "./ünï cödé #1 100%.csv - 3",
                "deep/er/tool x #!",
                "deep/~x/ý.csv - ",
            )
        ),
        "{rate}",
    )
)
STEPS = ["count", "prepare", "report"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """A bucket on a server, and what opens it."""

    url: str
    options: Mapping[str, Any]
    login: str
    secret: str
    extra: Mapping[str, str]

    def store(self, folder: str) -> ObjectStore:
        return open_store(StoreConfig(url=f"{self.url}/{folder}", options=self.options))


def s3_account(server) -> Account:
    return Account(
        url=f"s3://{server.new_bucket()}",
        options=server.options,
        login="testing",
        secret=SECRET,
        extra={"endpoint_url": server.endpoint, "region": "us-east-1"},
    )


def azure_account(server) -> Account:
    return Account(
        url=f"abfs://{server.new_container()}",
        options=server.options,
        login=AZURE_ACCOUNT,
        secret=AZURE_KEY,
        extra={"endpoint_url": server.endpoint},
    )


@dataclass(frozen=True, kw_only=True)
class Journey:
    """The pipeline on one server."""

    run_dag: DagRunner
    account: Account

    @property
    def workspace(self) -> ObjectStore:
        return self.account.store("workspace")

    @property
    def lake(self) -> ObjectStore:
        return self.account.store("lake")

    @property
    def shelf(self) -> ObjectStore:
        return self.account.store("shelf")

    def run(self, **conf: Any) -> RunOutcome:
        outcome = self.run_dag(conf=conf)
        for name, task in outcome.tasks.items():
            if task.state == "success":
                assert ("I run: " in task.log) == (task.decision == "executed"), f"{name}: {task.decision}\n{task.log}"
        return outcome

    def blob(self, run: RunOutcome, step: str, output: str) -> str:
        """The key, in the workspace, of an output that is a file."""
        found: str = blob_key(run[step].xcoms[output]["digest"])
        return found


@contextlib.contextmanager
def connections(account: Account, **folders: str) -> Iterator[None]:
    """Connections in Airflow's database, each to a folder of an account."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    made = [
        Connection(
            conn_id=name,
            conn_type="mlpipe_datastore",
            login=account.login,
            password=account.secret,
            extra=json.dumps({"url": f"{account.url}/{folder}", **account.extra}),
        )
        for name, folder in folders.items()
    ]
    with create_session() as session:
        session.add_all(made)
    try:
        yield
    finally:
        with create_session() as session:
            session.execute(delete(Connection).where(Connection.conn_id.in_(folders)))


FAST = ["s3 by obstore", "azure by obstore"]
# s3fs takes seconds of CPU for what obstore does in hundredths: the tests that it could fail where obstore does not.
EVERY = pytest.mark.parametrize("journey", [*FAST, "s3 by s3fs"], indirect=True)


@pytest.fixture(params=FAST)
def journey(request, run_dag, monkeypatch, airflow_db):
    """A pipeline that has not run yet, on each kind of store and client."""
    client = request.param.split()[-1]
    server = request.getfixturevalue("azure" if "azure" in request.param else "s3")
    account = azure_account(server) if "azure" in request.param else s3_account(server)
    if client != "obstore":
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "obstore" else real(name, *a))
    connection = {"conn_type": "mlpipe_datastore", "login": account.login, "password": account.secret}
    shared = {**connection, "extra": {"url": f"{account.url}/elsewhere", **account.extra}}
    monkeypatch.setenv("AIRFLOW_CONN_JOURNEY_STORE", json.dumps(shared))
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE", f"{account.url}/workspace")
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE_CONNECTION", "journey_store")
    found = Journey(run_dag=run_dag, account=account)
    for name, text in RAW.items():
        found.lake.put(f"raw/{name}", text.encode())
    run_dag.write(PROGRAMS)
    run_dag.parse(DAG_FILE)
    with connections(account, journey_lake="lake", journey_shelf="shelf"):
        yield found


@EVERY
def test_another_machine_reuses_it_and_stages_from_the_store(journey, tmp_path):
    """Every file and folder survives; a second worker executes nothing, or one step with what the first one wrote."""
    first = journey.run()
    assert first.executed == STEPS, first.log[-5000:]
    assert journey.shelf.get("reports/report #1.txt").decode() == REPORT.format(rate=1)

    another_machine(journey.run_dag, tmp_path / "machine-2")
    second = journey.run()
    assert second.reused == STEPS
    assert not list((tmp_path / "machine-2").rglob("sha256_*")), "nothing was fetched"
    for step in STEPS:
        kept = {key: value for key, value in first[step].xcoms.items() if key != "mlpipe"}
        assert kept.items() <= second[step].xcoms.items()

    third = journey.run(rate=2)
    assert (third.executed, third.reused) == (["report"], ["count", "prepare"])
    assert third["report"].reasons == ["PARAM rate 1 -> 2"]
    assert journey.shelf.get("reports/report #1.txt").decode() == REPORT.format(rate=2)
    assert journey.run().reused == STEPS
    assert journey.shelf.get("reports/report #1.txt").decode() == REPORT.format(rate=1), "a hit brings its copy back"


def test_an_object_that_changed_executes(journey):
    """What reads it executes, with the object's name as the reason; put back, the old result stands again."""
    journey.run()
    journey.lake.put("raw/deep/~x/ý.csv", b"new")
    changed = journey.run()
    assert changed.executed == STEPS
    assert changed["prepare"].reasons == ["INPUT raw ~1 (deep/~x/ý.csv)"]
    assert "ý.csv - new" in journey.shelf.get("reports/report #1.txt").decode()
    journey.lake.put("raw/another.csv", b"1")
    assert journey.run()["prepare"].reasons == ["INPUT raw +1 (another.csv)"]


def test_a_result_that_was_deleted_is_made_again(journey, tmp_path):
    """Its step executes, also where a worker has the bytes in its cache; what depends on it is reused."""
    first = journey.run()
    journey.workspace.delete([journey.blob(first, "prepare", "note")])
    healed = journey.run()
    assert (healed.executed, healed.reused) == (["prepare"], ["count", "report"])
    assert healed["prepare"].reasons == ["OUTPUT_GONE note"]
    another_machine(journey.run_dag, tmp_path / "machine-2")
    assert journey.run().reused == STEPS


def test_a_result_that_was_tampered_with_is_never_handed_on(journey, tmp_path):
    """Other bytes of the same size: the step that would read them fails and says why; the next run makes them again."""
    first = journey.run()
    key = journey.blob(first, "prepare", "note")
    journey.workspace.put(key, b"note on 3")
    another_machine(journey.run_dag, tmp_path / "machine-2")
    tampered = journey.run(rate=2)
    assert tampered["report"].state == "failed"
    assert "the stored bytes do not have the digest in their name; they were removed" in tampered["report"].log
    assert "note on 3" not in journey.shelf.get("reports/report #1.txt").decode()
    healed = journey.run(rate=2)
    assert (healed.executed, healed.reused) == (["prepare", "report"], ["count"])
    assert journey.workspace.get(key) == b"note on 2"
    assert journey.shelf.get("reports/report #1.txt").decode() == REPORT.format(rate=2)


@EVERY
def test_no_secret_of_a_connection_is_written_anywhere(journey):
    """Not into a log, an XCom, or any object of the workspace or of a datastore."""
    run = journey.run()
    assert run.state == "success"
    spellings = {journey.account.secret, quote(journey.account.secret, safe=""), json.dumps(journey.account.secret)}
    written = [run.log, *(json.dumps(task.xcoms) for task in run.tasks.values())]
    for store in (journey.workspace, journey.shelf, journey.lake):
        written += [store.get(info.key).decode(errors="replace") for info in store.list()]
    assert len(written) > 20
    for spelling in spellings:
        assert not [text for text in written if spelling in text]


def test_a_connection_of_a_provider_that_is_not_installed_is_a_clear_error(run_dag, monkeypatch):
    """Which connection, of which type, and what to do about it; and never its password."""
    if importlib.util.find_spec("airflow.providers.amazon") is not None:
        pytest.skip("the amazon provider is installed here")
    aws = {"conn_type": "aws", "login": "AKIA", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_JOURNEY_AWS", json.dumps(aws))
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE", "s3://bucket/workspace")
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE_CONNECTION", "journey_aws")
    run = run_dag(
        """
        from airflow_mlpipe import CommandStep
        with DAG("aws", schedule=None):
            CommandStep(task_id="step", command=["true"], retries=3)
        """
    )
    assert run["step"].state == "failed"
    assert "connection 'journey_aws'" in run["step"].log
    assert "install the Airflow provider of that store, or use a connection of type mlpipe_datastore" in run["step"].log
    assert SECRET not in run.log

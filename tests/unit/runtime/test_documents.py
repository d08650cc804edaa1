"""What crosses to another machine and back: the same value comes out, and nothing that should stay is in it."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_mlpipe import errors
from airflow_mlpipe.errors import (
    ComputeError,
    ConfigurationError,
    CorruptedError,
    DefinitionError,
    InputError,
    MLPipeError,
    OutputMissingError,
    ProgramFailedError,
    StoreUnavailableError,
    WorkspaceVersionError,
)
from airflow_mlpipe.model import DataReference, Datastore, Environment, PipelineData, Resources, Volatile
from airflow_mlpipe.model.environment import Secret
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.resources import Gpu
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.model.step import (
    CodeSpec,
    FunctionCall,
    InputPath,
    InputPort,
    OutputPath,
    OutputPort,
    StepSpec,
    Text,
)
from airflow_mlpipe.runtime.documents.failure import failure_from_bytes, failure_to_bytes
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.documents.result import result_from_bytes, result_to_bytes
from airflow_mlpipe.runtime.documents.step import step_to_json
from airflow_mlpipe.runtime.documents.stores import DocumentStores, configs_from_bytes, configs_of, configs_to_bytes
from airflow_mlpipe.runtime.job import Job, JobResult, PinnedImage
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.testing.compute_contract import FolderStores

GOLDEN = Path(__file__).parents[2] / "golden" / "documents"
REFERENCE = OutputReference(
    name="model",
    kind="file",
    digest="sha256:" + "0" * 64,
    identity="sha256:" + "1" * 64,
    datastore="lake",
    uri="s3://lake/x",
    size=3,
    files=1,
    filename="m.bin",
    type="t",
    format="f/1",
    details={"a": 1},
    length=2,
)
LAKE = Datastore("lake", url="s3://lake/x", connection="aws")
STEP = StepSpec(
    label="demo/run/step",
    kind="script",
    code=CodeSpec(root="/dags/src", entry="main.py", mode="directory", include=("*.yaml",)),
    function=FunctionCall(file="m.py", name="f", bindings={"x": 1}, names=("a", "b")),
    command=(Text("{{ ds }}", "2026-01-01"), Text("3", 3), Text("True", True), InputPath("model"), OutputPath("o")),
    parameters={"lr": 0.1, "layers": [1, 2], "name": "ü", "none": None},
    inputs=(
        InputPort(name="model", references=(REFERENCE,)),
        InputPort(name="many", references=(REFERENCE, REFERENCE), many=True),
        InputPort(name="raw", data=DataReference(Datastore("raw"), "a/*.csv", version="7", identity="content")),
    ),
    resource_inputs=(InputPort(name="beside", data=DataReference(LAKE, "b/")),),
    outputs=(
        OutputPort(data=PipelineData("o", kind="file", filename="o.txt", optional=True)),
        OutputPort(
            data=PipelineData("d", datastore=LAKE, path="x/{run}", volatile=(Volatile("*.json", pattern="[0-9]+"),)),
            destination="x/7",
        ),
    ),
    environment=Environment(image="an/image:1", variables={"A": "b"}, pass_variables=("C",)),
    secrets={"key": Secret(connection="c", field="login")},
    compute_target="far",
    resources=Resources(cpu=1.5, memory="1Gi", gpu=Gpu(2, kind="a100", memory="40Gi"), shm="64Mi", disk="1Gi"),
    reuse=Reuse(version="2", ignore=("name",), max_age=timedelta(hours=1)),
    sorted_listings=False,
)
JOB = Job(
    step=STEP,
    fingerprint="mlp1:" + "2" * 64,
    attempt="a1",
    producer=Producer(dag_id="d", task_id="t", run_id="r", map_index=3, try_number=2),
    same="mlp1:" + "2" * 64,
    image=PinnedImage(name="an/image:1", identity="sha256:i", reference="sha256:r", user="app", python_path="/x"),
    timeout=60.0,
    grace=5.0,
)


def order() -> Order:
    """An order with everything in it."""
    return Order.of(dataclasses.replace(JOB, secrets={"key": "swordfish"}), code="tree:" + "3" * 64, allow_pickle=True)


def test_an_order_comes_back_as_it_was() -> None:
    """Every member of the step and of the job, to the same bytes again; values of secrets are not in it."""
    data = order().to_bytes()
    read = Order.from_bytes(data)
    assert read.to_bytes() == data
    assert step_to_json(read.job.step) == step_to_json(STEP)
    assert dataclasses.replace(read.job, step=STEP) == JOB
    assert (read.code, read.secrets, read.allow_pickle) == ("tree:" + "3" * 64, ("key",), True)
    assert b"swordfish" not in data


def test_every_field_of_a_step_is_in_its_document() -> None:
    """A field that somebody adds is one that the other machine must know."""
    assert set(step_to_json(STEP)) == {field.name for field in dataclasses.fields(StepSpec)}


def test_the_documents_are_pinned() -> None:
    """Another version of the agent reads what these bytes are: a change is a new version of the document."""
    found = {"job": order().to_bytes(), "result": result_to_bytes(RESULT, attempt="a1"), "error": _error_bytes()}
    for name, data in found.items():
        golden = GOLDEN / f"{name}.json"
        assert json.loads(data) == json.loads(golden.read_bytes()), name


def test_parameters_that_are_not_json_are_the_authors_mistake() -> None:
    """Said where the job is made."""
    step = dataclasses.replace(STEP, parameters={"x": float("inf")})
    with pytest.raises(DefinitionError, match="JSON values only"):
        Order.of(dataclasses.replace(JOB, step=step), code=None).to_bytes()


@pytest.mark.parametrize("broken", [b"", b"[]", b'{"mlpipe": "job/1"}', b'{"mlpipe": "record/1"}'])
def test_what_is_no_order_is_corrupted(broken: bytes) -> None:
    """Never guessed at."""
    with pytest.raises(CorruptedError):
        Order.from_bytes(broken)


def test_newer_documents_are_refused() -> None:
    """Each of them, as what they are."""
    for read, kind in (
        (Order.from_bytes, "job"),
        (result_from_bytes, "result"),
        (failure_from_bytes, "error"),
        (configs_from_bytes, "stores"),
    ):
        with pytest.raises(WorkspaceVersionError):
            read(json.dumps({"mlpipe": f"{kind}/2"}).encode())


# ---- results -------------------------------------------------------------------------------------------------------

RESULT = JobResult(
    outputs=(REFERENCE,), result={"a": [1]}, values={"v": {"x": None}}, metrics={"loss": 0.5}, seconds=1.5, peak_bytes=7
)


def test_a_result_comes_back_as_it_was() -> None:
    """And is nobody else's."""
    data = result_to_bytes(RESULT, attempt="a1")
    assert result_from_bytes(data, attempt="a1") == RESULT
    with pytest.raises(CorruptedError, match="another attempt"):
        result_from_bytes(data, attempt="a2")


# ---- errors --------------------------------------------------------------------------------------------------------


def _error_bytes() -> bytes:
    return failure_to_bytes(OutputMissingError("gone", where="step", given="/x", valid=("a", 1, 1.5), fix="write it"))


@pytest.mark.parametrize(
    "error",
    [
        OutputMissingError("gone", where="step", given="/x", valid=("a", 1, 1.5), fix="write it"),
        InputError("gone", given=["a", "b"]),
        StoreUnavailableError("no answer", where="s3://x"),
        ConfigurationError("x", valid="one of many"),
        MLPipeError("only this"),
    ],
)
def test_an_error_says_the_same_and_is_of_the_same_kind(error: MLPipeError) -> None:
    """So retries go by it as if it were raised here."""
    read = failure_from_bytes(failure_to_bytes(error))
    assert type(read) is type(error)
    assert str(read) == str(error)
    assert (read.what, read.where, read.fix) == (error.what, error.where, error.fix)


def test_other_errors_are_the_computes() -> None:
    """Those of Python, those that take more than the common parts, and those of a newer version."""
    for error in (ValueError("x"), ProgramFailedError("x", exit_code=1), ComputeError("x", reason="gpu")):
        assert type(failure_from_bytes(failure_to_bytes(error))) is ComputeError
    assert failure_from_bytes(failure_to_bytes(ComputeError("x", reason="gpu"))).reason == "gpu"
    newer = json.loads(_error_bytes()) | {"kind": "KindOfNextYearError"}
    assert isinstance(failure_from_bytes(json.dumps(newer).encode()), ComputeError)


def test_most_errors_are_known() -> None:
    """Those that are not take members of their own: a kind that somebody adds is found by its name."""
    kinds = {k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, MLPipeError)}
    own = {k.__name__ for k in kinds if k.__init__ is not MLPipeError.__init__}
    for kind in kinds:
        if kind.__name__ not in own:
            assert type(failure_from_bytes(failure_to_bytes(kind("x")))) is kind


# ---- datastores ----------------------------------------------------------------------------------------------------


def test_only_the_datastores_of_the_step_are_handed_on(tmp_path: Path) -> None:
    """And the workspace."""
    configs = configs_of(STEP, FolderStores(tmp_path), folders=True)
    assert set(configs) == {"", "lake", "raw", "lake=s3://lake/x|aws"}
    read = configs_from_bytes(configs_to_bytes(configs))
    assert {s: c.url for s, c in read.items()} == {s: c.url for s, c in configs.items()}


def test_what_cannot_be_opened_elsewhere_is_named(tmp_path: Path) -> None:
    """A folder of the worker; an opened filesystem; an option that is no text."""
    with pytest.raises(ConfigurationError, match=r"datastore 'lake'.*folder of the worker|the workspace.*folder of"):
        configs_of(STEP, FolderStores(tmp_path), folders=False)
    opened = StoreConfig(url="s3://b/x", filesystem=object())
    stores = DocumentStores(dict.fromkeys(("", "lake", "raw", "lake=s3://lake/x|aws"), opened))
    with pytest.raises(ConfigurationError, match="connection of another Airflow provider") as caught:
        configs_of(STEP, stores, folders=False)
    assert "mlpipe_datastore" in (caught.value.fix or "")
    with pytest.raises(ConfigurationError, match="'session'") as caught:
        configs_to_bytes({"lake": StoreConfig(url="s3://b", options={"session": object(), "secret": "swordfish"})})
    assert "swordfish" not in str(caught.value)


def test_credentials_are_not_shown() -> None:
    """Neither by a document that is broken nor by a datastore that is not in it."""
    with pytest.raises(CorruptedError) as caught:
        configs_from_bytes(b'{"mlpipe": "stores/1", "stores": {"": {"url": "s3://b", "options": "swordfish"}}}')
    assert "swordfish" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="no such datastore"):
        DocumentStores({}).contents("lake")

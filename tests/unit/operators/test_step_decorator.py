"""What the decorator says of mistakes, while the DAG file is parsed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from airflow.sdk import DAG

from airflow_mlpipe import Outputs, step
from airflow_mlpipe.errors import DefinitionError


@pytest.fixture
def dag() -> Iterator[DAG]:
    """A DAG to define steps in."""
    with DAG("decorated", schedule=None) as dag:
        yield dag


def test_several_results_are_members_and_no_tuple(dag: DAG) -> None:
    """Whoever unpacks them is told their names."""

    @step
    def two() -> Outputs(a=int, b=int): ...  # type: ignore[valid-type]

    @step
    def one() -> int: ...

    with pytest.raises(TypeError, match=r"step 'two' is not a tuple; its outputs are \.a, \.b"):
        _a, _b = two()
    with pytest.raises(TypeError, match="it returns one value"):
        list(one())


def test_a_function_has_no_arguments_of_programs() -> None:
    """They are refused by name, with the way to say it."""
    with pytest.raises(DefinitionError, match=r"\['command', 'inputs'\].*when you call it"):
        step(inputs=[], command=["true"])


def test_a_number_of_numpy_can_be_read_in_xcom() -> None:
    """Metrics mostly are; what JSON has not, and what is exact in bytes only, is written as bytes."""
    np = pytest.importorskip("numpy")
    from airflow_mlpipe.values.structure import decode, encode

    for value in (np.float64(0.1), np.float32(0.1), np.int64(-3), np.uint8(200), np.float64("nan"), np.longdouble(1)):
        document = encode(value, lambda *_: None)
        again = decode(document, object, lambda *_: None)
        assert again.dtype == value.dtype
        assert again.tobytes() == value.tobytes()
    assert encode(np.float64(0.5), lambda *_: None)["value"]["value"] == 0.5

"""Inputs, outputs and arguments as plain values."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from airflow_mlpipe import CommandStep, DataReference, Datastore, PipelineData, ScriptStep
from airflow_mlpipe.errors import DefinitionError, PathError

LAKE = Datastore("lake", url="file:///lake")


def step(task_id="train", **more):
    return ScriptStep(task_id=task_id, script_name="step.py", **more)


def message_of(error):
    return str(error.value)


def test_data_in_arguments_become_ports(dag):
    """An argument that is data is an input or an output; text and numbers stay as they are."""
    raw, out = DataReference(LAKE, "raw.csv", name="raw"), PipelineData("out")
    made = step(arguments=["--in", raw, "--n", 3, True, 0.5, PurePosixPath("a/b"), out], outputs=[out])
    assert made.arguments == ["--in", {"input": "raw"}, "--n", 3, True, 0.5, "a/b", {"output": "out"}]
    assert [p["name"] for p in made.inputs] == ["raw"]


def test_an_argument_finds_the_declared_input_under_its_port_name(dag):
    """An input that was given a name is not declared a second time by the argument."""
    raw = DataReference(LAKE, "raw.csv")
    made = step(inputs={"table": raw}, arguments=[raw])
    assert made.arguments == [{"input": "table"}]
    assert len(made.inputs) == 1


def test_step_outputs_in_inputs_and_arguments_is_one_port(dag):
    """`step.outputs["x"]` makes a new object each time; both mean the same port."""
    producer = step("prepare", outputs=[PipelineData("x")])
    consumer = step(inputs=[producer.outputs["x"]], arguments=["--x", producer.outputs["x"]])
    assert consumer.arguments == ["--x", {"input": "x"}]
    assert [p["name"] for p in consumer.inputs] == ["x"]


def test_step_outputs_in_arguments_alone_is_an_input(dag):
    """A declared output of another step is data, wherever it is written."""
    producer = step("prepare", outputs=[PipelineData("x")])
    consumer = step(arguments=[producer.outputs["x"]])
    assert consumer.arguments == [{"input": "x"}]


def test_a_plain_xcom_in_arguments_is_a_value(dag):
    """What a task returned is text, not data."""
    from airflow.providers.standard.operators.bash import BashOperator

    first = BashOperator(task_id="first", bash_command="echo 1")
    consumer = step(arguments=["--n", first.output])
    assert consumer.inputs == []
    assert consumer.upstream_task_ids == {"first"}


def test_names_of_data_follow_from_their_path(dag):
    """Without a name, a reference has one that is the same at every parse."""
    made = step(inputs=[DataReference(LAKE, "raw/digits-8x8.csv"), DataReference(LAKE, "2026/*.csv")])
    assert [p["name"] for p in made.inputs] == ["digits_8x8", "_2026"]


def test_a_reference_survives_the_way_through_plain_values(dag):
    """Datastore, path, version and identity come back."""
    from airflow_mlpipe.operators.ports import data_from_plain, data_to_plain

    data = DataReference(
        Datastore("lake", url="s3://b", connection="aws"), "x/", name="raw", version="7", identity="content"
    )
    back = data_from_plain("raw", data_to_plain(data))
    assert [getattr(back, n) for n in data.__slots__] == [getattr(data, n) for n in data.__slots__]


def test_a_rendered_path_that_leaves_its_root_is_refused():
    """A template in a path cannot climb out."""
    from airflow_mlpipe.operators.ports import data_from_plain

    with pytest.raises(PathError, match="leaves its root"):
        data_from_plain("raw", {"datastore": {"name": "lake"}, "path": "a/../../etc/passwd"})


@pytest.mark.parametrize("given", ["--lr 0.1", b"--lr", {"lr": 0.1}, 3])
def test_arguments_that_are_no_list_are_refused(dag, given):
    """A shell string is no list of arguments; the message shows how to write one."""
    with pytest.raises(DefinitionError) as error:
        step(arguments=given)
    assert message_of(error).startswith("step 'train': arguments is a list")
    assert repr(given) in message_of(error)
    assert "fix: write arguments=[" in message_of(error)


def test_a_command_as_a_shell_string_is_refused(dag):
    """CommandStep says how to ask for a shell."""
    with pytest.raises(DefinitionError, match=r"step 'run'.*given: 'sort a \| uniq'.*fix: for a shell, say so"):
        CommandStep(task_id="run", command="sort a | uniq")


@pytest.mark.parametrize("more", [{}, {"command": []}, {"command": ["a"], "arguments": ["b"]}])
def test_a_command_step_needs_one_command(dag, more):
    """None, an empty one, and two are mistakes."""
    with pytest.raises(DefinitionError, match=r"step 'run'.*fix: command="):
        CommandStep(task_id="run", **more)


@pytest.mark.parametrize("value", [None, {"a": 1}, ["x"], object()])
def test_what_is_no_argument_is_refused_with_its_place(dag, value):
    """The message has the position, the value and the valid kinds."""
    with pytest.raises(DefinitionError) as error:
        step(arguments=["--x", value])
    assert message_of(error).startswith("step 'train': arguments[1]: not an argument")
    assert "valid: text, a number" in message_of(error)


def test_an_argument_of_an_unknown_port_is_refused(dag):
    """`InputPath` and `OutputPath` by name must name a port of the step."""
    from airflow_mlpipe.model.step import InputPath, OutputPath

    raw, out = DataReference(LAKE, "raw.csv"), PipelineData("out")
    with pytest.raises(DefinitionError) as error:
        step(arguments=[InputPath("rwa")], inputs=[raw])
    assert message_of(error).startswith("step 'train': arguments[0]: the step has no input of this name")
    assert "given: 'rwa'. valid: 'raw'" in message_of(error)
    with pytest.raises(DefinitionError, match=r"arguments\[1\].*no output.*given: 'oot'. valid: 'out'"):
        step("other", arguments=[1, OutputPath("oot")], outputs=[out])


def test_two_inputs_of_one_name_are_refused(dag):
    """The message shows both ways out."""
    with pytest.raises(DefinitionError) as error:
        step(inputs=[DataReference(LAKE, "a/x.csv"), DataReference(LAKE, "b/x.csv")])
    assert "step 'train': two inputs are named 'x'" in message_of(error)
    assert "inputs={'a': x, 'b': y}" in message_of(error)
    assert "as_input" in message_of(error)


@pytest.mark.parametrize("given", ["raw.csv", ["raw.csv"], {"raw": "raw.csv"}, {"raw": 3}, 7])
def test_what_is_no_data_is_refused_as_an_input(dag, given):
    """A path as text is not data: it says nothing about where it is."""
    with pytest.raises(DefinitionError, match=r"step 'train'.*inputs"):
        step(inputs=given)


def test_an_input_of_no_data_is_refused(dag):
    """An empty list gathers nothing."""
    with pytest.raises(DefinitionError, match=r"inputs\['parts'\]: an input of no data"):
        step(inputs={"parts": []})


@pytest.mark.parametrize("name", ["a-b", "1st", "", "with space", "ünï", "x" * 65, "mlpipe", "return_value"])
def test_names_that_cannot_be_a_variable_are_refused(dag, name):
    """A port's name becomes part of an environment variable and an XCom key."""
    with pytest.raises(DefinitionError, match="name"):
        step(inputs={name: DataReference(LAKE, "raw.csv")})


def test_two_outputs_of_one_name_are_refused(dag):
    """Consumers could not tell them apart."""
    with pytest.raises(DefinitionError, match=r"step 'train': two outputs are named 'model'.*fix: rename one"):
        step(outputs=[PipelineData("model"), PipelineData("model")])


@pytest.mark.parametrize("given", ["model", ["model"], PipelineData("model"), 3])
def test_outputs_are_a_list_of_pipeline_data(dag, given):
    """A bare object, a name and a list of names are mistakes."""
    with pytest.raises(DefinitionError, match=r"step 'train'.*(output|PipelineData)"):
        step(outputs=given)


def test_an_xcom_without_a_key_needs_a_name(dag):
    """A task's return value as an input has no name of its own."""
    from airflow.providers.standard.operators.bash import BashOperator

    first = BashOperator(task_id="first", bash_command="echo 1")
    with pytest.raises(DefinitionError, match=r"this input needs a name.*fix: give inputs as a dict"):
        step(inputs=[first.output])
    assert step("second", inputs={"table": first.output}).inputs[0]["name"] == "table"

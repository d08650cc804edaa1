"""`.partial().expand()`: the same edges and checks for a step that is mapped."""

from __future__ import annotations

import pytest

from airflow_mlpipe import CommandStep, DataReference, Datastore, PipelineData, ScriptStep
from airflow_mlpipe.errors import DefinitionError

LAKE = Datastore("lake", url="file:///lake")


def partial(task_id="train", **more):
    return ScriptStep.partial(task_id=task_id, script_name="step.py", **more)


def test_literal_lists_with_data_become_ports(dag):
    """Each instance's arguments may name the step's outputs and shared inputs."""
    raw, out = DataReference(LAKE, "raw.csv"), PipelineData("out")
    mapped = partial(inputs=[raw], outputs=[out]).expand(arguments=[[raw, "--n", n, out] for n in (1, 2)])
    assert mapped.expand_input.value["arguments"] == [
        [{"input": "raw"}, "--n", 1, {"output": "out"}],
        [{"input": "raw"}, "--n", 2, {"output": "out"}],
    ]


def test_data_in_an_expanded_argument_connects_the_producer(dag):
    """An output of another step in the mapped arguments is an edge."""
    data, out = PipelineData("data"), PipelineData("out")
    mapped = partial(outputs=[out]).expand(arguments=[[data, out, "1"], [data, out, "2"]])
    ScriptStep(task_id="prepare", script_name="step.py", outputs=[data])
    dag.resolve_template_files()
    assert mapped.upstream_task_ids == {"prepare"}


def test_arguments_from_a_task_depend_on_it(dag):
    """`expand(arguments=<XComArg of a @task>)`."""
    from airflow.sdk import task

    @task
    def plan():
        return [["--n", "1"], ["--n", "2"]]

    mapped = partial().expand(arguments=plan())
    assert mapped.upstream_task_ids == {"plan"}


def test_inputs_from_a_mapped_output(dag):
    """`expand(inputs=mapped.output)`: one instance for each of upstream's."""
    out = PipelineData("part")
    first = partial("split", outputs=[out]).expand(arguments=[["1"], ["2"]])
    second = partial("train", arguments=["--data", out]).expand(inputs=first.output)
    dag.resolve_template_files()
    assert second.upstream_task_ids == {"split"}
    assert second.partial_kwargs["arguments"] == ["--data", {"input": "part"}]


def test_inputs_as_a_list_of_data_for_each_instance(dag):
    """`expand(inputs=[[a], [b]])`: plain ports for each instance."""
    a, b = DataReference(LAKE, "a.csv", name="table"), DataReference(LAKE, "b.csv", name="table")
    mapped = partial().expand(inputs=[[a], [b]])
    assert [[p["name"] for p in one] for one in mapped.expand_input.value["inputs"]] == [["table"], ["table"]]
    assert [one[0]["data"]["path"] for one in mapped.expand_input.value["inputs"]] == ["a.csv", "b.csv"]


def test_a_mapped_steps_output_fans_in(dag):
    """Its PipelineData gathers all instances."""
    part = PipelineData("part")
    gather = ScriptStep(task_id="gather", script_name="step.py", inputs=[part])
    partial("split", outputs=[part]).expand(arguments=[[part, "1"], [part, "2"]])
    dag.resolve_template_files()
    assert gather.upstream_task_ids == {"split"}


def test_the_outputs_of_a_mapped_step_by_name(dag):
    """`mapped.outputs["x"]` gathers all instances, as its PipelineData does."""
    mapped = partial("split", outputs=[PipelineData("part")]).expand(arguments=[["1"], ["2"]])
    gather = ScriptStep(task_id="gather", script_name="step.py", inputs=[mapped.outputs["part"]])
    assert gather.inputs[0]["name"] == "part"
    assert gather.upstream_task_ids == {"split"}
    with pytest.raises(DefinitionError, match="no output of this name"):
        mapped.outputs["parts"]


def test_shared_inputs_of_a_mapped_step_are_edges(dag):
    """What is given to `partial` is every instance's."""
    data = PipelineData("data")
    mapped = partial(inputs=[data]).expand(arguments=[["1"], ["2"]])
    ScriptStep(task_id="prepare", script_name="step.py", outputs=[data])
    assert mapped.upstream_task_ids == {"prepare"}


def test_resource_inputs_of_a_mapped_step_are_edges(dag):
    """Data that lie with the code, too."""
    data = PipelineData("data")
    ScriptStep(task_id="prepare", script_name="step.py", outputs=[data])
    assert partial(resource_inputs=[data]).expand(arguments=[["1"]]).upstream_task_ids == {"prepare"}


def test_expand_kwargs_is_mapped_too(dag):
    """`expand_kwargs` with literal dicts keeps the shared edges."""
    data = PipelineData("data")
    ScriptStep(task_id="prepare", script_name="step.py", outputs=[data])
    mapped = partial(inputs=[data]).expand_kwargs([{"arguments": ["1"]}, {"arguments": ["2"]}])
    assert mapped.upstream_task_ids == {"prepare"}


def test_a_mapped_command(dag):
    """`CommandStep.partial().expand(command=...)`."""
    out = PipelineData("out", kind="file")
    mapped = CommandStep.partial(task_id="run", outputs=[out]).expand(command=[["touch", out], ["cp", "/a", out]])
    assert mapped.expand_input.value["arguments"][0] == ["touch", {"output": "out"}]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"source_directory": "nowhere"}, "the source folder does not exist"),
        ({"script_name": "trian.py"}, "there is no such script"),
        ({"reuse": "never"}, "reuse must be of type Reuse"),
        ({"outputs": ["model"]}, "not an output"),
        ({"inputs": [DataReference(LAKE, "a/x"), DataReference(LAKE, "b/x")]}, "two inputs are named 'x'"),
    ],
)
def test_mistakes_of_a_mapped_step_are_seen_at_parse_too(dag, more, expected):
    """A mapped step is checked like any other, though its operator does not exist yet."""
    with pytest.raises(DefinitionError) as error:
        ScriptStep.partial(**{"task_id": "train", "script_name": "step.py"} | more).expand(arguments=[["1"]])
    assert str(error.value).startswith("step 'train'")
    assert expected in str(error.value)


def test_an_argument_of_one_instance_is_named_by_its_number(dag):
    """The message says which instance."""
    with pytest.raises(DefinitionError, match=r"step 'train': instance 1: arguments\[0\]"):
        partial().expand(arguments=[["1"], [object()]])


def test_a_missing_producer_of_a_mapped_step_is_refused(dag):
    """Also when only a mapped step waits for it."""
    partial(inputs=[PipelineData("model")]).expand(arguments=[["1"]])
    with pytest.raises(DefinitionError, match="step 'train': no step of this DAG produces the input 'model'"):
        dag.resolve_template_files()


def test_an_image_on_the_local_compute_is_refused_for_a_mapped_step(dag):
    """The same error as for a step that is not mapped."""
    from airflow_mlpipe import Environment

    with pytest.raises(DefinitionError, match="step 'train': the local compute"):
        partial(environment=Environment(image="x")).expand(arguments=[["1"]])


def test_a_partial_that_is_never_expanded_is_airflows_warning(dag, recwarn):
    """Ours replaces Airflow's partial and does not warn for a step that is expanded."""
    partial().expand(arguments=[["1"]])
    assert not [w for w in recwarn if "expand" in str(w.message)]

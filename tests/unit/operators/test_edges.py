"""Edges from data: whatever the order in which steps are written, and every mistake named."""

from __future__ import annotations

import gc
import weakref

import pytest

from airflow_mlpipe import DataReference, Datastore, PipelineData, ScriptStep
from airflow_mlpipe.errors import DefinitionError

RAW = DataReference(Datastore("lake", url="file:///lake"), "raw.csv")


def step(task_id, **more):
    return ScriptStep(task_id=task_id, script_name="step.py", **more)


def finish(dag):
    """What Airflow does with a DAG when its file was read."""
    dag.resolve_template_files()


def test_a_passed_output_is_a_dependency(dag):
    """A step that takes another's output runs after it."""
    data = PipelineData("prepared")
    producer = step("prepare", outputs=[data])
    consumer = step("train", inputs=[data])
    finish(dag)
    assert consumer.upstream_task_ids == {producer.task_id}


def test_the_consumer_may_be_written_first(dag):
    """The order of the DAG file does not matter."""
    data, model = PipelineData("prepared"), PipelineData("model")
    step("evaluate", inputs=[model])
    step("train", inputs=[data], outputs=[model])
    step("prepare", outputs=[data])
    finish(dag)
    assert dag.get_task("train").upstream_task_ids == {"prepare"}
    assert dag.get_task("evaluate").upstream_task_ids == {"train"}


def test_the_input_refers_to_the_producers_output_by_key(dag):
    """The edge is an XComArg with the output's name as its key."""
    data = PipelineData("prepared")
    consumer = step("train", inputs=[data])
    producer = step("prepare", outputs=[data])
    source = consumer.inputs[0]["from"]
    assert (source.operator, source.key) == (producer, "prepared")


def test_edges_cross_task_groups(dag):
    """Steps of different TaskGroups are connected by their full ids."""
    from airflow.sdk import TaskGroup

    data = PipelineData("prepared")
    with TaskGroup("one"):
        step("prepare", outputs=[data])
    with TaskGroup("two"):
        consumer = step("train", inputs=[data])
    finish(dag)
    assert consumer.upstream_task_ids == {"one.prepare"}


def test_arrows_may_stand_beside_data(dag):
    """`>>` adds an order, also one that the data have already."""
    from airflow.providers.standard.operators.empty import EmptyOperator

    data = PipelineData("prepared")
    first = step("prepare", outputs=[data])
    last = step("train", inputs=[data])
    first >> last
    EmptyOperator(task_id="start") >> first
    finish(dag)
    assert last.upstream_task_ids == {"prepare"}
    assert first.upstream_task_ids == {"start"}


@pytest.mark.parametrize("form", ["object", "mapping", "argument only", "as_input", "outputs[]", "resource"])
def test_every_way_to_pass_an_output_makes_the_edge(dag, form):
    """The object, a dict, an argument, another name, `step.outputs[...]` and a resource input all connect."""
    data = PipelineData("prepared")
    producer = step("prepare", outputs=[data])
    more = {
        "object": {"inputs": [data]},
        "mapping": {"inputs": {"table": data}},
        "argument only": {"arguments": ["--data", data]},
        "as_input": {"inputs": [data.as_input("table")]},
        "outputs[]": {"inputs": [producer.outputs["prepared"]]},
        "resource": {"resource_inputs": [data]},
    }[form]
    consumer = step("train", **more)
    finish(dag)
    assert consumer.upstream_task_ids == {"prepare"}


def test_a_list_gathers_several_outputs_in_its_order(dag):
    """Fan-in: one port, several producers, in the order of the list."""
    parts = [PipelineData("part") for _ in range(3)]
    merge = step("merge", inputs={"parts": parts})
    for number, part in reversed(list(enumerate(parts))):
        step(f"make_{number}", outputs=[part])
    finish(dag)
    assert [x.operator.task_id for x in merge.inputs[0]["from"]] == ["make_0", "make_1", "make_2"]
    assert merge.upstream_task_ids == {"make_0", "make_1", "make_2"}


def test_a_cycle_is_refused_with_both_steps(dag):
    """Two steps that read each other's output: the message names them and the data."""
    one, two = PipelineData("one"), PipelineData("two")
    step("first", inputs=[two], outputs=[one])
    with pytest.raises(DefinitionError, match="cycle") as error:
        step("second", inputs=[one], outputs=[two])
    assert "'first'" in str(error.value)
    assert "'second'" in str(error.value)
    assert "fix: " in str(error.value)


def test_a_longer_cycle_is_refused(dag):
    """Three steps in a circle, too."""
    a, b, c = (PipelineData(n) for n in "abc")
    step("first", inputs=[c], outputs=[a])
    step("second", inputs=[a], outputs=[b])
    with pytest.raises(DefinitionError, match="cycle"):
        step("third", inputs=[b], outputs=[c])


def test_a_step_that_reads_its_own_output_is_refused(dag):
    """The shortest cycle."""
    data = PipelineData("state")
    with pytest.raises(DefinitionError, match=r"step 'train'.*cycle"):
        step("train", inputs=[data], outputs=[data])


def test_one_output_of_two_steps_is_refused(dag):
    """The message names the output, both steps and the fix."""
    data = PipelineData("model")
    step("first", outputs=[data])
    with pytest.raises(DefinitionError) as error:
        step("second", outputs=[data])
    message = str(error.value)
    assert "'model'" in message
    assert "'first'" in message
    assert "'second'" in message
    assert "fix: give one of them an output of its own, PipelineData('model')" in message


def test_equal_names_of_different_objects_are_different_outputs(dag):
    """The object is the edge, not its name."""
    one, two = PipelineData("model"), PipelineData("model")
    step("first", outputs=[one])
    step("second", outputs=[two])
    consumer = step("third", inputs=[two])
    finish(dag)
    assert consumer.upstream_task_ids == {"second"}


def test_an_input_that_nobody_produces_is_refused_when_the_file_was_read(dag):
    """The message names the step, the input and what is produced instead."""
    step("prepare", outputs=[PipelineData("prepared")])
    step("train", inputs=[PipelineData("model")])
    with pytest.raises(DefinitionError) as error:
        finish(dag)
    message = str(error.value)
    assert message.startswith("step 'train'")
    assert "'model'" in message
    assert "valid: 'prepared of prepare'" in message
    assert "fix: declare it in outputs=[...]" in message


def test_a_step_outside_of_a_dag_is_refused(project):
    """Edges need a DAG; the message says how to give one."""
    with pytest.raises(DefinitionError, match=r"step 'lonely': the step belongs to no DAG.*fix: create it inside"):
        step("lonely")


def test_two_dags_do_not_see_each_others_data(dag):
    """A PipelineData belongs to the DAG in which it is produced."""
    from airflow.sdk import DAG

    data = PipelineData("prepared")
    step("prepare", outputs=[data])
    with DAG("other", schedule=None) as other:
        other.fileloc = dag.fileloc
        step("train", inputs=[data])
    finish(dag)
    with pytest.raises(DefinitionError, match="no step of this DAG produces"):
        finish(other)


def test_what_is_remembered_of_a_dag_goes_with_it(project):
    """Parsing a file again and again does not fill the memory."""
    from airflow.sdk import DAG

    with DAG("short_lived", schedule=None) as opened:
        opened.fileloc = str(project / "dag.py")
        data = PipelineData("x")
        step("one", outputs=[data])
        step("two", inputs=[data])
    gone = weakref.ref(opened)
    del opened
    with DAG("next", schedule=None):  # Airflow remembers the last DAG that was opened
        pass
    gc.collect()
    assert gone() is None


def test_an_unproduced_input_is_an_import_error_of_the_file(project, airflow_db):
    """Airflow shows it where it shows every broken DAG file."""
    from airflow.dag_processing.dagbag import DagBag

    (project / "dag.py").write_text(
        "from airflow.sdk import DAG\n"
        "from airflow_mlpipe import PipelineData, ScriptStep\n"
        "with DAG('broken', schedule=None):\n"
        "    ScriptStep(task_id='train', script_name='step.py', inputs=[PipelineData('model')])\n"
    )
    bag = DagBag(dag_folder=str(project / "dag.py"))
    assert not bag.dags
    (message,) = bag.import_errors.values()
    assert "step 'train': no step of this DAG produces the input 'model'" in message


def test_the_outputs_of_a_step_by_name(dag):
    """`step.outputs["x"]` exists for every declared output, and only for those."""
    producer = step("prepare", outputs=[PipelineData("a"), PipelineData("b")])
    assert list(producer.outputs) == ["a", "b"]
    with pytest.raises(DefinitionError, match=r"step 'prepare': no output of this name\. given: 'c'\. valid: 'a', 'b'"):
        producer.outputs["c"]
    assert producer.outputs.get("c") is None


class _NothingPushed:
    """A task instance whose upstream left no XCom."""

    dag_id = "pipeline"

    def xcom_pull(self, *, default, **_):
        return default


def test_an_output_that_was_not_pushed_is_absent_only_where_that_can_be(dag):
    """A rule that lets a step run after a skipped one makes it absent; under `all_success` its loss is an error."""
    from airflow.sdk.exceptions import XComNotFound

    data = PipelineData("prepared")
    producer = step("prepare", outputs=[data])
    lenient = step("lenient", inputs=[data], trigger_rule="none_failed")
    strict = step("strict", inputs=[data])
    context = {"ti": _NothingPushed()}
    found = producer.outputs["prepared"].resolve(context | {"task": lenient})
    assert found == {"mlpipe": "absent/1", "name": "prepared"}
    with pytest.raises(XComNotFound):
        strict.inputs[0]["from"].resolve(context | {"task": strict})

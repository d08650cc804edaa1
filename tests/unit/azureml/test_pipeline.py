"""From v1's records to a DAG: edges, names, parameters, and every mistake that shows before a run."""

from __future__ import annotations

import warnings

import pytest

from airflow_mlpipe.azureml import (
    AzureMLWarning,
    CommandStep,
    DataPath,
    DataPathComputeBinding,
    DataReference,
    Dataset,
    Datastore,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    RunConfiguration,
    StepSequence,
)
from airflow_mlpipe.errors import ConfigurationError, DefinitionError


def upstream(pipeline, task_id):
    return sorted(pipeline.dag.get_task(task_id).upstream_task_ids)


def test_steps_that_the_given_ones_need_are_pulled_in(workspace, step):
    """The last step is enough: those whose data it reads and those that it runs after come along."""
    a, b = PipelineData("a"), PipelineData("b")
    first = step("first", outputs=[a])
    second = step("second", inputs=[a], outputs=[b])
    other = step("other")
    last = step("last", inputs=[b])
    last.run_after(other)
    pipeline = Pipeline(workspace, steps=[last])
    assert [s.name for s in pipeline.steps] == ["first", "second", "other", "last"]
    assert upstream(pipeline, "last") == ["other", "second"]
    assert pipeline.steps[0] is first
    assert second in pipeline.steps


def test_without_closure_a_missing_step_is_named(workspace, step):
    """resolve_closure=False pulls nothing in, and says what is missing."""
    a = PipelineData("a")
    step("first", outputs=[a])
    with pytest.raises(DefinitionError, match=r"'last' needs 'first'"):
        Pipeline(workspace, steps=[step("last", inputs=[a])], resolve_closure=False)


def test_a_cycle_is_told_with_its_steps(workspace, step):
    """Steps that wait for each other are no pipeline."""
    one, two = step("one"), step("two")
    one.run_after(two)
    two.run_after(one)
    with pytest.raises(DefinitionError, match="one -> two -> one"):
        Pipeline(workspace, steps=[one])


def test_a_sequence_has_layers(workspace, step):
    """A list in a StepSequence is steps beside each other, after all of the layer before."""
    a, b, c, d = (step(n) for n in "abcd")
    pipeline = Pipeline(workspace, steps=StepSequence(steps=[a, [b, c], d]))
    assert (upstream(pipeline, "b"), upstream(pipeline, "c")) == (["a"], ["a"])
    assert upstream(pipeline, "d") == ["b", "c"]


def test_two_steps_may_share_a_name(workspace, step):
    """Their tasks get ids of their own, and both are found by the name."""
    pipeline = Pipeline(workspace, steps=[step("do it"), step("do it")])
    assert pipeline.task_ids == {"do it": ["do_it", "do_it_2"]}


def test_a_script_names_its_step(workspace, step, tmp_path):
    """Without a name the step is called like its script, and the task without the ending."""
    pipeline = Pipeline(workspace, steps=[step(None)])
    assert pipeline.task_ids == {"work.py": ["work"]}


def test_arguments_are_paths_values_and_parameters(workspace, step):
    """Data become ports, parameters become templates of the DAG's Params, all else stays."""
    raw = DataReference(Datastore(workspace, "lake"), "raw", "in/raw.csv")
    out, rate = PipelineData("out"), PipelineParameter("rate", 0.1)
    pipeline = Pipeline(
        workspace,
        steps=[step("s", arguments=["--raw", raw.as_mount(), 3, rate, out], outputs=[out], params={"deep": rate})],
    )
    task = pipeline.dag.get_task("s")
    assert task.arguments == ["--raw", {"input": "raw"}, 3, "{{ params.rate }}", {"output": "out"}]
    assert task.parameters == {"deep": "{{ params.rate }}"}
    assert pipeline.dag.params.dump() == {"rate": 0.1}
    (port,) = task.inputs
    assert port["data"]["datastore"]["url"].endswith("/lake")
    assert port["data"]["path"] == "in/raw.csv"


def test_a_parameter_has_one_default(workspace, step):
    """Two parameters of one name with different defaults are a mistake, as in v1."""
    steps = [step("a", arguments=[PipelineParameter("x", 1)]), step("b", arguments=[PipelineParameter("x", 2)])]
    with pytest.raises(DefinitionError, match=r"'x'.*different defaults"):
        Pipeline(workspace, steps=steps)


def test_a_data_path_is_a_parameter(workspace, step):
    """The pair of a parameter and a binding is an input whose path a run can replace."""
    path = PipelineParameter("day", DataPath(Datastore(workspace, "lake"), "2026/01"))
    pair = (path, DataPathComputeBinding(mode="mount"))
    pipeline = Pipeline(workspace, steps=[step("s", arguments=["--in", pair], inputs=[pair])])
    (port,) = pipeline.dag.get_task("s").inputs
    assert (port["name"], port["data"]["path"]) == ("day", "{{ params.day }}")
    assert pipeline.dag.params.dump() == {"day": "2026/01"}


def test_an_unnamed_output_is_named_by_its_place(workspace, step):
    """A random name, as v1 gives, would change the fingerprint each time."""
    out, more = OutputFileDatasetConfig(), OutputFileDatasetConfig()
    pipeline = Pipeline(workspace, steps=[step("s", arguments=[out, more])])
    assert pipeline.dag.get_task("s").arguments == [{"output": "output_1"}, {"output": "output_2"}]


def test_a_destination_is_a_copy(workspace, step):
    """The placeholders of v1 are those of ours."""
    out = OutputFileDatasetConfig("out", destination=(Datastore(workspace, "lake"), "runs/{run-id}/{output-name}"))
    pipeline = Pipeline(workspace, steps=[step("s", outputs=[out])])
    (data,) = pipeline.dag.get_task("s").output_data
    assert (data.path, data.datastore.name) == ("runs/{run}/out", "lake")


def test_an_output_belongs_to_one_step(workspace, step):
    """The second step that declares it is refused when it is made."""
    out = PipelineData("out")
    step("one", outputs=[out])
    with pytest.raises(DefinitionError, match="declared by two steps, 'one' and 'two'"):
        step("two", outputs=[out])


def test_an_input_nobody_writes_is_named(workspace, step):
    """An output of no step is no input."""
    with pytest.raises(DefinitionError, match=r"no step writes 'lost'"):
        Pipeline(workspace, steps=[step("s", inputs=[PipelineData("lost")])])


def test_an_input_that_is_called_like_an_output_gets_v1s_name(workspace, step):
    """INPUT_x beside the output x."""
    first, second = PipelineData("model"), PipelineData("model")
    write = step("write", outputs=[first])
    again = step("again", inputs=[first], arguments=[first, second], outputs=[second])
    pipeline = Pipeline(workspace, steps=[write, again])
    assert pipeline.dag.get_task("again").arguments == [{"input": "INPUT_model"}, {"output": "model"}]


def test_one_output_under_two_names(workspace, step):
    """as_input gives the port another name, also where the data are an input already."""
    data = PipelineData("data")
    write = step("write", outputs=[data])
    read = step("read", inputs=[data.as_input("left")], arguments=[data.as_input("right")])
    pipeline = Pipeline(workspace, steps=[write, read])
    assert [p["name"] for p in pipeline.dag.get_task("read").inputs] == ["left", "right"]


def test_a_command_of_words_is_a_list_and_needs_no_shell(workspace):
    """v1 joined it to a text for a shell; here data and values stay arguments."""
    raw = DataReference(Datastore(workspace, "lake"), "raw", "x")
    pipeline = Pipeline(workspace, steps=[CommandStep(["wc", "-l", raw], "count", compute_target="cpu")])
    assert pipeline.dag.get_task("count").arguments == ["wc", "-l", {"input": "raw"}]


def test_a_command_for_a_shell_gets_its_values_beside_it(workspace):
    """What it names is handed over as $1, $2: no value becomes syntax."""
    raw, n = DataReference(Datastore(workspace, "lake"), "raw", "x"), PipelineParameter("n", 1)
    command = CommandStep(["cat", raw, "| head -n", n, "> out"], "head", compute_target="cpu")
    pipeline = Pipeline(workspace, steps=[command])
    script = 'cat "${1}" | head -n "${2}" > out'
    assert pipeline.dag.get_task("head").arguments == [
        "bash", "-c", script, "bash", {"input": "raw"}, "{{ params.n }}",
    ]  # fmt: skip


def test_a_compute_that_nobody_described_is_the_worker_and_is_told(workspace, step):
    """A script runs before anybody has configured computes."""
    with pytest.warns(AzureMLWarning, match=r"'gpu-cluster' is not described.*\[mlpipe\] computes"):
        pipeline = Pipeline(workspace, steps=[step("s", compute_target="gpu-cluster")])
    assert pipeline.dag.get_task("s").compute_target == "local"


def test_what_has_no_meaning_is_warned_about_once_a_line(workspace):
    """A loop over steps says it once; what was left at its default says nothing."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for n in "ab":
            PipelineData(n, output_path_on_compute=None)
            PipelineData("x", data_type="AnyFile")
    assert [str(w.message).partition(":")[0] for w in seen] == ["PipelineData('x')"]


def test_packages_of_a_run_configuration_are_built_by_uv(workspace, step):
    """Names and versions become requirements; Azure ML's own packages are left out with a warning."""
    from airflow_mlpipe.azureml import CondaDependencies

    config = RunConfiguration()
    config.environment.python.conda_dependencies = CondaDependencies.create(
        pip_packages=["azureml-defaults", "pandas>=2"], conda_packages=["scikit-learn=1.5", "pip"]
    )
    config.environment.environment_variables = {"N": 1}
    with pytest.warns(AzureMLWarning, match="azureml-defaults"):
        pipeline = Pipeline(workspace, steps=[step("s", runconfig=config)])
    environment = pipeline.dag.get_task("s").environment
    assert environment.packages == ("pandas>=2", "scikit-learn==1.5")
    assert dict(environment.variables) == {"N": "1"}


def test_a_conda_file_is_read_when_the_pipeline_is_made(workspace, step, tmp_path):
    """Its pip section, its packages, and its Python."""
    from airflow_mlpipe.azureml import Environment

    (tmp_path / "env.yml").write_text("dependencies:\n- python=3.11\n- numpy=2.1\n- pip:\n  - httpx\n")
    environment = Environment.from_conda_specification("env", str(tmp_path / "env.yml"))
    config = RunConfiguration()
    config.environment = environment
    made = Pipeline(workspace, steps=[step("s", runconfig=config)]).dag.get_task("s").environment
    assert (made.packages, made.python) == (("httpx", "numpy==2.1"), "3.11")


def test_an_image_needs_a_compute_that_runs_containers(workspace, step):
    """On the worker it is not used, with a warning; on Docker it is the environment."""
    config = RunConfiguration()
    config.environment.docker.base_image = "python:3.11"
    with pytest.warns(AzureMLWarning, match="runs no containers"):
        local = Pipeline(workspace, steps=[step("s", runconfig=config)])
    assert local.dag.get_task("s").environment is None
    there = Pipeline(workspace, steps=[step("s", runconfig=config, compute_target="docker")])
    assert there.dag.get_task("s").environment.image == "python:3.11"


def test_several_nodes_are_refused(workspace, step):
    """A step runs on one machine."""
    config = RunConfiguration()
    config.node_count = 4
    with pytest.raises(DefinitionError, match=r"several nodes.*torchrun"):
        Pipeline(workspace, steps=[step("s", runconfig=config)])


def test_a_mistyped_attribute_of_a_run_configuration_is_refused():
    """v1 took any attribute, and did nothing."""
    with pytest.raises(AttributeError, match="node_cuont"):
        RunConfiguration().node_cuont = 2


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda ws: Dataset.Tabular.from_delimited_files("x"), "tables are not read"),
        (lambda ws: Dataset.get_by_name(ws, "titanic"), r'"datasets": \{"titanic": "datastore:path"\}'),
        (lambda ws: PipelineData("x", training_output=object()), "HyperDriveStep"),
        (lambda ws: DataReference(Datastore(ws, "lake"), "x", "x", mode="upload"), "OutputFileDatasetConfig"),
        (lambda ws: PipelineParameter("x", [1]), "default of a parameter"),
        (lambda ws: Pipeline(ws, steps=["x"]), "not a step"),
        (lambda ws: Pipeline(ws, steps=[]), "a pipeline has steps"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_to_use(workspace, use, message):
    """Each error names the equivalent, or what would be valid."""
    with pytest.raises((DefinitionError, ConfigurationError), match=message):
        use(workspace)


def test_a_named_dataset_is_a_place_that_the_configuration_says(workspace, step):
    """``"datasets": {"titanic": "lake:raw/titanic.csv"}``."""
    import dataclasses

    workspace.config = dataclasses.replace(workspace.config, datasets={"titanic": "lake:raw/titanic.csv"})
    data = Dataset.get_by_name(workspace, "titanic").as_named_input("passengers").as_mount()
    (port,) = Pipeline(workspace, steps=[step("s", inputs=[data])]).dag.get_task("s").inputs
    assert (port["name"], port["data"]["path"]) == ("passengers", "raw/titanic.csv")


def test_reuse_is_the_authors_choice(workspace, step):
    """allow_reuse and version, by v1's names."""
    pipeline = Pipeline(workspace, steps=[step("never", allow_reuse=False), step("tagged", version="2")])
    assert pipeline.dag.get_task("never").reuse.policy == "never"
    assert pipeline.dag.get_task("tagged").reuse.version == "2"


def test_a_transfer_is_a_step_with_an_output(workspace, step):
    """What it delivers is an input of others, as v1's get_output."""
    from airflow_mlpipe.azureml import DataTransferStep

    raw = DataReference(Datastore(workspace, "swamp"), "raw", "in/raw.csv")
    here = DataReference(Datastore(workspace, "lake"), "here", "copied/raw.csv")
    move = DataTransferStep("move", raw, here, compute_target="adf")
    read = step("read", inputs=[move.get_output()])
    pipeline = Pipeline(workspace, steps=[read])
    task = pipeline.dag.get_task("move")
    assert upstream(pipeline, "read") == ["move"]
    assert task.destination["path"] == "copied/raw.csv"
    assert [o.kind for o in task.output_data] == ["file"]


def test_a_transfer_of_a_directory(workspace):
    """The type that is said, or the ending, tells a folder from a file."""
    from airflow_mlpipe.azureml import DataTransferStep

    raw = DataReference(Datastore(workspace, "swamp"), "raw", "in")
    here = DataReference(Datastore(workspace, "lake"), "here", "copied.d")
    move = DataTransferStep("move", raw, here, source_reference_type="directory")
    task = Pipeline(workspace, steps=[move]).dag.get_task("move")
    assert (task.inputs[0]["data"]["path"], task.destination["path"]) == ("in/", "copied.d/")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"destination_data_reference": None}, "the destination is a place in a datastore"),
        ({"source_reference_type": "folder"}, r"not a type.*'directory'"),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(workspace, said, message):
    """When it is made."""
    from airflow_mlpipe.azureml import DataTransferStep

    raw = DataReference(Datastore(workspace, "swamp"), "raw", "in")
    here = DataReference(Datastore(workspace, "lake"), "here", "out")
    with pytest.raises(DefinitionError, match=message):
        DataTransferStep("move", **{"source_data_reference": raw, "destination_data_reference": here, **said})


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module ``double@1.0`` beside the pipeline's file."""
    from airflow_mlpipe.azureml import pipeline

    folder = tmp_path / "modules" / "double"
    folder.mkdir(parents=True)
    (folder / "double.py").write_text("print('double')\n")
    (folder / "module.yaml").write_text(
        "api: mlpipe/module/v1\nname: double\nversion: '1.0'\ninputs: {numbers: folder}\noutputs: {doubled: folder}\n"
        "params: {factor: {type: number, default: 2}}\nscript: double.py\n"
        "arguments: [--in, '${inputs.numbers}', --out, '${outputs.doubled}', --factor, '${params.factor}']\n"
    )
    (tmp_path / "pipeline.py").write_text("# DAG\n")
    monkeypatch.setattr(pipeline, "calling_file", lambda: str(tmp_path / "pipeline.py"))


def test_a_module_step_binds_the_ports_of_a_module(module, workspace, step):
    """By v1's maps, with the parameters of the module."""
    from airflow_mlpipe.azureml import Module, ModuleStep

    numbers, doubled, factor = PipelineData("n"), PipelineData("d"), PipelineParameter("factor", 3)
    write = step("write", outputs=[numbers])
    double = ModuleStep(
        Module.get(workspace, name="double"),
        version="1.0",
        inputs_map={"numbers": numbers},
        outputs_map={"doubled": doubled},
        params={"factor": factor},
    )
    read = step("read", inputs=[doubled])
    pipeline = Pipeline(workspace, steps=[read])
    assert (upstream(pipeline, "double"), upstream(pipeline, "read")) == (["write"], ["double"])
    assert pipeline.dag.get_task("double").parameters == {"factor": "{{ params.factor }}"}
    assert [s.name for s in pipeline.steps] == ["write", "double", "read"]
    assert write in pipeline.steps
    assert double in pipeline.steps


def test_a_module_that_is_not_there_is_told(module, workspace):
    """With the versions that there are."""
    from airflow_mlpipe.azureml import Module, ModuleStep

    missing = ModuleStep(Module.get(workspace, name="double"), version="9")
    with pytest.raises(DefinitionError, match=r"double"):
        Pipeline(workspace, steps=[missing])


def test_modules_are_published_by_the_command(workspace):
    """A script publishes and creates nothing."""
    from airflow_mlpipe.azureml import Module

    with pytest.raises(DefinitionError, match="airflow mlpipe module publish"):
        Module.create(workspace, "x", "y")


def test_a_dataset_may_be_the_default_of_a_parameter(workspace, step):
    """By v1's DatasetConsumptionConfig, under its name."""
    from airflow_mlpipe.azureml import DatasetConsumptionConfig

    files = Dataset.File.from_files((Datastore(workspace, "lake"), "raw/day=1"))
    day = PipelineParameter("day", files)
    given = DatasetConsumptionConfig("table", day).as_mount()
    pipeline = Pipeline(workspace, steps=[step("s", arguments=[given])])
    task = pipeline.dag.get_task("s")
    assert task.arguments == [{"input": "table"}]
    assert task.inputs[0]["data"]["path"] == "{{ params.day }}"
    assert pipeline.dag.params.dump() == {"day": "raw/day=1"}


def test_a_url_is_data_of_its_folder(workspace, step):
    """Of an object store; a web server cannot be listed, and is refused."""
    data = Dataset.File.from_files("s3://bucket/demo/titanic.csv").as_named_input("titanic")
    (port,) = Pipeline(workspace, steps=[step("s", inputs=[data])]).dag.get_task("s").inputs
    assert port["data"]["datastore"] == {"name": "bucket", "url": "s3://bucket/demo"}
    assert port["data"]["path"] == "titanic.csv"
    with pytest.raises(DefinitionError, match="a web server is no datastore"):
        Dataset.File.from_files("https://example.org/demo/titanic.csv")


def test_a_curated_environment_is_the_workers_python_and_is_told(workspace, step):
    """What is in it is known to Azure alone."""
    from airflow_mlpipe.azureml import Environment

    config = RunConfiguration()
    with pytest.warns(AzureMLWarning, match=r"'AzureML-sklearn'.*worker's Python"):
        config.environment = Environment.get(workspace, "AzureML-sklearn")
    assert Pipeline(workspace, steps=[step("s", runconfig=config)]).dag.get_task("s").environment is None


def test_publishing_says_what_is_published(workspace, step):
    """A script goes on; the DAG is what a deployment has."""
    pipeline = Pipeline(workspace, steps=[step("s")], dag_id="weekly")
    with pytest.warns(AzureMLWarning, match="the file in the DAGs folder is the published pipeline"):
        published = pipeline.publish(name="Weekly")
    assert (published.id, published.name) == ("weekly", "Weekly")

"""Files of v2 as pipelines of ours, and what is told of them."""

from __future__ import annotations

from textwrap import dedent

import pytest

from airflow_mlpipe.azureml.v2.findings import Findings
from airflow_mlpipe.azureml.v2.importing import Importing
from airflow_mlpipe.azureml.v2.nodes import read_node
from airflow_mlpipe.azureml.v2.run import import_all, read_pipeline
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.step import InputPath, OutputPath
from airflow_mlpipe.pipelines.records import DataNamed, OutputOf, Pipeline

COMPONENT = """
    type: command
    name: work
    inputs:
      raw: {type: uri_folder}
      rate: {type: number, default: 0.5}
      limit: {type: integer, optional: true}
    outputs:
      model: {type: uri_folder}
    environment: {image: "x"}
    command: >-
      python work.py --raw ${{inputs.raw}} --rate ${{inputs.rate}} $[[--limit ${{inputs.limit}}]] --out ${{outputs.model}}
"""  # noqa: E501


class Importer:
    """Reads one pipeline in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.findings = Findings()

    def write(self, files):
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def __call__(self, pipeline, **computes):
        self.write({"pipeline.yml": pipeline})
        importing = Importing(root=self.folder, findings=self.findings, computes=computes)
        return read_pipeline(read_node(self.folder / "pipeline.yml"), importing)

    def told(self, level):
        return [f"{one.line}: {one.at}: {one.what}" for one in self.findings.sorted() if one.level == level]


@pytest.fixture
def read(tmp_path):
    """Import in a folder with the component ``work.yml``."""
    importer = Importer(tmp_path)
    importer.write({"work.yml": COMPONENT, "data/a.csv": "1\n"})
    return importer


ONE = """
    type: pipeline
    inputs:
      raw: {type: uri_folder, path: ./data}
      rate: 0.1
    jobs:
      one:
        type: command
        component: ./work.yml
        inputs:
          raw: ${{parent.inputs.raw}}
          rate: ${{parent.inputs.rate}}
"""


def test_inputs_become_data_and_parameters(read, tmp_path):
    """A folder is data of a datastore, a number a parameter, an optional input without a value nothing."""
    pipeline = read(ONE)
    (step,) = pipeline.steps
    assert [(p.name, p.default, p.schema) for p in pipeline.params] == [("rate", 0.1, {"type": "number"})]
    assert (pipeline.data[0].path, pipeline.data[0].datastore.url) == ("data", tmp_path.as_uri())
    assert (step.inputs[0].name, step.inputs[0].sources) == ("raw", (DataNamed("raw"),))
    assert step.arguments == (
        "python", "work.py", "--raw", InputPath("raw"), "--rate", "{{ params.rate }}", "--out", OutputPath("model"),
    )  # fmt: skip


def test_defaults_of_the_component_are_values(read):
    """And a job may give another one, or the optional input."""
    pipeline = read(ONE.replace("rate: ${{parent.inputs.rate}}", "limit: 7").replace("rate: 0.1", ""))
    assert pipeline.steps[0].arguments[4:8] == ("--rate", "0.5", "--limit", "7")


def test_bools_are_spelled_as_azure_spells_them(read):
    """``true`` of YAML is ``True`` on the command line; a number stays as it is written."""
    read.write({"flag.yml": """
        type: command
        inputs: {on: {type: boolean, default: true}, rate: {type: number, default: 1e-3}}
        command: echo ${{inputs.on}} ${{inputs.rate}}
        """})  # fmt: skip
    pipeline = read("jobs: {one: {type: command, component: ./flag.yml}}")
    assert pipeline.steps[0].arguments == ("echo", "True", "1e-3")


def test_outputs_are_edges(read):
    """An output of another job, in any order of the file."""
    pipeline = read("""
        jobs:
          two: {component: ./work.yml, inputs: {raw: "${{parent.jobs.one.outputs.model}}"}}
          one: {component: ./work.yml, inputs: {raw: {type: uri_folder, path: ./data}}}
        """)
    assert pipeline.step("two").inputs[0].sources == (OutputOf("one", "model"),)


def test_a_pipeline_in_a_pipeline_is_a_group(read):
    """Its inputs are passed on, its outputs are those of the jobs in it, through any depth."""
    read.write({"inner.yml": """
        type: pipeline
        inputs: {data: {type: uri_folder}, rate: {type: number, default: 0.2}}
        outputs: {result: {type: uri_folder}}
        jobs:
          fit:
            component: ./work.yml
            inputs: {raw: "${{parent.inputs.data}}", rate: "${{parent.inputs.rate}}"}
            outputs: {model: "${{parent.outputs.result}}"}
        """, "outer.yml": """
        type: pipeline
        inputs: {data: {type: uri_folder}}
        outputs: {found: {type: uri_folder}}
        jobs:
          deep:
            component: ./inner.yml
            inputs: {data: "${{parent.inputs.data}}"}
            outputs: {result: "${{parent.outputs.found}}"}
        """})  # fmt: skip
    pipeline = read("""
        outputs: {final: {type: uri_folder}}
        jobs:
          group:
            type: pipeline
            component: ./outer.yml
            inputs: {data: {type: uri_folder, path: ./data}}
          last:
            component: ./work.yml
            inputs: {raw: "${{parent.jobs.group.outputs.found}}"}
            outputs: {model: "${{parent.outputs.final}}"}
        """)
    assert [g.name for g in pipeline.groups] == ["group", "group.deep"]
    assert pipeline.step("group.deep.fit").arguments[5] == "0.2"
    assert pipeline.step("last").inputs[0].sources == (OutputOf("group.deep.fit", "model"),)
    assert pipeline.doc == "- `final` is output `model` of `last`"


def test_a_destination_is_a_copy(read):
    """Of the job's output, or of the pipeline's that it is; ``${{name}}`` is the run."""
    pipeline = read("""
        outputs: {final: {path: "azureml://datastores/lake/paths/runs/${{name}}/m"}}
        jobs:
          one:
            component: ./work.yml
            inputs: {raw: {path: ./data}}
            outputs: {model: "${{parent.outputs.final}}"}
        """)
    (output,) = pipeline.steps[0].outputs
    assert (output.path, output.datastore.name) == ("runs/{run}/m", "lake")


def test_a_file_output_is_a_file(read):
    """uri_file; the program is given the path of the file."""
    read.write({"f.yml": """
        type: command
        outputs: {out: {type: uri_file}}
        command: touch ${{outputs.out}}
        """})  # fmt: skip
    assert read("jobs: {one: {component: ./f.yml}}").steps[0].outputs[0].kind == "file"


def test_settings_and_policies(read):
    """force_rerun, is_deterministic, limits, display names, and stopping at the first failure."""
    read.write({"n.yml": "type: command\nis_deterministic: false\ncommand: date\nlimits: {timeout: 90}\n"})
    pipeline = read("""
        display_name: All of it
        settings: {force_rerun: true, continue_on_step_failure: false}
        jobs:
          one: {component: ./work.yml, display_name: One, inputs: {raw: {path: ./data}}}
          two: {component: ./n.yml}
        """)
    one, two = pipeline.steps
    assert (one.reuse.policy, two.reuse.policy) == ("refresh", "never")
    assert one.settings["task_display_name"] == "One"
    assert two.settings["execution_timeout"].total_seconds() == 90
    assert (pipeline.name, pipeline.settings) == ("All_of_it", {"fail_fast": True})


def test_a_compute_may_be_an_input(read):
    """Its value is taken now, and is no parameter of the DAG; names of Azure's are mapped."""
    pipeline = read(
        """
        inputs: {node: gpu}
        settings: {default_compute: azureml:cpu}
        jobs:
          one: {component: ./work.yml, compute: "${{parent.inputs.node}}", inputs: {raw: {path: ./data}}}
          two: {component: ./work.yml, inputs: {raw: {path: ./data}}}
        """,
        gpu="docker",
        cpu="kubernetes",
    )
    assert [(s.compute, s.environment.image) for s in pipeline.steps] == [("docker", "x"), ("kubernetes", "x")]
    assert pipeline.params == ()


def test_a_conda_file_becomes_a_requirements_file(read, tmp_path):
    """Packages and Python; what cannot be installed is told with the line."""
    read.write({"env/conda.yml": """
        dependencies:
          - python=3.11
          - numpy=2.1
          - pip:
            - azureml-mlflow
            - httpx>=0.27
        """, "c.yml": """
        type: command
        environment: {name: e, conda_file: ./env/conda.yml, image: x}
        environment_variables: {OMP: 1}
        command: "true"
        """})  # fmt: skip
    read.write({"pipeline.yml": "jobs: {one: {component: ./c.yml}}"})
    importing = Importing(root=tmp_path, findings=read.findings)
    pipeline = read_pipeline(read_node(tmp_path / "pipeline.yml"), importing)
    environment = pipeline.steps[0].environment
    assert (environment.requirements, environment.python) == ("e-requirements.txt", "3.11")
    assert dict(environment.variables) == {"OMP": "1"}
    assert importing.files == {"e-requirements.txt": "httpx>=0.27\nnumpy==2.1\n"}
    assert any("azureml-mlflow" in line for line in read.told("differs"))


def test_a_registered_component_is_found_by_its_name(read):
    """In the files below the pipeline's folder; another version is told."""
    pipeline = read("jobs: {one: {component: 'azureml:work:9', inputs: {raw: {path: ./data}}}}")
    assert len(pipeline.steps) == 1
    assert any("version 9 is asked for" in line for line in read.told("differs"))


def test_an_asset_has_to_be_put_somewhere(read):
    """There is no registry; the place is under ``data:`` of the file."""
    pipeline = read("jobs: {one: {component: ./work.yml, inputs: {raw: {path: 'azureml:titanic@latest'}}}}")
    assert pipeline.data[0].path == "assets/titanic/latest"
    assert read.told("todo")[0].startswith("1: jobs.one.inputs.raw.path: data asset azureml:titanic@latest")


@pytest.mark.parametrize("kind", ["sweep", "parallel", "automl", "spark", "if_else", "do_while", "parallel_for"])
def test_kinds_that_cannot_run_yet_are_told_and_nothing_else(read, kind):
    """With the line; jobs that read their outputs add nothing to it."""
    pipeline = read(f"""
        jobs:
          one:
            type: {kind}
          two: {{component: ./work.yml, inputs: {{raw: "${{{{parent.jobs.one.outputs.model}}}}"}}}}
        """)
    assert pipeline is None
    assert read.told("stops") == [f"3: jobs.one: a job of type {kind} is not imported"]


@pytest.mark.parametrize(
    ("job", "what"),
    [
        ("component: ./none.yml", "the component cannot be read"),
        ("component: azureml://registries/azureml/components/x/versions/1", "registry of Azure"),
        ("component: ./work.yml", "input 'raw' has no value"),
        ("component: ./work.yml, inputs: {raw: '${{parent.inputs.no}}'}", "the pipeline has no input 'no'"),
        ("component: ./work.yml, inputs: {raw: '${{parent.jobs.no.outputs.x}}'}", "there is no job 'no'"),
        ("component: ./work.yml, inputs: {raw: '${{parent.jobs.one.outputs.x}}'}", "job 'one' has no output 'x'"),
        ("command: 'echo ${{inputs.x}}'", "there is no such input"),
        ("command: 'echo ${{search_space.x}}'", "names nothing that a command has"),
        ("command: x, code: ./none", "the code is not there"),
        ("command: x, code: 'azureml:code:1'", "is not on this disk"),
        ("command: x, outputs: {n: {type: integer}}", "an output of type integer"),
        ("command: x, distribution: {type: pytorch, process_count_per_instance: 2}", "is not started for the program"),
        ('type: command, command: "echo \'"', "the command is not understood"),
    ],
)
def test_what_stops_is_told_at_its_place(read, job, what):
    """Nothing is imported then."""
    assert read(f"jobs:\n  one: {{{job}}}") is None
    assert any(what in line and line.startswith("2: jobs.one") for line in read.told("stops")), read.told("stops")


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        ("identity: {type: managed}", "jobs.one.identity: this member of a job has no equivalent"),
        ("queue_settings: {job_tier: spot}", "jobs.one.queue_settings: this member of a job has no equivalent"),
        ("resources: {instance_type: x}", "jobs.one.resources.instance_type: this member of resources"),
        ("resources: {instance_count: 2}", "2 machines: a step runs on one"),
        ("environment: 'azureml:e@latest'", "environment e@latest is Azure's"),
        ("environment_variables: {AIRFLOW_HOME: x}", "the variable is not set"),
        ("compute: azureml:big", "compute 'big' is not described"),
    ],
)
def test_what_differs_is_told_and_imported(read, extra, what):
    """Nothing is dropped in silence."""
    pipeline = read(f"jobs:\n  one: {{command: 'true', {extra}}}")
    assert pipeline is not None
    assert any(what in line for line in read.told("differs")), read.told("differs")


def test_unused_inputs_and_unknown_ones_are_told(read):
    """Of the pipeline and of a component."""
    read("inputs: {a: 1}\njobs: {one: {component: ./work.yml, inputs: {raw: {path: ./data}, b: 1}}}")
    told = [line.partition(": ")[2] for line in read.told("differs")]
    assert [line for line in told if "image" not in line] == [
        "inputs.a: no job uses this input",
        "jobs.one.inputs.b: the component has no such input",
    ]


def test_a_component_is_a_pipeline_of_one_step(read, tmp_path):
    """Inputs without a value are parameters; data are a path in the default datastore."""
    importing = Importing(root=tmp_path, findings=read.findings)
    pipeline = read_pipeline(read_node(tmp_path / "work.yml"), importing)
    assert pipeline.name == "work"
    assert {p.name: (p.default, p.required) for p in pipeline.params} == {"raw": (None, True), "rate": (0.5, False)}
    assert (pipeline.data[0].datastore.name, pipeline.data[0].path) == ("workspaceblobstore", "{{ params.raw }}")


def test_files_are_written_and_read_back(read, tmp_path):
    """DAG file, pipeline, code with what is included and without what is ignored."""
    read.write({
        "src/work.py": "print(1)\n", "src/.amlignore": "*.big\n", "src/x.big": "0", "shared/lib.py": "x = 1\n",
        "job.yml": """
        type: command
        name: job
        code: ./src
        additional_includes: [./shared]
        command: python work.py
        """})  # fmt: skip
    (done,) = import_all(tmp_path / "job.yml", tmp_path / "dags", computes={})
    assert (done.dag_id, done.written) == ("job", tmp_path / "dags" / "job.py")
    assert 'dag_from_spec("job/pipeline.yaml")' in done.written.read_text()
    code = tmp_path / "dags" / "job" / "job"
    assert sorted(p.relative_to(code).as_posix() for p in code.rglob("*") if p.is_file()) == [
        "shared/lib.py",
        "work.py",
    ]
    assert Pipeline.read(tmp_path / "dags" / "job" / "pipeline.yaml").steps[0].script == "work.py"


def test_nothing_of_others_is_overwritten(read, tmp_path):
    """An earlier import only when it is asked for, any other file never."""
    read.write({"job.yml": "type: command\nname: job\ncommand: date\n"})
    import_all(tmp_path / "job.yml", tmp_path / "dags", computes={})
    (again,) = import_all(tmp_path / "job.yml", tmp_path / "dags", computes={})
    assert again.dag_id is None
    assert "--replace" in str(again.findings[0])
    (replaced,) = import_all(tmp_path / "job.yml", tmp_path / "dags", computes={}, again=True)
    assert replaced.dag_id == "job"
    (tmp_path / "dags" / "job.py").write_text("mine = 1\n")
    (kept,) = import_all(tmp_path / "job.yml", tmp_path / "dags", computes={}, again=True)
    assert "no import wrote" in str(kept.findings[0])
    assert (tmp_path / "dags" / "job.py").read_text() == "mine = 1\n"


def test_a_folder_has_pipelines_and_the_components_that_they_bring(read, tmp_path):
    """Components are not imported by themselves; two pipelines of one name get two ids."""
    read.write({"a/pipeline.yml": "type: pipeline\ndisplay_name: p\njobs: {one: {command: date}}\n"})
    read.write({"b/pipeline.yml": "type: pipeline\ndisplay_name: p\njobs: {one: {command: date}}\n"})
    done = import_all(tmp_path, tmp_path / "dags", computes={})
    assert [(one.kind, one.dag_id) for one in done] == [("pipeline", "p"), ("pipeline", "p_2")]
    with pytest.raises(DefinitionError, match="no pipeline of Azure ML"):
        import_all(tmp_path / "data", None, computes={})


def test_a_file_that_is_no_yaml_is_told_with_its_line(read, tmp_path):
    """As any other thing that cannot be imported."""
    read.write({"pipeline.yml": "type: pipeline\njobs: [\n"})
    (done,) = import_all(tmp_path / "pipeline.yml", None, computes={})
    assert done.dag_id is None
    assert (done.findings[0].level, done.findings[0].line > 1) == ("stops", True)


def test_code_that_lies_where_the_import_goes_is_copied_once(tmp_path):
    """``code: .`` beside the DAG file: what an import writes is no code, the second time neither."""
    (tmp_path / "work.py").write_text("print(1)\n")
    (tmp_path / "job.yml").write_text("type: command\nname: job\ncode: .\ncommand: python work.py\n")
    for again in (False, True):
        (done,) = import_all(tmp_path / "job.yml", None, computes={}, again=again)
        assert done.dag_id == "job"
    code = tmp_path / "job" / "job"
    assert sorted(p.name for p in code.rglob("*")) == ["job.yml", "work.py"]


@pytest.mark.parametrize(
    ("path", "store", "url", "place"),
    [
        ("azureml://datastores/lake/paths/a/b.csv", "lake", None, "a/b.csv"),
        ("azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/lake/paths/a", "lake", None, "a"),
        ("wasbs://box@acc.blob.core.windows.net/a/b", "acc.blob.core.windows.net",
         "abfss://box@acc.dfs.core.windows.net/a", "b"),
        ("https://example.org/a/b.csv", "workspaceblobstore", None, "downloads/example.org/a/b.csv"),
    ],
)  # fmt: skip
def test_places_that_are_not_on_this_disk(read, path, store, url, place):
    """A datastore and a path in it."""
    pipeline = read(f"jobs: {{one: {{component: ./work.yml, inputs: {{raw: {{type: uri_folder, path: '{path}'}}}}}}}}")
    (data,) = pipeline.data
    assert (data.datastore.url, data.path) == (url, place)
    assert data.datastore.name in (store, store.replace("blob", "dfs"))


def test_a_url_with_a_query_is_refused(read):
    """It may hold a secret."""
    assert read("jobs: {one: {command: 'ls ${{inputs.x}}', inputs: {x: {path: 'https://h/a?sig=s3cret'}}}}") is None
    assert "s3cret" not in " ".join(read.told("stops"))

"""Steps in containers, in a real Airflow and on a real Docker engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from docker import DockerClient

DIGITS = """
    from airflow_mlpipe import CommandStep, Environment, Outputs, PipelineData, Resources, ScriptStep, step

    IMAGE = Environment(image="{image}")

    @step(compute_target="docker", environment=IMAGE, resources=Resources(cpu=0.5, memory="256Mi", shm="32Mi"))
    def numbers(count: int) -> Outputs(total=int, words=list):
        import os
        return Outputs(total=sum(range(count)), words=[os.environ["HOME"], os.getcwd()])

    with DAG("containers", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        text, upper = PipelineData("text", kind="file"), PipelineData("upper", kind="file")
        ScriptStep(task_id="write", script_name="write.py", source_directory="code", compute_target="docker",
                   environment=IMAGE, outputs=[text], arguments=[text])
        CommandStep(task_id="shout", command=["sh", "-c", 'tr a-z A-Z < "$0" > "$1"', text, upper],
                    compute_target="docker", environment=IMAGE, outputs=[upper])

        @step
        def read(upper) -> str:
            return upper.read_text()

        read(upper)
        numbers(10)
    """
FILES = {
    "code/write.py": "import helper, sys\nopen(sys.argv[1], 'w').write(helper.TEXT)\n",
    "code/helper.py": "TEXT = 'abc'\n",
}


@pytest.fixture
def source(base_image: str) -> str:
    """The DAG with its image."""
    return DIGITS.replace("{image}", base_image)


def test_scripts_commands_and_functions_run_in_containers_and_are_reused(run_dag, source):
    """Data move between containers and the worker; the second run starts no container."""
    run = run_dag(source, files=FILES)
    assert set(run.states.values()) == {"success"}, run.log
    assert run["read"].xcoms["return_value"] == "ABC"
    assert run["numbers"].xcoms["total"] == 45
    assert run["numbers"].xcoms["words"] == ["/mlpipe/home", "/mlpipe/code"]
    assert "started the container mlpipe-numbers-" in run["numbers"].log
    assert "cpus 0.5, memory 256 MiB, shm 32 MiB" in run["numbers"].log
    again = run_dag(source, files=FILES)
    assert again.executed == []
    assert "started the container" not in again.log


def test_an_image_counts_by_its_digest_and_not_by_its_name(run_dag, source, base_image, engine: DockerClient):
    """The same image under another tag is reused; another image under the same tag is not."""
    from tools.base_image import load

    engine.images.get(base_image).tag("mlpipe-tests/other", "1")
    run_dag(source, files=FILES)
    other = source.replace(base_image, "mlpipe-tests/other:1")
    assert run_dag(other, files=FILES).executed == []
    load(engine, "mlpipe-tests/other:1", config={"Labels": {"changed": "yes"}})
    moved = run_dag(other, files=FILES)
    assert moved.executed == ["numbers", "shout", "write"]
    assert any("image" in reason for reason in moved["write"].reasons), moved["write"].reasons


def test_an_image_that_cannot_be_pulled_is_tried_again_within_the_try_and_said_in_words(
    run_dag, source, base_image, monkeypatch
):
    """The name, the engine's words, the next step; the author's retries are not used up."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__COMPUTE_RETRY_SECONDS", "0.01")
    run = run_dag(source.replace(base_image, "127.0.0.1:1/no/such:1"), files=FILES)
    assert run["write"].state == "failed"
    assert "the image cannot be pulled" in run["write"].log
    assert "3 of 3, within this try" in run["write"].log
    assert "127.0.0.1:1/no/such:1" in run["write"].log


def test_a_gpu_that_the_engine_does_not_have_is_said_in_words(run_dag, base_image):
    """And which kinds there are, where the deployment says so."""
    run = run_dag(
        f"""
        from airflow_mlpipe import CommandStep, Environment, Gpu, Resources

        with DAG("gpu", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            for name, gpu in (("one", 1), ("a100", Gpu(1, kind="a100"))):
                CommandStep(task_id=name, command=["true"], compute_target="docker",
                            environment=Environment(image="{base_image}"), resources=Resources(gpu=gpu))
        """
    )
    assert "the engine has no GPU, or no driver for it" in run["one"].log
    assert "this compute does not say which GPUs it has" in run["a100"].log


def test_a_compute_that_does_not_exist_is_an_error_with_those_that_do(run_dag, base_image):
    """Before anything is started; connections are named as the way to add one."""
    run = run_dag(
        f"""
        from airflow_mlpipe import CommandStep, Environment

        with DAG("unknown", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            CommandStep(task_id="one", command=["true"], compute_target="gpuu",
                        environment=Environment(image="{base_image}"))
        """
    )
    assert run["one"].state == "failed"
    assert "there is no such compute" in run["one"].log
    assert "'docker', 'kubernetes', 'local'" in run["one"].log


def test_a_compute_has_the_options_that_the_deployment_says(run_dag, base_image, monkeypatch):
    """By name in ``[mlpipe] computes``; a wrong option is named with the valid ones."""
    dag = f"""
        from airflow_mlpipe import CommandStep, Environment

        with DAG("named", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            CommandStep(task_id="one", command=["sh", "-c", "! touch /x && echo as said"],
                        compute_target="box", environment=Environment(image="{base_image}"))
        """
    monkeypatch.setenv("AIRFLOW__MLPIPE__COMPUTES", '{"box": {"kind": "docker", "read_only": true}}')
    run = run_dag(dag)
    assert "as said" in run["one"].log
    monkeypatch.setenv("AIRFLOW__MLPIPE__COMPUTES", '{"box": {"kind": "docker", "readonly": true}}')
    assert "unknown option" in run_dag(dag)["one"].log


DEFERRED = """
    from airflow_mlpipe import CommandStep, Environment, PipelineData

    with DAG("deferred", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        text = PipelineData("text", kind="file")
        CommandStep(task_id="one", command=["sh", "-c", '{script}', "sh", text], compute_target="docker",
                    environment=Environment(image="{image}"), outputs=[text], deferrable=True)
    """


def _deferred(image: str, script: str) -> str:
    return DEFERRED.replace("{image}", image).replace("{script}", script)


def test_a_deferred_step_waits_in_the_triggerer_and_its_result_counts(run_dag, base_image, engine: DockerClient):
    """Its lines are shown once each; the second run reuses it; nothing stays on the engine."""
    source = _deferred(base_image, "echo first line; sleep 7; echo last line; echo x > $1")
    run = run_dag(source)
    assert run["one"].state == "success", run.log
    assert "the program goes on by itself" in run["one"].log
    for line in ("first line", "last line"):
        assert run.log.count(line) - run.log.count(f"echo {line}") == 1, run.log
    assert run_dag(source).executed == []
    assert engine.containers.list(all=True, filters={"label": "mlpipe.dag=deferred"}) == []


def test_a_deferred_step_that_fails_is_told_as_any_other(run_dag, base_image, engine: DockerClient):
    """Its exit code and its last lines, after the triggerer has seen its end."""
    run = run_dag(_deferred(base_image, "echo why; exit 3"))
    assert run["one"].state == "failed"
    assert "ended with exit code 3" in run["one"].log
    assert engine.containers.list(all=True, filters={"label": "mlpipe.dag=deferred"}) == []


def test_the_container_of_a_step_can_be_seen_without_running_it(run_dag, source, monkeypatch, airflow_home):
    """Its image by digest, its limits, its arguments; what has no result yet is left out and named."""
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.operators.describe import describe_step

    run_dag.write(FILES)
    dag = run_dag.parse(source)
    function = describe_step(dag, "numbers", {}, stores=Stores())
    assert function.compute == "docker"
    assert function.request["image"].startswith("sha256:")
    assert (function.request["memory"], function.request["cpus"], function.request["shm"]) == (256 << 20, 0.5, 32 << 20)
    command = describe_step(dag, "shout", {}, stores=Stores())
    assert command.unknown == ("write",)
    assert command.request["command"][-1] == "/mlpipe/outputs/upper/upper"
    run_dag(source, files=FILES)
    again = describe_step(run_dag.parse(source), "shout", {}, stores=Stores())
    assert again.unknown == ()
    assert again.request["command"][-2:] == ("/mlpipe/inputs/text/text", "/mlpipe/outputs/upper/upper")

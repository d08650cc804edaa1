"""What a user sees in Airflow's UI, seen with a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.browser import LOG_LINES, Ui, browser

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from support.airflow import RunningAirflow

    from airflow_mlpipe.experiment import Run

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECRET = "hush-not-for-the-ui"
PIPELINE = """
from airflow_mlpipe import CommandStep, DataReference, Datastore, Input, Output, PipelineData, Secret

with DAG("seen", params={"rate": Param(0.1, type="number", title="Learning rate")}):
    prepared, model, part, best = (PipelineData(n, kind="file") for n in ("prepared", "model", "part", "best"))
    CommandStep(
        task_id="prepare",
        arguments=["cp", DataReference(Datastore("seen_lake"), "numbers.txt"), prepared],
        outputs=[prepared],
    )
    with TaskGroup("learn"):
        CommandStep(
            task_id="train",
            arguments=["sh", "-c", 'echo "training with $2"; cat "$MLPIPE_SECRET_TOKEN"; cat "$1" > "$3"', "-",
                       prepared, "{{ params.rate }}", model],
            secrets={"token": Secret(variable="seen_token")},
            outputs=[model],
        )
        CommandStep.partial(task_id="score", inputs=[model], outputs=[part]).expand(
            arguments=[["sh", "-c", 'echo "$1" > "$2"', "-", n, Output("part")] for n in (1, 2, 3)]
        )
    CommandStep(
        task_id="choose",
        arguments=["sh", "-c", 'cat "$1"/* > "$2"', "-", Input("parts"), best],
        inputs={"parts": part},
        outputs=[best],
    )

with DAG("seen_to_fail"):
    CommandStep(task_id="look", command=["cat", DataReference(Datastore("seen_lake"), "no-such-file.txt")])

with DAG("seen_to_wait", params={"gate": ""}):
    CommandStep(
        task_id="slow",
        arguments=["sh", "-c", 'touch "$1/started"; until [ -e "$1/go" ]; do sleep 0.1; done', "-",
                   "{{ params.gate }}"],
    )
"""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Two runs of the pipeline: the first of all, and one with another parameter, started with the UI's form.

    :param conf: of the second, as the form sent it.
    """

    first: Run
    second: Run
    conf: Mapping[str, Any]


@pytest.fixture(scope="module")
def ui(embedded_airflow: RunningAirflow) -> Iterator[Ui]:
    """One browser for all tests."""
    with browser(embedded_airflow.login) as seen:
        yield seen


def _connection_form(ui: Ui) -> Locator:
    """The form for a new connection, with our type chosen."""
    page = ui.visit("connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    page.keyboard.type("MLPipe Datastore")
    page.keyboard.press("Enter")
    form.locator("input[name=login]").wait_for()
    return form


@pytest.fixture(scope="module")
def lake(ui: Ui, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, made a datastore by saving a connection in the UI."""
    folder = tmp_path_factory.mktemp("lake")
    (folder / "numbers.txt").write_text("1\n2\n3\n")
    form = _connection_form(ui)
    form.locator("input[name=connection_id]").fill("seen_lake")
    form.get_by_text("Extra Fields", exact=True).click()
    form.locator("input[name=element_url]").fill(folder.as_uri())
    form.get_by_role("button", name="Save").click()
    form.wait_for(state="hidden")
    return folder


@pytest.fixture(scope="module")
def airflow(embedded_airflow: RunningAirflow, lake: Path) -> RunningAirflow:
    """The session's Airflow with the DAGs and what they need."""
    embedded_airflow.experiment.api.post("/api/v2/variables", {"key": "seen_token", "value": SECRET})
    embedded_airflow.write("seen", PIPELINE)
    return embedded_airflow


@pytest.fixture(scope="module")
def runs(ui: Ui, airflow: RunningAirflow) -> Runs:
    """The pipeline has run twice; the second run was started by a user."""
    first = airflow.submit("seen")
    first.wait_for_completion(show_output=False)
    page = ui.visit("dags", "seen")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.get_by_label("Learning rate").fill("0.5")
    page.keyboard.press("Tab")
    with page.expect_response(lambda r: r.request.method == "POST" and r.url.endswith("/dagRuns")) as answer:
        form.get_by_role("button", name="Trigger").click()
    second = airflow.experiment.attach("seen", answer.value.json()["dag_run_id"])
    second.wait_for_completion(show_output=False)
    return Runs(first=first, second=second, conf=answer.value.json()["conf"])


def test_the_connection_form_asks_for_what_a_datastore_needs(ui):
    """Our labels, our fields with their explanations, and none of the fields that mean nothing for a datastore."""
    from playwright.sync_api import expect

    form = _connection_form(ui)
    assert form.locator("input:visible, textarea:visible").evaluate_all("all => all.map(e => e.name)") == [
        *("connection_id", "", "description", "login", "password")
    ]
    expect(form.get_by_text("Access key / account")).to_be_visible()
    form.get_by_text("Extra Fields", exact=True).click()
    form.locator("input[name=element_url]").wait_for()
    fields = form.locator("[name^=element_]").evaluate_all("all => all.map(e => e.name.slice('element_'.length))")
    assert fields == ["url", "connection", "endpoint_url", "region", "account_name", "anonymous"]
    expect(form.get_by_text("The root: s3://bucket/prefix")).to_be_visible()


def test_a_run_that_is_started_with_the_form_has_the_parameter(ui, runs):
    """All tasks of it succeed in the grid; the connection that was saved in the UI is a datastore by its name."""
    from playwright.sync_api import expect

    page = ui.visit("dags", "seen", "runs", runs.second.run_id)
    states = page.get_by_test_id("table-cell-state")
    expect(states).to_have_text(["Success"] * 6)
    expect(page.get_by_test_id(f"grid-{runs.second.run_id}-prepare")).to_be_visible()
    assert runs.conf == {"rate": 0.5}


def test_the_log_of_a_reused_step_begins_with_its_origin(ui, runs):
    """It is seen at once: nothing has to be unfolded."""
    from playwright.sync_api import expect

    lines = ui.log("seen", runs.second.run_id, "prepare")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text(re.compile(rf"REUSED from seen/{re.escape(runs.first.run_id)}/prepare, saved \d"))


def test_the_log_of_an_executed_step_begins_with_the_reason(ui, runs):
    """Then come the program's lines."""
    from playwright.sync_api import expect

    lines = ui.log("seen", runs.second.run_id, "learn.train")
    expect(lines.first).to_contain_text("EXECUTED because PARAM rate 0.1 -> 0.5")
    expect(lines.filter(has_text="training with 0.5")).to_have_count(1)


def test_an_error_before_the_decision_is_seen_in_the_log(ui, airflow):
    """An input that is missing: the message, not a folded group."""
    from playwright.sync_api import expect

    failed = airflow.submit("seen_to_fail")
    failed.wait_for_completion(show_output=False, raise_on_error=False)
    lines = ui.log("seen_to_fail", failed.run_id, "look")
    expect(lines.filter(has_text="no-such-file.txt").first).to_be_visible()


def test_the_xcoms_of_a_reused_step_show_what_the_original_has(ui, runs):
    """The same reference under the output's name, and a summary of the decision; neither fills the page."""
    from playwright.sync_api import expect

    digest = runs.first.get_output("prepare", "prepared").digest
    for run, decision in ((runs.first, "executed"), (runs.second, "reused")):
        page = ui.task("seen", run.run_id, "prepare", "xcom")
        page.get_by_label("Expand all extra JSON").click()
        expect(page.get_by_role("row").filter(has_text="prepared").first).to_contain_text(digest)
        expect(page.get_by_role("row").filter(has_text="mlpipe").first).to_contain_text(f'"{decision}"')


@pytest.mark.parametrize(("task", "producer"), [("prepare", "first"), ("learn.train", "second")])
def test_produced_by_leads_to_the_task_that_computed_the_result(ui, runs, task, producer):
    """Of a reused step to the original, of an executed one to itself."""
    from playwright.sync_api import expect

    page = ui.task("seen", runs.second.run_id, task, "details")
    page.get_by_role("link", name="Produced by").click()
    run_id = getattr(runs, producer).run_id
    expect(page.get_by_role("link", name=run_id, exact=True).first).to_be_visible()
    expect(page.get_by_role("heading", name=task)).to_be_visible()
    expect(page.locator(LOG_LINES).first).to_contain_text("EXECUTED because")


def test_no_page_of_a_task_shows_a_secret(ui, runs):
    """Rendered templates show the parameter and the ports; the log masks what the program prints."""
    from playwright.sync_api import expect

    where = ("seen", runs.second.run_id, "learn.train")
    expect(ui.log(*where).filter(has_text="***")).to_have_count(1)
    assert SECRET not in ui.page.content()
    page = ui.task(*where, "rendered_templates")
    expect(page.get_by_role("row").filter(has_text="arguments")).to_contain_text("0.5")
    expect(page.get_by_role("row").filter(has_text="inputs").first).to_contain_text('"prepared"')
    assert SECRET not in page.content()


def test_the_graph_shows_the_edges_that_the_data_make(ui, runs):
    """In and out of the task group, and the mapped step with its instances."""
    from playwright.sync_api import expect

    page = ui.visit("dags", "seen", "runs", runs.second.run_id)
    page.get_by_label("Show Graph").click()
    page.get_by_label("Expand all task groups").click()
    expect(page.get_by_test_id("rf__node-learn.score")).to_contain_text("score [3]")
    edges = page.locator(".react-flow__edge")
    expect(edges).to_have_count(3)
    assert set(edges.evaluate_all("all => all.map(e => e.dataset.testid.slice('rf__edge-'.length))")) == {
        *("prepare-learn.train", "learn.train-learn.score", "learn.score-choose")
    }


def test_a_waiting_step_says_for_whom(ui, airflow, tmp_path):
    """It is deferred, not running, while another run executes the same; then it is reused."""
    from playwright.sync_api import expect

    from tools.airflow_embedded import wait_for

    try:
        executing = airflow.submit("seen_to_wait", gate=str(tmp_path))
        wait_for((tmp_path / "started").exists, 120)
        waiting = airflow.submit("seen_to_wait", gate=str(tmp_path))
        page = ui.task("seen_to_wait", waiting.run_id, "slow")
        expect(page.get_by_text("Deferred", exact=True).first).to_be_visible()
        lines = ui.log("seen_to_wait", waiting.run_id, "slow")
        expect(lines.first).to_contain_text(f"WAITING for seen_to_wait/{executing.run_id}/slow")
    finally:
        (tmp_path / "go").touch()
    waiting.wait_for_completion(show_output=False)
    expect(ui.log("seen_to_wait", waiting.run_id, "slow").filter(has_text="REUSED from")).to_have_count(1)

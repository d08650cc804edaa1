"""What Airflow's UI shows of a value that lies in the workspace, seen with a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.browser import Ui, browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from airflow_mlpipe.experiment import Run

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECRET = "hush-" + "not-for-the-ui-" * 8
"""Longer than what is shown of a text: its start is a secret as well."""
PIPELINE = """
from airflow_mlpipe import Outputs, Secret, step

def table(secret):
    import pandas as pd
    return pd.DataFrame({
        "sepal length": [5.1, 4.9, 4.7] * 50, "species": ["setosa", "versicolor", "virginica"] * 50,
        "password": ["hunter2"] * 150, secret: range(150), "note": [f"it is {secret}"] * 150,
    })

with DAG("shown"):
    @task
    def ordinary():
        from airflow.sdk import Variable
        return table(Variable.get("shown_token"))

    @task
    def config():
        import numpy as np
        from airflow.sdk import Variable
        return {"weights": np.arange(6.0), "rate": 0.1, "api_key": "hunter2", Variable.get("shown_token"): 1}

    @step(secrets={"token": Secret(variable="shown_token")})
    def stepped() -> Outputs(table=object, weights=object, rows=list):
        import os
        import numpy as np
        secret = open(os.environ["MLPIPE_SECRET_TOKEN"]).read()
        rows = [{"password": "hunter2", "text": secret, "n": n} for n in range(1000)]
        return Outputs(table=table(secret), weights=np.linspace(0, 1, 1000), rows=rows)

    ordinary()
    config()
    stepped()
"""


@pytest.fixture(scope="module")
def run(shared) -> Run:
    """Values with secrets in them have been pushed by tasks and by a step."""
    shared.ask("POST", "/api/v2/variables", key="shown_token", value=SECRET)
    shared.airflow.write("shown", PIPELINE)
    run = shared.airflow.submit("shown")
    run.wait_for_completion(show_output=False)
    return run


@pytest.fixture(scope="module")
def ui(shared) -> Iterator[Ui]:
    """One browser for all tests."""
    with browser(shared.airflow.login) as seen:
        yield seen


def xcoms(ui: Ui, run: Run, task: str) -> Page:
    """The XCom page of a task, with everything unfolded."""
    from playwright.sync_api import expect

    page = ui.task("shown", run.run_id, task, "xcom")
    page.get_by_label("Expand all extra JSON").click()
    expect(page.get_by_role("row").filter(has_text="digest").first).to_be_visible()
    return page


def test_the_row_of_a_table_says_what_it_is(ui, run):
    """Type, size, digest, shape, columns and a few values, seen without scrolling; not the table."""
    from playwright.sync_api import expect

    row = xcoms(ui, run, "ordinary").get_by_role("row").filter(has_text="return_value")
    digest = run.get_xcom("ordinary", "return_value")["digest"]
    for words in ("pandas.DataFrame", '"size"', digest, "150 x 5", "sepal length", "virginica"):
        expect(row).to_contain_text(words)


def test_no_row_shows_a_secret(ui, run):
    """Not what Airflow knows as one, not its start, not what stands under a secret's name; of tasks and of steps."""
    rows = {
        (task, key): run.get_xcom(task, key)
        for task, key in (("ordinary", "return_value"), ("config", "return_value"), ("stepped", "return_value"))
    } | {("stepped", key): run.get_xcom("stepped", key) for key in ("table", "weights", "rows")}
    assert {name for name, row in rows.items() if "***" in json.dumps(row)} == {
        *(("ordinary", "return_value"), ("config", "return_value"), ("stepped", "table"), ("stepped", "rows"))
    }
    for text in (json.dumps(list(rows.values())), xcoms(ui, run, "stepped").content()):
        assert SECRET[:12] not in text
        assert "hunter2" not in text

"""A headless Chromium that is logged in to an Airflow, and the places of Airflow's UI that the tests look at."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tools.airflow_embedded import Login

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox: it needs privileges that containers do not have, and nothing but our own Airflow is visited.
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
LOG_LINES = "[data-testid^=virtualized-item]"
"""Selects the lines of a task's log that are not folded away."""
PATIENCE = 120_000
"""Milliseconds that anything may take to appear; a busy machine takes long."""


@dataclass(frozen=True, kw_only=True)
class Ui:
    """Airflow's UI in a browser.

    :param page: the browser's only tab. :param url: of Airflow.
    """

    page: Page
    url: str

    def visit(self, *path: str) -> Page:
        """Go to a page, named by the segments of its path."""
        self.page.goto("/".join((self.url, *(quote(segment, safe="") for segment in path))))
        return self.page

    def task(self, dag_id: str, run_id: str, task_id: str, *tab: str) -> Page:
        """Go to the page of a task instance; without a tab, its log."""
        return self.visit("dags", dag_id, "runs", run_id, "tasks", task_id, *tab)

    def log(self, dag_id: str, run_id: str, task_id: str) -> Locator:
        """The lines of a task's log that are seen without unfolding anything."""
        page = self.task(dag_id, run_id, task_id)
        page.get_by_text("Pre Execute").first.wait_for()
        return page.locator(LOG_LINES)


@contextlib.contextmanager
def browser(login: Login) -> Iterator[Ui]:
    """Start a browser and log in; skips the test where there is no browser."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here, see tools/get_chromium.sh: nobody looks at the UI")
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        try:
            context = chromium.new_context(viewport={"width": 1500, "height": 1000}, locale="en-US", timezone_id="UTC")
            context.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            page = context.new_page()
            page.goto(login.url)
            page.fill("input[name=username]", login.username)
            page.fill("input[name=password]", login.password)
            page.click("button[type=submit]")
            page.get_by_role("link", name="Dags").first.wait_for()
            yield Ui(page=page, url=login.url)
        finally:
            chromium.close()

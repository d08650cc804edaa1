"""``make demo``: the digits pipeline, five times, on an Airflow of its own; each run changes one thing.

Works on copies below ``.demo`` and edits nothing of the clone.  A run that does not do what this page says it does ends
the demo with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.experiment import ApiError, Experiment, Run, StepStatus
from tools.airflow_embedded import EmbeddedAirflow, EmbeddedError, Login, remove, wait_for

ROOT = Path(__file__).resolve().parent.parent
DAG = "digits"
KINDS = ("pixels", "pca", "gradients")
FEATURES = frozenset(f"{kind}.features" for kind in KINDS)
MODELS = frozenset(f"{kind}.{step}" for kind in KINDS for step in ("train", "evaluate"))
STEPS = frozenset({"prepare", "choose", "report"}) | FEATURES | MODELS
SMOOTHER = {"regularization": 0.05}


class DemoError(Exception):
    """The demo did not go as it should; the message says what was expected and what came."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """One of the five runs.

    :param title: what is different this time. :param executes: the steps that must execute; all others are reused.
    :param change: makes the change. :param reason: what the reasons of these steps must contain.
    """

    title: str
    executes: frozenset[str]
    params: Mapping[str, Any] = field(default_factory=dict)
    change: Callable[[], None] = lambda: None
    reason: Mapping[str, str] = field(default_factory=dict)


class Checkout:
    """The copy of the example that Airflow sees: ``.demo/dags/<name>/digits.py`` and its folder of scripts."""

    def __init__(self, dags: Path) -> None:
        self.dags = dags
        self.name = "checkout-a"

    @property
    def scripts(self) -> Path:
        """The steps' source folder."""
        return self.dags / self.name / DAG

    def make(self) -> None:
        """Copy the example anew."""
        remove(self.dags)
        source = ROOT / "dags_examples"
        shutil.copytree(source / DAG, self.scripts, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(source / f"{DAG}.py", self.dags / self.name / f"{DAG}.py")
        (self.dags / ".airflowignore").write_text(f"**/{DAG}/\n")

    def edit_helper(self) -> None:
        """Say the same in other words in a module that ``prepare.py`` imports."""
        _replace(self.scripts / "cleaning.py", "return images / 16.0", "return images * 0.0625  # a sixteenth")

    def edit_notes_touch_and_move(self) -> None:
        """Edit a file that no step reads, touch every file, and move the folder."""
        notes = self.scripts / "notes.md"
        notes.write_text(notes.read_text() + "\nEdited by the demo.\n")
        now = time.time()
        for path in (self.dags / self.name).rglob("*"):
            os.utime(path, (now, now))
        old, self.name = self.name, "checkout-b"
        (self.dags / old).rename(self.dags / self.name)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        raise DemoError(f"{path} does not contain {old!r}, which the demo edits")
    path.write_text(text.replace(old, new))


class Demo:
    """The demo in one folder.

    :param keep: whether the results of an earlier demo are kept; then the first run executes nothing either.
    """

    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        self.folder = folder
        self.keep = keep
        self.checkout = Checkout(folder / "dags")
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        self.airflow = EmbeddedAirflow(
            folder / "home",
            dags=folder / "dags",
            options={
                "AIRFLOW__MLPIPE__WORKSPACE": (folder / "workspace").as_uri(),
                "AIRFLOW__MLPIPE__CACHE": str(folder / "cache"),
                "AIRFLOW__MLPIPE__SCRATCH": str(folder / "scratch"),
            },
        )

    def run(self) -> None:
        """Run all acts.  :raises DemoError: when one goes wrong. :raises EmbeddedError: when Airflow does not start."""
        self.checkout.make()
        if not self.keep:
            remove(self.folder / "workspace")
        began = time.monotonic()
        with self.console.status("starting Airflow"):
            login = self.airflow.start()
        self.console.print(f"Airflow runs at {login.url} (started in {time.monotonic() - began:.0f} s)")
        experiment = Experiment(url=login.url, username=login.username, password=login.password)
        for number, act in enumerate(self._acts(), 1):
            act.change()
            self._await_dag(experiment)
            self._show_and_check(number, act, *self._play(experiment, act))
        self._farewell(login, experiment)

    def _acts(self) -> tuple[Act, ...]:
        return (
            Act(
                title="the first run: everything executes",
                executes=frozenset() if self.keep else STEPS,
                reason={} if self.keep else {"prepare": "NEW"},
            ),
            Act(title="again, nothing changed: nothing executes", executes=frozenset()),
            Act(
                title="regularization 1.0 -> 0.05: the training and what depends on it execute",
                executes=MODELS | {"choose", "report"},
                params=SMOOTHER,
                reason={f"{kind}.train": "0.05" for kind in KINDS},
            ),
            Act(
                title="a helper that prepare imports is reworded, its output bytes stay: only prepare executes",
                executes=frozenset({"prepare"}),
                params=SMOOTHER,
                change=self.checkout.edit_helper,
                reason={"prepare": "cleaning.py"},
            ),
            Act(
                title="a note edited, every file touched, the folder moved: nothing executes",
                executes=frozenset(),
                params=SMOOTHER,
                change=self.checkout.edit_notes_touch_and_move,
            ),
        )

    def _await_dag(self, experiment: Experiment) -> None:
        """Wait until Airflow has parsed the file where it is now."""
        expected = f"{self.checkout.name}/{DAG}.py"

        def parsed() -> bool:
            errors = list(experiment.api.pages("/api/v2/importErrors", "import_errors"))
            if any(str(e.get("filename", "")).endswith(expected) for e in errors):
                raise DemoError("the DAG file does not parse:\n" + "\n".join(str(e["stack_trace"]) for e in errors))
            try:
                found = experiment.api.get(f"/api/v2/dags/{DAG}")
            except ApiError:
                return False
            return found.get("relative_fileloc") == expected and not found.get("is_stale")

        with self.console.status("waiting until Airflow has read the DAG file"):
            wait_for(parsed, 300)

    def _play(self, experiment: Experiment, act: Act) -> tuple[Run, list[StepStatus], float]:
        began = time.monotonic()
        run = experiment.submit(DAG, params=act.params, unpause=True)
        with self.console.status(act.title):
            status = run.wait_for_completion(show_output=False, timeout_seconds=1800, raise_on_error=False)
        steps = run.get_steps()
        if status.state != "success":
            failed = [step for step in steps if step.state == "failed"]
            tails = "\n".join("\n".join([f"--- {s.name}", *run.get_log_tail(s, lines=30)]) for s in failed)
            raise DemoError(f"the run ended as {status.state}: {run.url}\n{tails}")
        return run, steps, time.monotonic() - began

    def _show_and_check(self, number: int, act: Act, run: Run, steps: list[StepStatus], wall: float) -> None:
        self.console.print()
        self.console.print(table_of(f"Run {number}: {act.title}", steps, wall))
        problems = problems_of(act, steps)
        if problems:
            raise DemoError(f"run {number} did not do what it should ({run.url}):\n  " + "\n  ".join(problems))

    def _farewell(self, login: Login, experiment: Experiment) -> None:
        runs = list(experiment.api.pages(f"/api/v2/dags/{DAG}/dagRuns", "dag_runs"))
        last = experiment.attach(DAG, max(runs, key=lambda r: str(r["run_after"]))["dag_run_id"])
        for name, filename in (("plot", "report.png"), ("summary", "report.md")):
            uri = last.get_output("report", name).uri
            shutil.copyfile(unquote(urlsplit(uri).path), self.folder / filename)
        self.console.print(
            f"\nAll {len(self._acts())} runs did what they should. The report: {self.folder / 'report.png'}"
        )
        self.console.print(
            f"Look around:  {login.url}/dags/{DAG}   login {login.username} / {login.password}", soft_wrap=True
        )
        self.console.print("Stop Airflow: make demo-stop")


def table_of(title: str, steps: list[StepStatus], wall: float) -> Table:
    """What every step did, and why."""
    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column, justify in (
        ("step", "left"),
        ("", "left"),
        ("reason", "left"),
        ("seconds", "right"),
        ("saved", "right"),
    ):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for step in steps:
        outcome = step.outcome
        if outcome is None:
            table.add_row(escape(step.name), step.state, "", "", "")
            continue
        reused = outcome.decision == "reused"
        remarks = escape("; ".join(outcome.reasons))
        table.add_row(
            escape(step.name),
            f"[green]{outcome.decision}[/]" if reused else f"[yellow]{outcome.decision}[/]",
            (f"from {_origin(outcome.origin)}" + (f" ({remarks})" if remarks else "")) if reused else remarks,
            "" if reused else f"{outcome.seconds or 0:.1f}",
            f"{outcome.saved or 0:.1f}" if reused else "",
        )
    outcomes = [step.outcome for step in steps if step.outcome]
    executed = sum(o.decision == "executed" for o in outcomes)
    table.add_section()
    table.add_row(
        f"{len(steps)} steps",
        f"{executed} executed",
        f"the run took {wall:.0f} s",
        f"{sum(o.seconds or 0 for o in outcomes):.1f}",
        f"{sum(o.saved or 0 for o in outcomes):.1f}",
    )
    return table


def _origin(origin: str | None) -> str:
    """``digits/manual__2026-01-01T10:20:30..._ab12/prepare`` as ``the run of 10:20:30``."""
    moment = (origin or "").partition("__")[2].partition("T")[2][:8]
    return f"the run of {moment}" if moment else origin or "an earlier run"


def problems_of(act: Act, steps: list[StepStatus]) -> list[str]:
    """What is not as the act says; empty when all is."""
    decided = {step.name: step.outcome.decision if step.outcome else step.state for step in steps}
    problems = [f"{name}: no such step in the run" for name in sorted(STEPS - decided.keys())]
    for name, decision in sorted(decided.items()):
        expected = "executed" if name in act.executes else "reused"
        if decision != expected:
            problems.append(f"{name}: {decision}, expected {expected}")
    for step in steps:
        wanted, reasons = act.reason.get(step.name), step.outcome.reasons if step.outcome else ()
        if wanted and not any(wanted in reason for reason in reasons):
            problems.append(f"{step.name}: its reasons {list(reasons)} do not name {wanted!r}")
    return problems


def main() -> int:
    """Run or stop the demo.  Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("what", choices=("run", "stop", "status"))
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo", help="where everything of the demo is kept")
    parser.add_argument("--keep", action="store_true", help="keep the results of an earlier demo")
    args = parser.parse_args()
    demo = Demo(args.folder.resolve(), keep=args.keep)
    if args.what == "stop":
        print("stopped" if demo.airflow.stop() else "nothing to stop")
        return 0
    if args.what == "status":
        login = demo.airflow.login()
        print(f"{login.url}   login {login.username} / {login.password}" if login else "not running")
        return 0 if login else 1
    try:
        demo.run()
    except (DemoError, EmbeddedError, MLPipeError, TimeoutError) as error:
        print(f"\nThe demo FAILED: {error}\nAirflow's own log: {demo.airflow.log}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``airflow mlpipe submit``: start a run over the REST API and follow it; a thin layer over ``experiment``."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from airflow_mlpipe.cli.command import FAILED, INTERRUPTED, TIMED_OUT, command, say, write_json
from airflow_mlpipe.cli.output import out
from airflow_mlpipe.cli.tables import console
from airflow_mlpipe.experiment import Experiment, Run, RunStatus, Snapshot, StepStatus, UsageError, WaitTimeoutError
from airflow_mlpipe.experiment.credentials import ENV_URL, Credentials
from airflow_mlpipe.experiment.params import split_assignments
from airflow_mlpipe.experiment.progress import Silent, reporter_for, step_table
from airflow_mlpipe.experiment.watch import watch

_LOGS_SHOWN = 10  # failed steps whose log is shown: a wide fan-out that fails is one fault, not a hundred


@command
def submit(args: Namespace) -> int:
    """Run the command; return the exit code."""
    experiment = _experiment(args)
    if args.attach:
        return _wait(experiment.attach(args.dag_id, args.attach), args)
    conf = parse_conf(args.conf)
    params = experiment.parse_params(args.dag_id, split_assignments(args.param))
    run = experiment.submit(args.dag_id, params=params, refresh=args.refresh, conf=conf, unpause=args.unpause)
    say(f"started {run.dag_id}/{run.run_id}\n{run.url}")
    if args.wait or args.follow or args.timeout is not None:
        return _wait(run, args)
    if args.output == "json":
        _write(run.get_status(), ())
    return 0


def parse_conf(text: str) -> dict[str, Any]:
    """A run's conf from the command line.  :raises UsageError: when it is no JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"not JSON ({error})", where="--conf", given=text) from error
    if not isinstance(value, dict):
        raise UsageError("not a JSON object", where="--conf", given=text, valid='like {"lr": 0.3}')
    return value


def _experiment(args: Namespace) -> Experiment:
    if args.password is not None or args.token is not None:
        raise UsageError(
            "a secret on the command line can be read by every user of this machine",
            where="submit",
            fix="say --password-file or --token-file, or set MLPIPE_API_PASSWORD or MLPIPE_API_TOKEN; change it",
        )
    url = args.url or os.environ.get(ENV_URL) or _url_of_this_deployment()
    if not url:
        raise UsageError("no address is given", where="submit", fix=f"say --url http://host:8080, or set {ENV_URL}")
    found = Credentials.resolve(
        os.environ, username=args.username, password_file=args.password_file, token_file=args.token_file
    )
    return Experiment(
        url=url,
        token=found.token,
        token_file=found.token_file,
        username=found.username,
        password=found.password,
        password_file=found.password_file,
    )


def _url_of_this_deployment() -> str | None:
    """``[api] base_url`` where this machine has an Airflow configuration."""
    try:
        from airflow.configuration import conf
    except ImportError:  # this command needs no Airflow
        return None
    return conf.get("api", "base_url", fallback=None) or None


def _wait(run: Run, args: Namespace) -> int:
    # With json, stdout is the document's alone.
    stream = sys.stderr if args.output == "json" else out()
    try:
        last = watch(run, reporter_for(stream) if args.follow else Silent(), timeout_seconds=args.timeout)
    except WaitTimeoutError as error:
        say(f"{error}\n{_how_to_follow(run)}")
        if args.output == "json":
            _write(error.run, run.get_steps(), timed_out=True)
        return TIMED_OUT
    except KeyboardInterrupt:
        say(f"interrupted; the run goes on: {run.url}\n{_how_to_follow(run)}")
        return INTERRUPTED
    if args.output == "json":
        _write(last.run, last.steps)
    elif not args.follow:
        console().print(step_table(last))
    _explain_failures(run, last)
    return 0 if last.run.state == "success" else FAILED


def _how_to_follow(run: Run) -> str:
    return f"follow it with: airflow mlpipe submit {run.dag_id} --attach {run.run_id} --follow"


def _explain_failures(run: Run, last: Snapshot) -> None:
    for step in last.failed[:_LOGS_SHOWN]:
        lines = run.get_log_tail(step)
        say(f"{step.name} failed (try {step.try_number}); its last lines:")
        say("\n".join(f"  {line}" for line in lines) if lines else "  (the deployment has no log to show)")
    if (more := len(last.failed) - _LOGS_SHOWN) > 0:
        say(f"and {more} more; see {run.url}")


def _write(run: RunStatus, steps: Sequence[StepStatus], *, timed_out: bool = False) -> None:
    write_json(
        "submit",
        {
            "dag_id": run.dag_id,
            "run_id": run.run_id,
            "state": run.state,
            "seconds": run.seconds,
            "conf": dict(run.conf),
            "url": run.url,
            "timed_out": timed_out,
            "steps": [step.to_json() for step in steps],
        },
    )

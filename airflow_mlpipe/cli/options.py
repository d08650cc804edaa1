"""Every command with its options, as plain values: Airflow's parser and argparse are both made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An argument: its spellings, and what ``ArgumentParser.add_argument`` takes besides."""

    flags: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command.

    :param function: dotted path of what runs it; it takes the parsed arguments.
    """

    name: str
    help: str
    description: str
    function: str
    options: tuple[Option, ...]


def option(*flags: str, **settings: Any) -> Option:
    """An option as ``argparse`` takes it: its flags, or its name, and its settings."""
    return Option(flags=flags, settings=settings)


def _seconds(factors: Mapping[str, float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number, unit = (text[:-1], text[-1:]) if text[-1:].isalpha() else (text, "s")
        if unit not in factors or not number.replace(".", "", 1).isdigit():
            raise ValueError(text)
        return float(number) * factors[unit]

    parse.__name__ = "time (like 90s, 30m, 24h or 30d)"  # argparse shows it: "invalid time (...) value"
    return parse


TIME = _seconds({"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0})

OUTPUT = option(
    "-o", "--output", choices=("table", "json"), default="table", help="table for people, json: one document on stdout"
)
DAG = option("dag_id", metavar="DAG", type=str, help="the DAG's id")
DAG_OR_FILE = option("dag_id", metavar="DAG", type=str, help="the DAG's id, or the path of a pipeline's YAML file")
TASK = option("task_id", metavar="TASK", type=str, help="the step's task id")
RUN = option("run_id", metavar="RUN", type=str, nargs="?", help="the DAG run's id; the step's latest run by default")
MAP_INDEX = option("--map-index", metavar="N", type=int, default=-1, help="which instance of a mapped step")
YES = option("-y", "--yes", action="store_true", help="do not ask")
WHAT = option(
    "what",
    metavar="FINGERPRINT | DAG TASK [RUN]",
    type=str,
    nargs="+",
    help="a fingerprint or the start of one, or the step whose result is meant",
)
PARAM = option(
    "--param",
    metavar="NAME=VALUE",
    type=str,
    action="append",
    default=[],
    help="a parameter of the DAG, typed as the DAG declares it; may be given more than once",
)
CONF = option("--conf", metavar="JSON", type=str, default="{}", help="the run's conf, a JSON object")
REFRESH = option(
    "--refresh",
    metavar="STEP",
    type=str,
    action="append",
    default=[],
    help="force a step; STEP+: and every step after it; all: everything; may be given more than once",
)

SUBMIT = Command(
    name="submit",
    help="Start a run over the REST API, from any machine, and follow it",
    description=(
        "Start a run of a DAG over the REST API. Exit code: 0 the run succeeded (or was started, without --wait), "
        "1 it failed or the API refused, 2 the request is wrong and nothing was started, 124 it had not ended after "
        "--timeout, 130 interrupted; in the last two cases the run goes on. Credentials come from --token-file, "
        "--username with --password-file, or the environment variables MLPIPE_API_URL, MLPIPE_API_TOKEN, "
        "MLPIPE_API_TOKEN_FILE, MLPIPE_API_USERNAME, MLPIPE_API_PASSWORD and MLPIPE_API_PASSWORD_FILE."
    ),
    function="airflow_mlpipe.cli.submit.submit",
    options=(
        DAG,
        PARAM,
        CONF,
        REFRESH,
        option("--wait", action="store_true", help="wait until the run ends, then show its steps"),
        option("--follow", action="store_true", help="wait, and show the steps as they change"),
        option(
            "--timeout", metavar="TIME", type=TIME, help="wait no longer than this (90s, 30m, 24h); the run goes on"
        ),
        option("--attach", metavar="RUN", type=str, help="follow this run instead of starting one"),
        option("--unpause", action="store_true", help="unpause the DAG if it is paused"),
        option("--url", metavar="URL", type=str, help="the deployment's address, like http://host:8080"),
        option("--username", metavar="NAME", type=str, help="log in as this user"),
        option("--password-file", metavar="FILE", type=str, help="a file that holds the user's password"),
        option("--token-file", metavar="FILE", type=str, help="a file that holds a bearer token"),
        # Declared so that they are refused: else argparse takes them for the short form of the files' options.
        option("--password", metavar="...", type=str, help="not accepted: every process list would show it"),
        option("--token", metavar="...", type=str, help="not accepted: every process list would show it"),
        OUTPUT,
    ),
)

COMMANDS = (
    Command(
        name="why",
        help="Say why a step was executed or reused",
        description="Show a step's decision and its reasons, with what changed before and after.",
        function="airflow_mlpipe.cli.why.why",
        options=(DAG, TASK, RUN, MAP_INDEX, OUTPUT),
    ),
    Command(
        name="plan",
        help="Say what a run would execute now",
        description="Show which steps a run would execute now, and which depend on a result that is still to come.",
        function="airflow_mlpipe.cli.plan.plan",
        options=(DAG, CONF, PARAM, REFRESH, OUTPUT),
    ),
    Command(
        name="spec",
        help="Show a pipeline as YAML, or what a step's compute would be asked for",
        description=(
            "With a DAG: the pipeline as YAML, as airflow_mlpipe.dag_from_spec reads it. With a step: the container, "
            "the pod or the command line as it would be started now."
        ),
        function="airflow_mlpipe.cli.spec.spec",
        options=(
            DAG_OR_FILE,
            option("task_id", metavar="TASK", type=str, nargs="?", help="the step's task id; none: the whole pipeline"),
            CONF,
            PARAM,
            option("--partial", action="store_true", help="leave out of the YAML what has no form in it"),
            OUTPUT,
        ),
    ),
    Command(
        name="graph",
        help="Show what is connected to what",
        description="Show the nodes, ports and edges of a DAG or a pipeline's file.",
        function="airflow_mlpipe.cli.graph.graph",
        options=(
            DAG_OR_FILE,
            option(
                "--format",
                choices=("json", "mermaid", "dot"),
                default="mermaid",
                help="mermaid: for pages of Markdown, dot: for Graphviz, json: for programs (as -o json)",
            ),
            OUTPUT,
        ),
    ),
    Command(
        name="ls",
        help="List the results that can be reused",
        description="List the workspace's reuse records, the newest first.",
        function="airflow_mlpipe.cli.listing.ls",
        options=(
            option("--dag", metavar="DAG", type=str, help="only results that this DAG produced"),
            option("--task", metavar="TASK", type=str, help="only results that tasks of this id produced"),
            OUTPUT,
        ),
    ),
    Command(
        name="show",
        help="Show a result: outputs, metrics, and what its fingerprint is made of",
        description="Show a reuse record, where its outputs are, and the parts of its fingerprint.",
        function="airflow_mlpipe.cli.show.show",
        options=(WHAT, MAP_INDEX, OUTPUT),
    ),
    Command(
        name="pin",
        help="Keep a result: gc leaves it",
        description="Pin a reuse record and its outputs.",
        function="airflow_mlpipe.cli.pins.pin",
        options=(
            WHAT,
            MAP_INDEX,
            option("--why", metavar="TEXT", type=str, help="a note for whoever finds the pin; an earlier one is kept"),
            OUTPUT,
        ),
    ),
    Command(
        name="unpin",
        help="Let gc take a pinned result again",
        description="Remove the pin of a reuse record.",
        function="airflow_mlpipe.cli.pins.unpin",
        options=(WHAT, MAP_INDEX, OUTPUT),
    ),
    Command(
        name="forget",
        help="Remove reuse records, so that their steps execute again",
        description="Remove reuse records. Their outputs stay until gc finds that nothing needs them.",
        function="airflow_mlpipe.cli.forget.forget",
        options=(
            option(
                "what",
                metavar="FINGERPRINT | DAG [TASK]",
                type=str,
                nargs="+",
                help="a fingerprint or the start of one, or the DAG (and step) that produced the results",
            ),
            YES,
            OUTPUT,
        ),
    ),
    Command(
        name="gc",
        help="Remove what nothing needs from the workspace",
        description="Remove results that were not used for long, and what crashed attempts left behind.",
        function="airflow_mlpipe.cli.gc.gc",
        options=(
            option("--dry-run", action="store_true", help="only say what would be removed"),
            option(
                "--older-than",
                metavar="TIME",
                type=TIME,
                help="also remove results that were not used for this long (30d); pinned ones stay",
            ),
            option(
                "--grace",
                metavar="TIME",
                type=TIME,
                help="leave what was written within this time: a run may need it ([mlpipe] gc_grace_hours, or 24h)",
            ),
            option(
                "--datastore",
                metavar="NAME",
                type=str,
                action="append",
                default=[],
                help="clear this datastore too; only one that no other workspace publishes to",
            ),
            option(
                "--host",
                metavar="TIME",
                type=TIME,
                help="also remove from this machine's cache and scratch folders what no step used for this long (7d)",
            ),
            option("--list", action="store_true", help="list every object"),
            YES,
            OUTPUT,
        ),
    ),
    SUBMIT,
    Command(
        name="import",
        help="Make DAGs of the pipelines of another system",
        description=(
            "Make DAGs of Azure ML v2 YAML: a pipeline, a component or a job, or all pipelines of a folder. What has "
            "no equivalent is listed with file and line. Exit code: 0 all were imported, 1 some were not."
        ),
        function="airflow_mlpipe.cli.imports.import_pipelines",
        options=(
            option("system", metavar="SYSTEM", type=str, choices=("azureml",), help="azureml"),
            option("path", metavar="PATH", type=str, help="a YAML file, or a folder"),
            option("--into", metavar="FOLDER", type=str, help="where DAG files go (the folder of each YAML file)"),
            option(
                "--compute",
                metavar="NAME=OURS",
                type=str,
                action="append",
                default=[],
                help="the compute here that a compute target of Azure's is; may be given more than once",
            ),
            option("--replace", action="store_true", help="import again what was imported before"),
            OUTPUT,
        ),
    ),
)

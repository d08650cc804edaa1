"""The commands ``airflow mlpipe module ...`` with their options, as plain values."""

from __future__ import annotations

from airflow_mlpipe.cli.options import OUTPUT, Command, Option, option

_MODULE = "featurize, featurize@1.2, 'featurize>=1,<2', team:featurize@1.2, or the path of a folder, ./featurize"

_LIBRARY = option("--library", metavar="NAME", type=str, help="a datastore, or workspace: the workspace itself")
_VERSION = option("module", metavar="MODULE@VERSION", type=str, help="featurize@1.2, or team:featurize@1.2")
_UNDO = option("--undo", action="store_true", help="do not say so any more")


def _why(what: str) -> Option:
    return option("--why", metavar="TEXT", type=str, default="", help=what)


MODULE_COMMANDS = (
    Command(
        name="publish",
        help="Publish the module of a folder",
        description=(
            "Publish the module of a folder: its code by digest, then its version. The same version with the same "
            "content is published already; with other content it is refused, with what is different."
        ),
        function="airflow_mlpipe.cli.modules.publish",
        options=(
            option("folder", metavar="FOLDER", type=str, help="the folder with the module.yaml"),
            _LIBRARY,
            option("--author", metavar="NAME", type=str, help="who publishes it; by default as git knows you"),
            option("--dry-run", action="store_true", help="only say whether it could be published"),
            OUTPUT,
        ),
    ),
    Command(
        name="ls",
        help="List the modules that there are",
        description="List the modules of the libraries and of installed packages.",
        function="airflow_mlpipe.cli.modules.ls",
        options=(
            _LIBRARY,
            option(
                "--folder",
                metavar="FOLDER",
                type=str,
                action="append",
                default=[],
                help="also the modules below this folder; may be given more than once",
            ),
            OUTPUT,
        ),
    ),
    Command(
        name="show",
        help="Show a module: ports, parameters, program, who published it",
        description="Show the interface of a module, and where it is from.",
        function="airflow_mlpipe.cli.modules.show",
        options=(option("module", metavar="MODULE", type=str, help=_MODULE), OUTPUT),
    ),
    Command(
        name="diff",
        help="Show what is different between two modules",
        description=(
            "Show the members and the files that differ, what of it would break a DAG, and whether results are reused."
        ),
        function="airflow_mlpipe.cli.modules.diff",
        options=(
            option("old", metavar="OLD", type=str, help=_MODULE),
            option("new", metavar="NEW", type=str, help="likewise"),
            option("--lines", action="store_true", help="also the lines that differ"),
            OUTPUT,
        ),
    ),
    Command(
        name="deprecate",
        help="Warn whoever uses a version",
        description="Mark a version of a module as deprecated: DAGs that use it are warned.",
        function="airflow_mlpipe.cli.modules.deprecate",
        options=(_VERSION, _why("what to use instead"), _UNDO, OUTPUT),
    ),
    Command(
        name="yank",
        help="Refuse a version to whoever has not locked it",
        description="Mark a version of a module as one that must not be used: no range finds it, and its name fails.",
        function="airflow_mlpipe.cli.modules.yank",
        options=(_VERSION, _why("what is wrong with it"), _UNDO, OUTPUT),
    ),
    Command(
        name="default",
        help="Say which version a name alone stands for",
        description="Let the name of a module alone stand for a version; by default it is the highest.",
        function="airflow_mlpipe.cli.modules.default",
        options=(_VERSION, option("--clear", action="store_true", help="let it be the highest again"), OUTPUT),
    ),
    Command(
        name="test",
        help="Run a module on the examples in its folder",
        description="Run a module on this machine, once for each case below its folder tests, and compare the outputs.",
        function="airflow_mlpipe.cli.modules.test",
        options=(
            option("folder", metavar="FOLDER", type=str, help="the folder with the module.yaml"),
            option("--case", metavar="NAME", type=str, action="append", default=[], help="only this case"),
            option("--compute", metavar="NAME", type=str, default="local", help="where: a compute of this deployment"),
            option("--keep", metavar="FOLDER", type=str, help="copy the outputs of each case into this folder"),
            OUTPUT,
        ),
    ),
    Command(
        name="init",
        help="Write the skeleton of a module",
        description="Write a folder with a module.yaml, a script and a test case, which runs as it is.",
        function="airflow_mlpipe.cli.modules.init",
        options=(
            option("folder", metavar="FOLDER", type=str, help="the folder, which must not be there"),
            option("--name", metavar="NAME", type=str, help="of the module; by default the folder's"),
            OUTPUT,
        ),
    ),
    Command(
        name="lock",
        help="Pin the modules of DAGs",
        description="Write mlpipe.lock beside the files of DAGs: which version and content each of their modules is.",
        function="airflow_mlpipe.cli.modules.lock",
        options=(
            option("dag_ids", metavar="DAG", type=str, nargs="+", help="the DAG's id"),
            option("--check", action="store_true", help="write nothing; exit code 1 if something would move"),
            OUTPUT,
        ),
    ),
)

"""One verb from its documents to its exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from airflow_mlpipe.errors import CorruptedError, MLPipeError
from airflow_mlpipe.runtime.agent.options import Options, parse
from airflow_mlpipe.runtime.agent.signals import Termination
from airflow_mlpipe.runtime.agent.verbs import Agent
from airflow_mlpipe.runtime.documents.failure import failure_to_bytes
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.documents.stores import DocumentStores, configs_from_bytes
from airflow_mlpipe.runtime.layout import Layout
from airflow_mlpipe.runtime.remote import ready_of
from airflow_mlpipe.store.layout import candidate_key

DONE, FAILED, WRONG, UNSAID = 0, 1, 2, 4
"""Exit codes; and :data:`~airflow_mlpipe.runtime.agent.signals.ENDED`."""

IN_WORKSPACE = "workspace:"


def main(argv: Sequence[str], termination: Termination) -> int:
    """Do what the command line says; the exit code."""
    options = parse(argv)
    if options.command == "ready":
        return DONE if ready_of(Layout(options.root)).exists() else FAILED
    os.umask(0o022)
    try:
        agent = _agent(options)
    except (MLPipeError, OSError) as error:
        return _last_line(error, WRONG)
    try:
        _do(options, agent, termination)
    except Exception as error:  # noqa: BLE001 - whatever it is, the worker is told
        if not isinstance(error, MLPipeError):
            traceback.print_exc()
        try:
            agent.tell(error)
        except MLPipeError as second:
            _say(f"cannot say so in the workspace: {second}")
            return _last_line(error, UNSAID)
        return _last_line(error, FAILED)
    return DONE


def _do(options: Options, agent: Agent, termination: Termination) -> None:
    if options.command != "publish" and not (options.command == "sidecar" and agent.is_staged()):
        agent.stage(options.secrets)
    if options.command == "sidecar":
        termination.expect()  # before the program may start
        agent.mark_ready()
        termination.wait()
    if options.command != "stage":
        try:
            agent.publish()
        finally:  # the worker may take the result meanwhile; of a program that failed, this is what counts
            if options.command == "sidecar":  # else they are in a folder that outlives the attempt
                agent.keep_checkpoints()


def _agent(options: Options) -> Agent:
    """:raises MLPipeError: for documents that are none. :raises OSError: for files that cannot be read."""
    stores = DocumentStores(configs_from_bytes(options.stores.read_bytes(), where=str(options.stores)))
    order = _order(options, stores)
    return Agent(
        order,
        stores,
        root=options.root,
        seen_as=options.seen_as,
        key=options.out or candidate_key(order.job.attempt),
        say=_say,
    )


def _order(options: Options, stores: DocumentStores) -> Order:
    if options.job.startswith(IN_WORKSPACE):
        data = stores.contents("").store.get(options.job.removeprefix(IN_WORKSPACE))
    else:
        with open(options.job, "rb") as file:
            data = file.read()
    return Order.from_bytes(data, where=options.job)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a process's own output


def _last_line(error: Exception, code: int) -> int:
    """The document is also the last line, for a worker that can see no more than that."""
    shown = error if isinstance(error, MLPipeError) or code != WRONG else CorruptedError(str(error), where="agent")
    _say(str(shown))
    sys.stderr.write(failure_to_bytes(shown).decode() + "\n")
    return code

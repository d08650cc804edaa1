"""Stage: the command line, the working folder and the variables of a program on another machine, before it has data.

Its folders have fixed names there, so all of this follows from the step; see :mod:`.names`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_mlpipe.runtime.command import command_line, working_folder
from airflow_mlpipe.runtime.environments import Interpreter
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.layout import Layout
from airflow_mlpipe.runtime.names import named
from airflow_mlpipe.runtime.remote import TOP, caches_of, checkpoints_of, kernel_of, pysite_of
from airflow_mlpipe.runtime.runner import Folders
from airflow_mlpipe.runtime.variables import Surroundings, name_variables
from airflow_mlpipe.runtime.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A program as a container is asked for it."""

    argv: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str]


def plan(job: Job, *, top: Path = TOP, worker: Mapping[str, str] | None = None) -> Planned:
    """What to run, in the job's image.

    :param top: where the program sees the folders of its attempt.
    :param worker: the worker's environment, of which ``pass_variables`` are taken; by default this process's.
    :raises DefinitionError: for a command that is none. :raises ConfigurationError: when a variable of
        ``pass_variables`` is not set.
    """
    step, layout = job.step, Layout(top)
    staged = named(step, layout)
    interpreter = Interpreter(
        python=Path("python3"), is_of_host=False, path=job.image.python_path if job.image else None
    )
    folders = Folders(
        layout=layout,
        checkpoints=checkpoints_of(layout),
        caches=caches_of(layout),
        kernel=kernel_of(layout) if step.function is not None else None,
        pysite=pysite_of(layout) if step.sorted_listings else None,
    )
    around = Surroundings(
        folders=folders,
        staged=staged,
        interpreter=interpreter,
        view=View(),
        worker=os.environ if worker is None else worker,
    )
    return Planned(
        argv=command_line(step, layout, staged, interpreter, View()),
        cwd=str(working_folder(step, layout)),
        environment=name_variables(step, around, job.secrets),
    )

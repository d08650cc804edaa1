"""What code runs in, as files of every kind say it: the members of :class:`Environment`."""

from __future__ import annotations

from typing import Any

from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.written.members import Members, names_of
from airflow_mlpipe.written.mistakes import Mistakes
from airflow_mlpipe.written.places import Place


def read_environment(value: Any, place: Place, mistakes: Mistakes) -> Environment | None:
    """Read it; ``None`` where it is wrong.  Where a file of requirements lies is not looked at."""
    members = Members(value, place, mistakes, what="an environment", known=names_of(Environment))
    said = {n: members.text(n) for n in ("requirements", "python", "image")}
    variables = {n: _variable(n, members) for n in members.mapping("variables")}
    packages, passed = members.texts("packages"), members.texts("pass_variables")
    return members.made(
        place, lambda: Environment(packages=packages, variables=variables, pass_variables=passed, **said)
    )


def _variable(name: str, members: Members) -> Any:
    """A number is the text that stands there: ``OMP_NUM_THREADS: 1`` is ``1`` for every program."""
    value = members.value["variables"][name]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return members.mistakes.places.texts.get((*members.at("variables"), name), str(value))
    return value
